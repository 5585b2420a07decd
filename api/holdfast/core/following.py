"""A run as it is followed: its events from a place in the log on, and what they come to."""

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from holdfast.core.platform import Platform
from holdfast.core.replay import GONE, complete, whole
from holdfast.events import ALWAYS, TASK, Event, dump
from holdfast.redis.lua import Place
from holdfast.redis.stream import START as START
from holdfast.redis.stream import Reader, Stored, parse_place

# What is sent at once, about: so much of it is kept for a client that does not read, until it is cut.
PIECE_BYTES = 16 * 1024

EMPTY: dict[str, Any] = {"status": ""}
NO_VALUES = Event("", "values", "", 0, b"{}")


def pieces(frames: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, joined as far as `PIECE_BYTES` go."""
    piece, size = [], 0
    for frame in frames:
        piece.append(frame)
        size += len(frame)
        if size >= PIECE_BYTES:
            yield b"".join(piece)
            piece, size = [], 0
    if piece:
        yield b"".join(piece)


@dataclass(slots=True)
class Followed:
    """A run and its events from a place on; owns the subscription until `close`."""

    platform: Platform
    thread_id: str
    run_id: str
    after: Place
    reader: Reader
    modes: frozenset[str] = frozenset()
    resumable: bool = False
    ended: bool = False
    logged: bool = True  # there may be events that were there before the reader joined

    async def shown(self) -> AsyncIterator[list[Stored]]:
        """The run's own events that the client asked for, as many at a time as came together."""
        async for batch in self.batches():
            seen = [stored for stored in batch if self.shows(stored.event.mode)]
            seen = await complete(self.platform, self.thread_id, seen)
            if left := [stored for stored in seen if stored.event.mode != GONE]:
                yield left

    async def events(self) -> AsyncIterator[Stored]:
        """The run's own events up to its end mark, which is the last one given; some may not be whole."""
        async for batch in self.batches():
            for stored in batch:
                yield stored

    async def batches(self) -> AsyncIterator[list[Stored]]:
        """The same, as many at a time as came together."""
        async for batch in self._log():
            own = [stored for stored in batch if stored.event.run_id == self.run_id]
            over = any(stored.event.mode == "end" for stored in own)
            self.ended |= over
            if own:
                yield own
            if over:
                return

    async def _log(self) -> AsyncIterator[list[Stored]]:
        if self.ended:  # nothing will be added, and what there was may have gone
            async for page in self.platform.hub.pages(self.thread_id, self.after):
                yield page
            return
        hub = self.platform.hub
        async for batch in hub.events(self.thread_id, self.reader, self.after, logged=self.logged):
            yield batch

    def shows(self, mode: str) -> bool:
        return is_shown(mode, self.modes)

    async def close(self) -> None:
        await self.platform.hub.leave(self.thread_id, self.reader)


def is_shown(mode: str, asked: frozenset[str] | None) -> bool:
    """Whether a client that asked for these modes, or for all, sees an event of that mode."""
    if mode == TASK:
        return False  # it is for readers of protocol v3
    if asked is None or mode in ALWAYS:
        return True
    if mode == "messages":
        return "messages-tuple" in asked
    return mode.partition("/")[0] in asked


@dataclass(frozen=True, slots=True)
class Result:
    """What `wait` and `join` answer: JSON, and the status of the run."""

    body: bytes
    status: str


async def result(followed: Followed) -> Result:
    """The run's final values, or `{"__error__": ...}`; waits for its end."""
    state, error, end = NO_VALUES, b"", EMPTY
    try:
        async for stored in followed.events():
            event = stored.event
            if event.mode == "values" and not event.namespace:
                state = event
            elif event.mode == "error":
                error = event.data
            elif event.mode == "end":
                end = orjson.loads(event.data)
    finally:
        await followed.close()
    if error:
        return Result(b'{"__error__":' + error + b"}", end["status"])
    values = (await whole(followed.platform, followed.thread_id, state)).data
    if end.get("interrupts"):
        # LangGraph names one interrupt in each `values`: all that wait are in the end mark only.
        values = dump(with_interrupts(orjson.loads(values), end["interrupts"]))
    return Result(values, end["status"])


def with_interrupts(values: Any, waiting: list[dict[str, Any]]) -> Any:
    return {**values, "__interrupt__": waiting} if waiting and isinstance(values, dict) else values


def resume_place(followed: Followed, last_event_id: str | None) -> Place | None:
    """Where a stream goes on after `Last-Event-ID`; None when there is nothing to send.

    Without an id, on a run that was not made resumable, or after a place that the log has not reached: what
    comes from now on. `-1`, `-` and `0`: from the beginning.
    """
    now = None if followed.ended else followed.after
    if last_event_id is None or not followed.resumable:
        return now
    if last_event_id in ("-1", "-", "0"):
        return START
    try:
        place = parse_place(last_event_id)
    except ValueError:
        return None
    return place if place <= followed.after else now
