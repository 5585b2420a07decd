"""What tests of protocol v3 share: a thread's frames read by hand, commands sent by hand."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from tests.waiting import wait_until

CHANNELS = ["values", "updates", "messages", "tools", "lifecycle", "input", "custom"]
Json = Any


def new_id() -> str:
    return str(uuid.uuid4())


@dataclass
class Watch:
    """The frames of one open stream, as they come in."""

    frames: list[Json] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)

    def take(self, block: str) -> None:
        lines = [line.split(": ", 1) for line in block.split("\r\n") if line and not line.startswith(":")]
        if not lines:
            return
        assert [name for name, _ in lines] == ["event", "data", "id"], block
        frame = orjson.loads(lines[1][1])
        assert frame["type"] == "event"
        assert frame["method"] == lines[0][1]
        assert str(frame["seq"]) == lines[2][1]
        self.frames.append(frame)
        self.ids.append(frame["event_id"])

    @property
    def seqs(self) -> list[int]:
        return [frame["seq"] for frame in self.frames]

    def of(self, method: str) -> list[Json]:
        """The data of the frames of one method."""
        return [frame["params"]["data"] for frame in self.frames if frame["method"] == method]

    @property
    def phases(self) -> list[str]:
        """The root's lifecycle."""
        return [
            frame["params"]["data"]["event"]
            for frame in self.frames
            if frame["method"] == "lifecycle" and not frame["params"]["namespace"]
        ]

    async def until(self, condition: Callable[[], object], what: str) -> None:
        async def holds() -> object:
            return condition()

        await wait_until(holds, f"{what}; got {[frame['method'] for frame in self.frames]}")

    async def until_count(self, count: int) -> None:
        await self.until(lambda: len(self.frames) >= count, f"{count} frames")

    async def until_phases(self, *phases: str) -> None:
        await self.until(lambda: self.phases == list(phases), f"lifecycle {phases}, not {self.phases}")


@asynccontextmanager
async def watching(
    http: httpx.AsyncClient, thread_id: str, headers: dict[str, str] | None = None, **asked: Any
) -> AsyncIterator[Watch]:
    """Reads a thread's stream in the background for as long as the block runs."""
    body = {"channels": CHANNELS, **asked}
    path = f"/threads/{thread_id}/stream/events"
    async with http.stream("POST", path, json=body, headers=headers or {}) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        watch = Watch()
        task = asyncio.create_task(read(response, watch))
        try:
            yield watch
            assert not task.done(), "the stream ended by itself"
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, httpx.HTTPError):
                await task


async def read(response: httpx.Response, watch: Watch) -> None:
    text = ""
    async for chunk in response.aiter_text():
        *blocks, text = (text + chunk).split("\r\n\r\n")
        for block in blocks:
            watch.take(block)


async def command(http: httpx.AsyncClient, thread_id: str, method: str, **params: Any) -> Json:
    body = {"id": 7, "method": method, "params": params}
    response = await http.post(f"/threads/{thread_id}/commands", json=body)
    assert response.status_code == 200, response.text
    reply = response.json()
    assert reply["id"] == 7
    return reply


async def start(http: httpx.AsyncClient, thread_id: str, graph: str, given: Json) -> Json:
    reply = await command(http, thread_id, "run.start", assistant_id=graph, input=given)
    assert reply["type"] == "success", reply
    return reply


async def answer(http: httpx.AsyncClient, thread_id: str, interrupt_id: str, response: Json) -> Json:
    return await command(
        http, thread_id, "input.respond", namespace=[], interrupt_id=interrupt_id, response=response
    )


def told_text(frames: list[Json]) -> str:
    """What a client writes on the screen for the `messages` frames."""
    deltas = [data["delta"] for data in frames if data["event"] == "content-block-delta"]
    return "".join(delta["text"] for delta in deltas if delta["type"] == "text-delta")


async def finished(http: httpx.AsyncClient, graph: str, given: Json) -> tuple[str, Watch]:
    """A thread with one run that has ended, and all frames of it."""
    thread_id = new_id()
    async with watching(http, thread_id) as watch:
        await start(http, thread_id, graph, given)
        await watch.until(lambda: len(watch.phases) == 2, "the end of the run")
    return thread_id, watch
