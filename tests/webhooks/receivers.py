"""A receiver of webhooks: a real server on loopback that answers as it is told to and keeps what came."""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.waiting import wait_until


@dataclass(frozen=True)
class Got:
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass(frozen=True)
class Answer:
    status: int = 200
    headers: tuple[str, ...] = ()
    after_s: float = 0

    def encode(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} Whatever", "Content-Length: 0", *self.headers]
        return "\r\n".join([*lines, "", ""]).encode()


@dataclass
class Receiver:
    """`answers` come first, one a request; then each is answered by `always`."""

    url: str = ""
    port: int = 0
    always: Answer = field(default_factory=Answer)
    answers: deque[Answer] = field(default_factory=deque)
    got: list[Got] = field(default_factory=list)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                self.got.append(await read_request(reader))
                answer = self.answers.popleft() if self.answers else self.always
                await asyncio.sleep(answer.after_s)
                writer.write(answer.encode())
                await writer.drain()
        finally:
            writer.close()

    async def has(self, count: int, timeout_s: float = 15) -> list[Got]:
        async def reached() -> bool:
            return len(self.got) >= count

        await wait_until(reached, f"{count} requests at the receiver", timeout_s)
        return self.got

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.got]


async def read_request(reader: asyncio.StreamReader) -> Got:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    pairs = [line.split(": ", 1) for line in lines]
    assert len({name.lower() for name, _ in pairs}) == len(pairs), "no header comes twice"
    headers = {name.lower(): value for name, value in pairs}
    method, path, _ = first.split(" ")
    assert method == "POST"
    return Got(path, headers, await reader.readexactly(int(headers["content-length"])), time.time())


@asynccontextmanager
async def receiving(
    always: Answer = Answer(),
    *,
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Receiver]:
    receiver = Receiver(always=always)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(receiver.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, host, 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    receiver.url = f"{'https' if tls else 'http'}://{host}:{receiver.port}"
    try:
        yield receiver
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def reachable(*receivers: Receiver, **more: Any) -> dict[str, Any]:
    """The settings under which these receivers may be called."""
    return {
        "webhook_http": True,
        "webhook_ports": tuple(one.port for one in receivers),
        "webhook_allow": ("127.0.0.0/8",),
        "webhook_retry_s": 0.05,
        **more,
    }
