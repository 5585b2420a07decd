"""Server-sent events: sse-starlette's response, thinned so that ten thousand of them fit into one process."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sse_starlette import EventSourceResponse
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from holdfast.limits import Opened
from holdfast.telemetry.recorder import Recorder

PING_S = 5.0
HEARTBEAT = b": heartbeat\r\n"  # and no blank line: some clients take it for the end of an empty event
MEDIA_TYPE = "text/event-stream; charset=utf-8"
# For the reference: what a route answers that streams.
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}

# Streams are pinged in so many groups, one after the other: thousands at once would hold up all else.
GROUPS = 50


class EventStream(EventSourceResponse):
    """Frames that are bytes already, until they end, the client leaves, or it takes nothing for too long.

    The original has four tasks and a task group a stream, and a timer a frame. Here a stream is the task of
    its request and one that waits for the client to leave; pings and time limits are the ticker's. `counted`
    is what is counted of it until its end, `asked_at` when the run was asked for that it tells from the
    start.
    """

    counted: Opened | None = None
    asked_at: float | None = None

    def __init__(
        self, frames: AsyncGenerator[bytes, None], headers: Mapping[str, str] | None, ping: bytes
    ) -> None:
        super().__init__(frames, headers=headers, ping=0, media_type=MEDIA_TYPE)
        self._frames = frames
        self._ping_bytes = ping
        self._cut = False
        self._sending_since: float | None = None
        self._pinging: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["method"] == "HEAD":
                await super().__call__(scope, receive, send)
            else:
                await self._answer(scope, receive, send)
        finally:
            if self.counted:
                self.counted.close()
            await self._frames.aclose()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._send, self._task = send, asyncio.current_task()
        leaving = asyncio.create_task(self._wait_for_client(receive), name="client of a stream")
        state = scope["app"].state
        ticker: Ticker = state.ticker
        try:
            with ticker.watching(self):
                await self._stream(state.platform.recorder)
        except asyncio.CancelledError:
            if not self._cut or (self._task and self._task.uncancel()):
                raise  # somebody else's cancel
        finally:
            self.active = False
            leaving.cancel("the stream has ended")

    async def _stream(self, recorder: Recorder) -> None:
        await self._write(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        async for frame in self._frames:
            await self._write(body(frame))
            if self.asked_at is not None:
                recorder.stream_began(time.perf_counter() - self.asked_at)
                self.asked_at = None
        self.active = False
        await self._write(body(b"", more=False))

    async def _write(self, message: Message) -> None:
        self._sending_since = asyncio.get_running_loop().time()
        await self._send(message)
        self._sending_since = None

    async def _wait_for_client(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._end("the client has left")

    def _end(self, reason: str) -> None:
        if self.active and not self._cut and self._task:
            self._cut = True
            self._task.cancel(reason)

    def tick(self, overdue: float) -> None:
        """Pings, unless something is being sent: since before `overdue`, to a client that does not read."""
        if self.counted:
            self.counted.renew()
        if self._sending_since is None:
            self._pinging = asyncio.create_task(self._write_ping(), name="ping")
        elif self._sending_since < overdue:
            self._end("the client does not read")

    async def _write_ping(self) -> None:
        if self.active:
            await self._write(body(self._ping_bytes))


def body(content: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


class Ticker:
    """Looks at each open stream of a process every `PING_S`."""

    def __init__(self, send_timeout_s: float) -> None:
        self._send_timeout_s = send_timeout_s
        self._groups: list[set[EventStream]] = [set() for _ in range(GROUPS)]
        self._turn = 0
        self._ticking: asyncio.Task[None] | None = None

    @property
    def open(self) -> int:
        """How many streams of this process are open."""
        return sum(map(len, self._groups))

    @contextmanager
    def watching(self, stream: EventStream) -> Iterator[None]:
        group = self._groups[self._turn]  # whose turn was just now, and is next after `PING_S`
        group.add(stream)
        if self._ticking is None:
            self._ticking = asyncio.create_task(self._tick(), name="pings")
        try:
            yield
        finally:
            group.discard(stream)

    async def _tick(self) -> None:
        while any(self._groups):
            await asyncio.sleep(PING_S / GROUPS)
            self._turn = (self._turn + 1) % GROUPS
            overdue = asyncio.get_running_loop().time() - self._send_timeout_s
            for stream in tuple(self._groups[self._turn]):
                stream.tick(overdue)
        self._ticking = None


def event_stream(
    frames: AsyncGenerator[bytes, None], headers: Mapping[str, str] | None = None, *, ping: bytes = HEARTBEAT
) -> EventStream:
    """A stream of whole frames; one that is silent for `PING_S` is pinged."""
    return EventStream(frames, headers, ping)


def of_new_run(request: Request, stream: EventStream) -> EventStream:
    """The same stream, of a run that this request has asked for."""
    stream.asked_at = request.state.asked_at
    return stream


async def no_frames() -> AsyncGenerator[bytes, None]:
    """A stream that ends at once."""
    nothing: tuple[bytes, ...] = ()
    for frame in nothing:
        yield frame
