"""Protocol v3: commands to a thread, and the frames of all that happens on it."""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import ValidationError

from holdfast.core import pauses, protocol_states, runs, threads, trees
from holdfast.core.answers import check_gone, pending
from holdfast.core.following import START
from holdfast.core.frames import (
    FRAMES,
    Encoded,
    Frame,
    Rendering,
    hold_told,
    lifecycle,
    numbered,
    requested,
    state_told,
    through,
)
from holdfast.core.platform import Platform
from holdfast.core.replay import complete
from holdfast.errors import BadRequest, HoldfastError, NothingPending, ThreadNotFound
from holdfast.events import PROTOCOL_MODES, dump, now_ms
from holdfast.redis import lua
from holdfast.redis.assistants import AssistantRecord
from holdfast.redis.client import insist
from holdfast.redis.lua import Place
from holdfast.redis.records import FOLLOWED, Caller, ThreadRecord, tell_hold
from holdfast.redis.stream import Reader, Span, Stored
from holdfast.wire.common import sentence
from holdfast.wire.protocol import (
    Command,
    EventsRequest,
    InputRespond,
    StateFork,
    StateGet,
    StateList,
    TreeGet,
)
from holdfast.wire.runs import RunCreate

Answer = dict[str, Any]

NO_COMMAND = "A command is {id, method, params}, with an integer id and the method's name."


class UnknownCommand(BadRequest):
    """There is no such command."""

    code = "unknown_command"


class InvalidArgument(BadRequest):
    """The parameters of the command are not well formed."""

    code = "invalid_argument"


class NotSupported(BadRequest):
    """Subscriptions need a WebSocket: over HTTP, open a stream for each."""

    code = "not_supported"


# Commands that change nothing.
READING = frozenset({"agent.getTree", "state.get", "state.listCheckpoints"})

# commands


async def carry_out(platform: Platform, caller: Caller, thread_id: str, command: Command) -> Answer:
    """The reply to a command; what is wrong with it is said in the reply."""
    try:
        result, place = await dispatch(platform, caller, thread_id, command)
    except HoldfastError as error:
        return refusal(command.id, error.code, error.detail)
    return success(command.id, result, meta={"applied_through_seq": through(place.seq)})


def success(command_id: int, result: Answer, **more: Any) -> Answer:
    return {"type": "success", "id": command_id, "result": result, **more}


def refusal(command_id: Any, code: str, message: str) -> Answer:
    return {"type": "error", "id": command_id, "error": code, "message": message}


async def dispatch(
    platform: Platform, caller: Caller, thread_id: str, command: Command
) -> tuple[Answer, Place]:
    """What a command comes to, and the place in the log before all that it causes."""
    params = command.params if isinstance(command.params, dict) else {}
    try:
        match command.method:
            case "run.start":
                return await start(platform, caller, thread_id, params)
            case "input.respond":
                return await respond(platform, caller, thread_id, params)
            case "state.fork":
                return await fork(platform, caller, thread_id, params)
            case name if name in READING:
                return await look(platform, caller, thread_id, name, params)
            case name if name.startswith("subscription."):
                raise NotSupported
    except ValidationError as error:
        raise InvalidArgument(f"{command.method}: {sentence(error)}") from None
    raise UnknownCommand(f"Unknown protocol command: {command.method}")


async def look(
    platform: Platform, caller: Caller, thread_id: str, name: str, params: Answer
) -> tuple[Answer, Place]:
    """What a command reads, and the place that the log had reached before."""
    thread = await threads.find(platform, caller, thread_id)
    match name:
        case "agent.getTree":
            run_id = TreeGet.model_validate(params).run_id
            found: Answer = {"tree": await trees.read(platform, caller, thread_id, run_id)}
        case "state.get":
            asked = StateGet.model_validate(params)
            found = await protocol_states.get(platform, caller, thread_id, asked)
        case _:
            wanted = StateList.model_validate(params)
            found = await protocol_states.list_checkpoints(platform, caller, thread_id, wanted)
    return found, Place(thread.epoch, thread.seq)


async def fork(platform: Platform, caller: Caller, thread_id: str, params: Answer) -> tuple[Answer, Place]:
    asked = await protocol_states.fork(platform, caller, thread_id, StateFork.model_validate(params))
    result, place = await start(platform, caller, thread_id, asked)
    return {**result, "thread_id": thread_id}, place


async def start(platform: Platform, caller: Caller, thread_id: str, params: Answer) -> tuple[Answer, Place]:
    run = RunCreate.model_validate({**params, "stream_mode": "values", "if_not_exists": "create"})
    created = await submit(platform, caller, thread_id, run)
    return {"run_id": created.record.run_id}, created.place


async def submit(
    platform: Platform,
    caller: Caller,
    thread_id: str,
    run: RunCreate,
    assistant: AssistantRecord | None = None,
) -> runs.Created:
    """Puts a run in line that logs all there is to see, and later runs of its thread with it."""
    followed = {"stream_mode": [*PROTOCOL_MODES], "stream_subgraphs": True, "stream_resumable": True}
    asked = run.model_copy(update=followed)
    created = await runs.create(platform, caller, thread_id, asked, assistant=assistant)
    with suppress(ThreadNotFound):  # it went together with its run, which had ended already
        await mark(platform, created.caller, thread_id)
    return created


async def mark(platform: Platform, caller: Caller, thread_id: str) -> None:
    await lua.update_thread(platform.client, platform.keys, thread_id, caller, [FOLLOWED, "1"])


async def respond(platform: Platform, caller: Caller, thread_id: str, params: Answer) -> tuple[Answer, Place]:
    """Answers interrupts by their ids. Raises `NothingPending` for one that does not wait any more."""
    asked = InputRespond.model_validate(params)
    thread = await threads.find(platform, caller, thread_id)
    answers = {one.interrupt_id: one.response for one in asked.responses}
    check_waiting(thread, answers)
    assistant = await pauses.paused_by(platform, thread)
    created = await submit(
        platform,
        caller,
        thread_id,
        RunCreate.model_validate(
            {
                "assistant_id": assistant.assistant_id,
                "command": {"resume": answers, **asked.given("update", "goto")},
                "strict_resume": True,
                **asked.given("config", "metadata"),
            }
        ),
        assistant,
    )
    await runs.on_disk(platform, created)
    return {}, created.place


def check_waiting(thread: ThreadRecord, answers: Answer) -> None:
    """Raises `NothingPending` for what waits no more; says by whom it was answered where that is known."""
    waiting = pending(thread)
    for interrupt_id in answers.keys() - {one.interrupt_id for one in waiting}:
        check_gone(thread, interrupt_id, waiting)
        raise NothingPending(f"Interrupt {interrupt_id} is not waiting for an answer.")


# frames


def read_cursor(asked: EventsRequest, last_event_id: str | None) -> int:
    """The last frame that the client has seen, however it says so; 0 when it has seen none."""
    named = [text.partition(".")[0] for text in (asked.since_event_id, last_event_id) if text]
    if not all(text.isascii() and text.isdecimal() and len(text) < 16 for text in named):
        raise BadRequest("Last-Event-ID is not the id of a frame.")
    return max([asked.since or 0, *map(int, named)])


def stand_in(seq: int, frames: list[Frame]) -> list[Encoded]:
    """Frames instead of those up to `seq`. Only the last is a place to go on from: the others need it too."""
    now, told = now_ms(), []
    for place, frame in enumerate(frames, 1):
        own = seq if place == len(frames) else max(seq - 1, 0)
        told.append(frame.encode(own, f"{own}.{now}.{place}", now))
    return told


async def follow(
    platform: Platform, caller: Caller, thread_id: str, asked: EventsRequest, since: int
) -> "Follower":
    """Follows a thread from a cursor on, whether it exists by now or not. Raises `Unavailable`."""
    reader = await platform.hub.join(thread_id)
    follower = Follower(platform, caller, thread_id, asked, since, reader)
    try:
        await follower.open()
    except BaseException:
        await follower.close()
        raise
    return follower


@dataclass(slots=True)
class Follower:
    """One reader of a thread; owns the subscription until `close`.

    A thread that is not there yet, or is somebody else's, has no frames.
    """

    platform: Platform
    caller: Caller
    thread_id: str
    asked: EventsRequest
    since: int
    reader: Reader
    _rendering: Rendering = field(default_factory=Rendering)
    _record: ThreadRecord | None = None
    _told: list[Encoded] = field(default_factory=list)  # what there was to tell at once
    _after: Place = START
    _last: int = 0  # the number of the last event that was rendered

    async def close(self) -> None:
        await self.platform.hub.leave(self.thread_id, self.reader)

    async def open(self) -> None:
        """Finds where to begin, and what stands in for what the log does not hold any more."""
        record = await self._find()
        if record:
            log = await self.platform.hub.span(self.thread_id, -(-self.since // FRAMES))
            self._after = log.before if log else Place(record.epoch, record.seq)
            self._told = await self._begin(record, log)
        elif self.since:
            self._told = stand_in(0, [self._gap(0)])
            self.since = 0

    async def frames(self) -> AsyncIterator[Iterable[Encoded]]:
        """The frames, those of what has happened first; for ever. Each lot of them is to be taken whole."""
        if self._told:
            yield self._told
            self._told = []
        async for batch in self.platform.hub.events(self.thread_id, self.reader, self._after):
            if batch[0].place.seq <= self._last:
                yield self._start_anew()
            if any(stored.event.begins for stored in batch):
                self._record = None  # it may have been deleted and made again, by somebody else
            record = self._record or await insist(self._find)
            if record:
                async for lot in self._go_on(record, batch):
                    yield lot

    async def _find(self) -> ThreadRecord | None:
        with suppress(ThreadNotFound):
            record = await threads.find(self.platform, self.caller, self.thread_id)
            if not record.followed:
                await mark(self.platform, self.caller.on(record), self.thread_id)
            self._record, self._rendering.graph_name = record, record.graph_id
        return self._record

    async def _begin(self, record: ThreadRecord, log: Span | None) -> list[Encoded]:
        self._last = log.before.seq if log else record.seq
        newest = log.last.seq if log else record.seq
        if through(self._last) <= self.since <= through(newest):
            return []
        return await self._catch_up(record, self._last + 1, at_rest=not log)

    def _start_anew(self) -> list[Encoded]:
        """The thread was deleted, and made again under the same id."""
        self.since = through(self._last)
        told = stand_in(0, [self._gap(0)])
        self._rendering, self._record, self._last, self.since = Rendering(), None, 0, 0
        return told

    async def _go_on(self, record: ThreadRecord, batch: list[Stored]) -> AsyncIterator[Iterable[Encoded]]:
        if self.asked.covers("values", []):
            batch = await complete(self.platform, self.thread_id, batch)
        first = batch[0].place.seq
        if first > self._last + 1:  # the log went while this reader was cut off from it
            self.since = max(self.since, through(self._last))
            if told := await self._catch_up(record, first, at_rest=False):
                yield told
        yield self._render(batch)

    def _render(self, batch: list[Stored]) -> Iterator[Encoded]:
        for stored in batch:
            number, at_ms = stored.place.seq, stored.event.at_ms
            for seq, frame in numbered(number, self._rendering.frames(stored.event)):
                if seq > self.since and self.asked.covers(frame.method, frame.namespace, frame.data):
                    yield frame.encode(seq, str(seq), at_ms)
            self._last = number

    async def _catch_up(self, record: ThreadRecord, first: int, *, at_rest: bool) -> list[Encoded]:
        """What stands in for events that the log does not hold any more: the state as it is."""
        seq = through(first - 1)
        frames = [self._gap(seq)] if self.since else []
        frames += await self._snapshot(record, at_rest=at_rest)
        self.since = 0  # a cursor ahead of the log belongs to a thread that is gone
        covers = self.asked.covers
        return stand_in(seq, [one for one in frames if covers(one.method, one.namespace, one.data)])

    def _gap(self, seq: int) -> Frame:
        return Frame("gap", [], {"since": self.since, "through": seq})

    async def _snapshot(self, record: ThreadRecord, *, at_rest: bool) -> list[Frame]:
        """Who has the thread, and the values; at rest also what waits and how the last run ended.

        Nothing else will tell.
        """
        frames = [hold_told(self.platform.told(tell_hold(record.hold)))] if record.hold_known else []
        if not record.started:
            return frames
        if self.asked.covers("values", []) or self.asked.covers("checkpoints", []):
            state = await threads.standing(self.platform, record)
            frames += state_told(orjson.loads(self.platform.told(dump(state))))
        if at_rest:
            waiting = orjson.loads(self.platform.told(dump(record.interrupts)))
            frames += [requested(one) for several in waiting.values() for one in several]
            frames += self._standing(record)
        return frames

    def _standing(self, record: ThreadRecord) -> list[Frame]:
        match record.status:
            case "interrupted":
                return [lifecycle("interrupted", record.graph_id)]
            case "error":
                error = orjson.loads(self.platform.told(dump(record.error or {})))
                return [lifecycle("failed", record.graph_id, error=error.get("message", ""))]
        return []
