"""What tests of the classic stream of a thread share: its events as they come in."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.api.wire import Json, Sent, read_stream
from tests.waiting import wait_until

EVERYTHING = "-"


@dataclass
class Heard:
    """The events of one open stream, as they come in."""

    headers: httpx.Headers
    events: list[Sent] = field(default_factory=list)
    pings: int = 0

    @property
    def ids(self) -> list[str | None]:
        return [event.id for event in self.events]

    @property
    def names(self) -> list[str]:
        """A run's end stands as `run_done`, its beginning as `metadata`."""
        return [
            event.data["status"] if event.name == "metadata" and "status" in event.data else event.name
            for event in self.events
        ]

    def of(self, name: str) -> list[Json]:
        return [event.data for event in self.events if event.name == name]

    async def until(self, condition: Callable[[], object], what: str) -> None:
        async def holds() -> object:
            return condition()

        await wait_until(holds, f"{what}; got {self.names}")

    async def until_count(self, count: int) -> None:
        await self.until(lambda: len(self.events) >= count, f"{count} events")

    async def until_done(self, runs: int = 1) -> None:
        await self.until(lambda: self.names.count("run_done") >= runs, f"the end of {runs} run(s)")

    async def read(self, response: httpx.Response) -> None:
        text = ""
        async for chunk in response.aiter_text():
            text += chunk
            if text.startswith(":") and text.endswith("\r\n"):
                self.pings += 1
            whole, end, rest = text.rpartition("\r\n\r\n")
            if end:
                self.events += read_stream(whole + end)
                text = rest


@asynccontextmanager
async def hearing(
    http: httpx.AsyncClient, thread_id: str, last_event_id: str | None = None, **query: Any
) -> AsyncIterator[Heard]:
    """Reads a thread's stream in the background for as long as the block runs."""
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    async with http.stream("GET", f"/threads/{thread_id}/stream", params=query, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        heard = Heard(response.headers)
        task = asyncio.create_task(heard.read(response))
        try:
            yield heard
            assert not task.done(), "the stream ended by itself"
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, httpx.HTTPError):
                await task
