"""A TCP proxy that does to a connection what networks do."""

import asyncio
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Opener = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
CHUNK = 64 * 1024
UP, DOWN = "up", "down"
SCRIPT = re.compile(rb"EVALSHA\r\n\$40\r\n([0-9a-f]{40})")


@dataclass
class Proxy:
    """What it does is changed while it runs; a connection that was swallowed once stays dead."""

    port: int = 0
    delay_s: float = 0.0
    black_hole: bool = False
    refusing: bool = False
    swallows_from: bytes = b""
    """The first connection on which this is asked dies, and with it the whole network."""
    losing: bool = False
    """The first reply to each script is lost, together with its connection."""
    lost: set[bytes] = field(default_factory=set)
    left: dict[str, float] = field(default_factory=lambda: {UP: math.inf, DOWN: math.inf})
    """How many bytes still pass, up and down; the connection on which they run out is cut."""
    passed: dict[str, int] = field(default_factory=lambda: {UP: 0, DOWN: 0})
    links: set["Link"] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def loses(self, asked: bytes) -> bool:
        scripts = set(SCRIPT.findall(asked)) - self.lost if self.losing else set()
        self.lost |= scripts
        return bool(scripts)

    def take(self, way: str, data: bytes) -> bytes:
        """As much of the data as may pass."""
        data = data[: int(min(len(data), self.left[way]))]
        self.left[way] -= len(data)
        self.passed[way] += len(data)
        return data

    def swallow(self) -> None:
        """Nothing comes through any more, and never again on the connections that there are."""
        self.black_hole = True
        for link in self.links:
            link.dead = True

    def cut(self) -> None:
        for link in list(self.links):
            link.close()


class Link:
    """One connection through the proxy."""

    def __init__(self, proxy: Proxy, *ends: asyncio.StreamWriter) -> None:
        self.dead = False
        self.asked = b""
        self._proxy = proxy
        self._ends = ends

    def close(self) -> None:
        for end in self._ends:
            end.transport.abort()  # what was not sent yet is not waited for

    async def up(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(CHUNK):
            self.asked = data
            if self._proxy.swallows_from and self._proxy.swallows_from in data:
                self._proxy.swallow()
            if not await self._pass(data, sink, UP):
                return

    async def down(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(CHUNK):
            if self._proxy.loses(self.asked):
                return
            if not await self._pass(data, sink, DOWN):
                return

    async def _pass(self, data: bytes, sink: asyncio.StreamWriter, way: str) -> bool:
        """Whether all of it went through."""
        if self._proxy.delay_s:
            await asyncio.sleep(self._proxy.delay_s / 2)
        self.dead = self.dead or self._proxy.black_hole
        if self.dead:
            return True
        allowed = self._proxy.take(way, data)
        sink.write(allowed)
        await sink.drain()
        return allowed == data


@asynccontextmanager
async def proxied(target: Opener) -> AsyncIterator[Proxy]:
    """A proxy in front of what `target` connects to."""
    proxy = Proxy()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            # A cancel too: streams of Python 3.11 take a handler that was cancelled for an error of theirs.
            with suppress(OSError, asyncio.CancelledError):
                await relay(proxy, target, client, back)
        finally:
            back.transport.abort()
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def relay(
    proxy: Proxy, target: Opener, client: asyncio.StreamReader, back: asyncio.StreamWriter
) -> None:
    if proxy.refusing:
        return
    server, forth = await target()
    link = Link(proxy, back, forth)
    proxy.links.add(link)
    halves = [asyncio.create_task(link.up(client, forth)), asyncio.create_task(link.down(server, back))]
    try:
        await asyncio.wait(halves, return_when=asyncio.FIRST_COMPLETED)
    finally:
        proxy.links.discard(link)
        link.close()
        for half in halves:
            half.cancel()
        await asyncio.gather(*halves, return_exceptions=True)
