"""Runs: created, followed to their answer, listed, cancelled and deleted."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any

import orjson
from structlog.contextvars import bind_contextvars

from holdfast.core import approvals, assistants, pauses, threads
from holdfast.core.following import START, Followed, Result, result, with_interrupts
from holdfast.core.once import read_once, thread_for
from holdfast.core.platform import Platform
from holdfast.core.racing import again
from holdfast.core.requests import about, admit, new_request, put_in_line
from holdfast.core.webhooks.events import addresses
from holdfast.errors import BadRequest, Conflict, RunNotFound, ThreadNotFound
from holdfast.events import dump
from holdfast.limits import check_messages, check_tokens
from holdfast.redis import lua
from holdfast.redis.assistants import AssistantRecord
from holdfast.redis.lua import Most, Place
from holdfast.redis.records import Caller, RunRecord, ThreadRecord, read_run, run_fields, run_metadata
from holdfast.wire.runs import RunCreate, RunCreateStateless

NO_STAMP: Mapping[str, Any] = MappingProxyType({})
HELD_MS = 366 * 24 * 3600 * 1000  # who holds a run back begins it, or takes it away, long before


@dataclass(slots=True)
class Created:
    """A run that was put in line, or that an earlier request under the same Idempotency-Key has made.

    `caller` has been admitted to the run: what goes with it, as its end with the client, needs no leave.
    """

    caller: Caller
    record: RunRecord
    place: Place
    resumable: bool
    modes: frozenset[str] = field(default_factory=frozenset)
    new: bool = True


# creating


async def create(
    platform: Platform,
    caller: Caller,
    thread_id: str,
    asked: RunCreate,
    key: str | None = None,
    *,
    assistant: AssistantRecord | None = None,
    stamp: Mapping[str, Any] = NO_STAMP,
) -> Created:
    """Puts a run in line, once for each Idempotency-Key `key`; of the assistant that it names, or of that.

    See `submit` for the stamp, `lua.submit` and `approvals.read_resume` for what it raises.
    """
    once = read_once(caller, thread_id, asked, key)
    create_thread = asked.if_not_exists == "create"
    try:
        return await submit(
            platform,
            caller,
            thread_id,
            asked,
            create_thread=create_thread,
            once=once,
            stamp=stamp,
            assistant=assistant,
        )
    except lua.AlreadyMade as made:
        return await made_before(platform, caller, thread_id, made.run_id)


async def create_stateless(
    platform: Platform,
    caller: Caller,
    thread_id: str,
    asked: RunCreateStateless,
    key: str | None = None,
    *,
    stamp: Mapping[str, Any] = NO_STAMP,
    held: bool = False,
) -> Created:
    """Puts a run in line on a new thread, which goes with the run unless `on_completion` is `keep`."""
    if asked.command and asked.command.resumes:
        raise BadRequest("You must provide a thread_id when resuming.")
    once = read_once(caller, thread_id, asked, key)
    try:
        return await submit(
            platform, caller, thread_id, asked, create_thread=True, once=once, stamp=stamp, held=held
        )
    except lua.AlreadyMade as made:
        return await made_before(platform, caller, thread_id, made.run_id)


async def made_before(platform: Platform, caller: Caller, thread_id: str, run_id: str) -> Created:
    try:
        record = await get(platform, caller, thread_id, run_id)
    except RunNotFound:
        raise Conflict("The run that was made under this Idempotency-Key has ended and is gone.") from None
    asked = record.request["kwargs"]
    modes = frozenset(asked["stream_mode"])
    return Created(caller, record, START, bool(asked["resumable"]), modes, new=False)


async def submit(
    platform: Platform,
    caller: Caller,
    thread_id: str,
    asked: RunCreateStateless,
    *,
    create_thread: bool,
    once: lua.Once | None = None,
    stamp: Mapping[str, Any] = NO_STAMP,
    assistant: AssistantRecord | None = None,
    held: bool = False,
) -> Created:
    """`stamp` is what only the server may say of a run's request; a `held` one does not begin by itself."""
    check_messages(platform.settings, asked.input, asked.command and asked.command.update)
    if once:  # what was answered, or deleted, since it was first sent would read as one that comes too late
        await lua.check_once(platform.client, platform.keys, thread_id, once)
    assistant = assistant or await assistants.resolve(platform, caller, asked.assistant_id)
    await check_tokens(platform.client, platform.keys, caller, platform.settings.daily_tokens_of_caller)
    if asked.webhook:
        platform.targets.check(asked.webhook)
    request = {**new_request(thread_id, asked, assistant, caller), **stamp}
    after_s = asked.after_seconds or 0
    caller = await admit(platform, caller, request, after_s=after_s, create_thread=create_thread)
    own = None if platform.project.http.disable_webhooks else request["kwargs"].get("webhook")
    if told := addresses(platform.settings, "run.ended", own):
        request["webhooks"] = told
    bind_contextvars(thread_id=thread_id, run_id=request["run_id"])
    delay_ms = HELD_MS if held else round(after_s * 1000)
    how: dict[str, Any] = {"create_thread": create_thread, "once": once, "delay_ms": delay_ms}
    attempt = again(partial(submit_once, platform, caller, request, asked, **how))
    place = await approvals.showing(platform, thread_id, attempt)
    now = datetime.fromisoformat(request["created_at"])
    record = RunRecord(request["run_id"], thread_id, request, "pending", now, now, 0, "")
    return Created(caller, record, place, asked.stream_resumable, frozenset(asked.stream_mode))


async def on_disk(platform: Platform, created: Created) -> bool:
    """Waits until what the run decides is on the server's disk; True also where it decides nothing."""
    record = created.record
    return not record.request.get("decisions") or await platform.disk.reached(record.thread_id)


async def submit_once(
    platform: Platform,
    caller: Caller,
    request: dict[str, Any],
    asked: RunCreateStateless,
    *,
    create_thread: bool,
    once: lua.Once | None,
    delay_ms: int,
) -> Place:
    """Raises `Raced` when a request that the run answers was changed since it was read here."""
    thread_id = request["thread_id"]
    answers = await read_answers(platform, caller, thread_id, asked, create_thread=create_thread)
    if answers is not None:
        request |= {"resume": answers.resume, "decisions": answers.decisions}
        request.setdefault("task", await pauses.task_of(platform, thread_id, answers.asked_in))
    submission = lua.Submission(
        thread_id,
        request["run_id"],
        request,
        caller,
        datetime.fromisoformat(request["created_at"]),
        create=create_thread,
        metadata={name: request[name] for name in ("graph_id", "assistant_id")},
        config=asked.config.model_dump(exclude_none=True, exclude={"configurable"}) if asked.config else {},
        answers=list(answers.resume) if answers and is_strict(asked) else (),
        delay_ms=delay_ms,
        most=bounds(platform),
        once=once,
        ballots=answers.ballots if answers else (),
    )
    return await put_in_line(platform, submission)


def bounds(platform: Platform) -> Most:
    settings = platform.settings
    return Most(settings.max_runs, settings.max_runs_of_tenant, settings.max_runs_of_caller)


def is_strict(asked: RunCreateStateless) -> bool:
    return isinstance(asked, RunCreate) and asked.strict_resume


async def read_answers(
    platform: Platform, caller: Caller, thread_id: str, asked: RunCreateStateless, *, create_thread: bool
) -> approvals.Answers | None:
    if asked.command is None or not asked.command.resumes:
        return None
    strict = is_strict(asked)
    try:
        thread = await threads.find(platform, caller, thread_id)
    except ThreadNotFound:
        if strict or not create_thread:
            raise
        return approvals.Answers()
    return await approvals.read_resume(platform, caller, thread, asked.command.resume, strict=strict)


# following


async def follow_new(
    platform: Platform, caller: Caller, thread_id: str, asked: RunCreate, key: str | None = None
) -> tuple[Created, Followed]:
    """Creates a run and follows it from its first event."""
    return await followed_from_start(
        platform, thread_id, lambda: create(platform, caller, thread_id, asked, key)
    )


async def follow_stateless(
    platform: Platform, caller: Caller, asked: RunCreateStateless, key: str | None = None
) -> tuple[Created, Followed]:
    thread_id = thread_for(caller, key)
    return await followed_from_start(
        platform, thread_id, lambda: create_stateless(platform, caller, thread_id, asked, key)
    )


async def followed_from_start(
    platform: Platform, thread_id: str, make: Callable[[], Awaitable[Created]]
) -> tuple[Created, Followed]:
    """Subscribes before the run exists, so that nothing is missed."""
    reader = await platform.hub.join(thread_id)
    try:
        created = await make()
    except BaseException:
        await platform.hub.leave(thread_id, reader)
        raise
    return created, Followed(
        platform,
        thread_id,
        created.record.run_id,
        created.place,
        reader,
        created.modes,
        created.resumable,
        not created.record.active,
        logged=not created.new,
    )


async def answer(platform: Platform, caller: Caller, created: Created, followed: Followed) -> Result:
    """The values of a run that was just made, or made by an earlier request under the same key."""
    if not followed.ended:
        found, _ = await asyncio.gather(result(followed), on_disk(platform, created))
        return found
    await followed.close()
    return await join(platform, caller, created.record.thread_id, created.record.run_id)


async def follow(
    platform: Platform, caller: Caller, thread_id: str, run_id: str, *, after: Place | None = START
) -> tuple[RunRecord, Followed]:
    """Follows a run that exists, from a place in the log; None is the place it has reached now."""
    caller = await threads.admit(platform, caller, thread_id, "read", about(thread_id, run_id))
    reader = await platform.hub.join(thread_id)
    try:
        record = await get(platform, caller, thread_id, run_id)
        thread = await threads.find(platform, caller, thread_id)
    except BaseException:
        await platform.hub.leave(thread_id, reader)
        raise
    start = Place(thread.epoch, thread.seq) if after is None else after
    asked = record.request["kwargs"]
    return record, Followed(
        platform,
        thread_id,
        run_id,
        start,
        reader,
        frozenset(asked["stream_mode"]),
        bool(asked["resumable"]),
        not record.active,
    )


async def join(platform: Platform, caller: Caller, thread_id: str, run_id: str) -> Result:
    """Waits for a run's end and gives its values, also when it ended long ago."""
    record, followed = await follow(platform, caller, thread_id, run_id)
    if record.active:
        return await result(followed)
    await followed.close()
    if record.error:
        return Result(b'{"__error__":' + platform.told(record.error.encode()) + b"}", record.status)
    thread = await threads.find(platform, caller, thread_id)
    return Result(platform.told(dump(await final_values(platform, thread))), record.status)


async def final_values(platform: Platform, thread: ThreadRecord) -> Any:
    """The values of a thread at rest, with what waits on it."""
    values = await threads.values(platform, thread) or {}
    waiting = [one for interrupts in thread.interrupts.values() for one in interrupts]
    return with_interrupts(values, waiting)


# reading and ending


async def get(platform: Platform, caller: Caller, thread_id: str, run_id: str) -> RunRecord:
    caller = await threads.admit(platform, caller, thread_id, "read", about(thread_id, run_id))
    values = await lua.read_run(platform.client, platform.keys, thread_id, run_id, caller)
    record = read_run(thread_id, run_id, values)
    if record is None:
        raise RunNotFound(f"Run with ID {run_id} not found")
    return record


async def list_runs(
    platform: Platform, caller: Caller, thread_id: str, *, limit: int, offset: int, status: str | None
) -> tuple[list[RunRecord], int]:
    """A page of the thread's runs, newest first, and how many there are."""
    await threads.find(platform, caller, thread_id, "search", metadata={}, limit=limit, offset=offset)
    ids = [
        id.decode()
        for id in await platform.client.call("ZREVRANGEBYLEX", platform.keys.run_order(thread_id), "+", "-")
    ]
    if status is None:
        total, ids = len(ids), ids[offset : offset + limit]
    found = await asyncio.gather(
        *(platform.client.call("HMGET", platform.keys.runs(thread_id), *run_fields(run_id)) for run_id in ids)
    )
    records = [
        record
        for run_id, values in zip(ids, found, strict=True)
        if (record := read_run(thread_id, run_id, values)) and status in (None, record.status)
    ]
    if status is None:
        return records, total
    return records[offset : offset + limit], len(records)


async def cancel(
    platform: Platform, caller: Caller, thread_id: str, run_id: str, *, action: str, wait: bool
) -> dict[str, Any]:
    """Asks for the run's end, and waits for it when told to: then says how it ended, and after which nodes.

    Raises `RunNotFound` for a run that has ended.
    """
    asked = about(thread_id, run_id, action=action)
    caller = await threads.admit(platform, caller, thread_id, "update", asked)
    record, followed = await follow(platform, caller, thread_id, run_id, after=None)
    try:
        now = datetime.now(UTC)
        await lua.cancel(platform.client, platform.keys, thread_id, caller.tenant, run_id, action, now)
        if wait and record.active:
            async for stored in followed.events():
                if stored.event.mode == "end":
                    end: dict[str, Any] = orjson.loads(stored.event.data)
                    return {key: end[key] for key in ("status", "finished_nodes") if key in end}
    finally:
        await followed.close()
    return {}


async def stop(platform: Platform, caller: Caller, thread_id: str, run_id: str) -> None:
    """Cancels the run of a client that has left."""
    await cancel(platform, caller, thread_id, run_id, action="interrupt", wait=False)


async def delete(platform: Platform, caller: Caller, thread_id: str, run_id: str) -> None:
    """Deletes a run; one that is active is cancelled first."""
    caller = await threads.admit(platform, caller, thread_id, "delete", about(thread_id, run_id))
    if (await get(platform, caller, thread_id, run_id)).active:
        with suppress(RunNotFound):  # it ended just now
            await cancel(platform, caller, thread_id, run_id, action="interrupt", wait=True)
    await lua.delete_run(platform.client, platform.keys, thread_id, run_id)


def describe(record: RunRecord) -> dict[str, Any]:
    request = record.request
    return {
        "run_id": record.run_id,
        "thread_id": record.thread_id,
        "assistant_id": request["assistant_id"],
        "metadata": run_metadata(request),
        "status": record.status,
        "kwargs": request["kwargs"],
        "multitask_strategy": request["multitask_strategy"],
        "created_at": record.created_at.isoformat(),
        "updated_at": record.updated_at.isoformat(),
        "langsmith_session_name": None,
    }
