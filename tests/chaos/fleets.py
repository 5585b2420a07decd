"""API and worker processes behind one address, and clients that come back after an error."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

import httpx
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import APIStatusError

from tests.chaos.sites import Site
from tests.servers import free_port, wait_ready

if TYPE_CHECKING:
    from tests.chaos.zygote import Child

T = TypeVar("T")
TRIES = 5
TRANSIENT = (429, 502, 503, 504)


class Fleet:
    """One address that hands each connection to the next API process which takes it, as a balancer does."""

    def __init__(self, place: Site) -> None:
        self.url = ""
        self.apis: list[tuple[int, Child]] = []
        self._place = place
        self._turn = 0

    async def add_api(self) -> None:
        port = free_port()
        child = await self._place.serve(port)
        await wait_ready(f"http://127.0.0.1:{port}")
        self.apis.append((port, child))

    async def replace_api(self) -> None:
        """Stops the oldest and waits for its end before the next comes, as a rolling restart does."""
        _, child = self.apis.pop(0)
        child.send(signal.SIGTERM)
        await child.wait(20)
        await self.add_api()

    async def replace_worker(self) -> None:
        child = self._place.workers.pop(0)
        child.send(signal.SIGTERM)
        await child.wait(20)
        await self._place.work()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            back_reader, back_writer = await self._open()
        except ConnectionError:
            writer.close()
            return
        await asyncio.gather(pump(reader, back_writer), pump(back_reader, writer))

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for _ in self.apis:
            self._turn += 1
            port, _child = self.apis[self._turn % len(self.apis)]
            with suppress(ConnectionError):
                return await asyncio.open_connection("127.0.0.1", port)
        raise ConnectionError


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def fleet(place: Site, *, apis: int = 1, workers: int = 1) -> AsyncIterator[Fleet]:
    made = Fleet(place)
    async with AsyncExitStack() as stack:
        server = await asyncio.start_server(made.connect, "127.0.0.1", 0, backlog=1024)
        stack.callback(server.close)
        made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for _ in range(apis):
            await made.add_api()
        for _ in range(workers):
            await place.work()
        yield made


@asynccontextmanager
async def sdk(url: str) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=url) as client:
        yield client


async def persist(call: Callable[[], Awaitable[T]], errors: list[str]) -> T:
    """Calls again after an error that is worth it; the errors that were seen on the way are noted."""
    for attempt in range(1, TRIES + 1):
        try:
            return await call()
        except (httpx.TransportError, APIStatusError) as error:
            if isinstance(error, APIStatusError) and error.status_code not in TRANSIENT:
                raise
            errors.append(type(error).__name__)
            if attempt == TRIES:
                raise
            await asyncio.sleep(0.1 * 2**attempt)
    raise AssertionError
