"""The classic stream of a thread: what all its runs say, one after the other, and what is done to its state.

Of each run it shows what that run was asked for. Other than on protocol v3, nothing has to be read before the
place where a reader goes on.
"""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

import orjson

from holdfast.core import threads
from holdfast.core.following import START, is_shown, with_interrupts
from holdfast.core.platform import Platform
from holdfast.core.replay import GONE, complete
from holdfast.errors import Invalid, ThreadNotFound
from holdfast.events import HOLD, Event, dump, now_ms
from holdfast.redis.client import insist
from holdfast.redis.lua import Place
from holdfast.redis.records import Caller, ThreadRecord, tell_hold, timestamp_us
from holdfast.redis.stream import Reader, Stored, parse_place

BEGINNING = ("-", "-1", "0")
OF_RUNS = ("run_modes", "lifecycle")
BAD_ID = "Last-Event-ID is not the id of an event: send one as it came, or `-` for all that there is."


async def follow(
    platform: Platform,
    caller: Caller,
    thread_id: str,
    modes: frozenset[str],
    last_event_id: str | None,
    made: int | None = None,
) -> "ThreadStream":
    """Follows a thread from now on, or from after an event. Raises `ThreadNotFound` and `Invalid`.

    `made` is that of the stream on which the event was seen, where it is known: the events of a thread that
    was deleted and made again may bear the ids of earlier ones.
    """
    found = ThreadStream(platform, caller, thread_id, modes, await platform.hub.join(thread_id))
    try:
        await found.open(last_event_id, made)
    except BaseException:
        await found.close()
        raise
    return found


def read_cursor(last_event_id: str) -> Place:
    try:
        return parse_place(last_event_id)
    except ValueError:
        raise Invalid(BAD_ID) from None


def newest(record: ThreadRecord) -> Place:
    return Place(record.epoch, record.seq)


def before(stored: Stored) -> Place:
    return stored.place._replace(seq=stored.place.seq - 1)


def run_done(end: Stored) -> Stored:
    told = {"status": "run_done", "run_id": end.event.run_id}
    return end._replace(event=replace(end.event, mode="metadata", data=dump(told)))


def of_thread(mode: str, data: bytes) -> Event:
    return Event("", mode, "", now_ms(), data)


@dataclass(slots=True)
class ThreadStream:
    """One reader of a thread; owns the subscription until `close`.

    A thread that was deleted is silent, and stays so when somebody else makes it again.
    """

    platform: Platform
    caller: Caller
    thread_id: str
    modes: frozenset[str]
    reader: Reader
    made: int = 0  # when the thread was made: what tells it from an earlier one of its id
    start: Place = START  # where this stream began
    _after: Place = START
    _told: list[Stored] = field(default_factory=list)  # what there was to tell at once
    _run: str | None = None  # whose events are read: a run's, or under "" the thread's own
    _visible: bool = False
    _asked: frozenset[str] | None = None  # the modes of that run; None when its record is gone

    async def close(self) -> None:
        await self.platform.hub.leave(self.thread_id, self.reader)

    async def open(self, last_event_id: str | None, made: int | None) -> None:
        record = await threads.find(self.platform, self.caller, self.thread_id)
        self.made = timestamp_us(record.created_at)
        self.start = self._after = await self._place(record, last_event_id)
        if made not in (None, self.made) or not await self._goes_on(record):
            self._told = await self._stand_in(record, await self._beginning(record))

    async def _place(self, record: ThreadRecord, last_event_id: str | None) -> Place:
        if not last_event_id:
            return newest(record)
        if last_event_id in BEGINNING:
            return await self._beginning(record)
        return read_cursor(last_event_id)

    async def batches(self) -> AsyncIterator[list[Stored]]:
        """The events to be shown, as many at a time as came together; for ever."""
        if self._told:
            yield self._told
        async for batch in self.platform.hub.events(self.thread_id, self.reader, self._after):
            shown = await self._bridge(batch[0])
            shown += [one for stored in batch if (one := await self._show(stored))]
            self._after = batch[-1].place
            shown = await complete(self.platform, self.thread_id, shown)
            if left := [stored for stored in shown if stored.event.mode != GONE]:
                yield left

    # what is shown

    async def _show(self, stored: Stored) -> Stored | None:
        event = stored.event
        if event.run_id != self._run or not event.run_id:
            await insist(partial(self._turn_to, event.run_id))
        if not self._visible or not self._wants(event):
            return None
        return run_done(stored) if event.mode == "end" else stored

    def _wants(self, event: Event) -> bool:
        if event.mode == HOLD:
            return not self.modes.isdisjoint(OF_RUNS)
        if not event.run_id:
            return event.mode in self.modes
        if event.mode in ("metadata", "end"):
            return not self.modes.isdisjoint(OF_RUNS)
        return "run_modes" in self.modes and is_shown(event.mode, self._asked)

    async def _turn_to(self, run_id: str) -> None:
        """Looks at the thread too: it may have been deleted and made again, by somebody else."""
        self._visible = False
        with suppress(ThreadNotFound):
            await threads.find(self.platform, self.caller, self.thread_id)
            self._visible = True
        request = await self.platform.client.call("HGET", self.platform.keys.runs(self.thread_id), run_id)
        self._run = run_id
        self._asked = frozenset(orjson.loads(request)["kwargs"]["stream_mode"]) if request else None

    # what the log does not hold any more

    async def _beginning(self, record: ThreadRecord) -> Place:
        """The place before all that the log holds."""
        first = await self.platform.hub.first(self.thread_id)
        return before(first) if first else newest(record)

    async def _goes_on(self, record: ThreadRecord) -> bool:
        """Whether the log, or what is yet to come, follows on the reader's place without a gap."""
        if self._after == newest(record) or await self.platform.hub.holds(self.thread_id, self._after):
            return True
        first = await self.platform.hub.first(self.thread_id)
        return first is not None and first.place > self._after and first.place.seq == self._after.seq + 1

    async def _bridge(self, first: Stored) -> list[Stored]:
        """What there is to tell before an event that does not follow on the last one."""
        if first.place.seq == self._after.seq + 1:
            return []
        self._run = None
        with suppress(ThreadNotFound):
            record = await insist(partial(threads.find, self.platform, self.caller, self.thread_id))
            if first.place.seq > self._after.seq:  # the log went while this reader was cut off from it
                return await self._stand_in(record, before(first))
            return [Stored(before(first), self._gap(before(first)))]  # it was deleted, and made again
        return []

    async def _stand_in(self, record: ThreadRecord, through: Place) -> list[Stored]:
        """The gap and a snapshot. Only the last is a place to go on from: the others need it too."""
        *others, last = [self._gap(through), *await self._snapshot(record)]
        told = [*(Stored(self._after, event) for event in others), Stored(through, last)]
        self._after = through
        return told

    def _gap(self, through: Place) -> Event:
        return of_thread("gap", dump({"since": self._after.id, "through": through.id}))

    async def _snapshot(self, record: ThreadRecord) -> list[Event]:
        """Who has the thread, and the state as it is in the form of each mode that was asked for."""
        told = self.platform.told(tell_hold(record.hold))
        holds = [of_thread(HOLD, told)] if record.hold_known and not self.modes.isdisjoint(OF_RUNS) else []
        if not record.started or record.graph_id not in self.platform.project.graphs:
            return holds
        found = await threads.snapshot(self.platform, record)
        at_rest = record.status != "busy"
        waiting = [one for several in record.interrupts.values() for one in several if at_rest]
        forms = {
            "run_modes": ("values", self.platform.told(dump(with_interrupts(found.values, waiting)))),
            "state_update": ("state_update", threads.tell(self.platform, self.thread_id, found).state),
        }
        return holds + [of_thread(*form) for mode, form in forms.items() if mode in self.modes]
