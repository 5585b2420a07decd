"""The history of threads: those made with one or as a copy of another, and what is pruned of it."""

from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson
from langgraph.types import StateUpdate
from uuid_utils.compat import uuid7

from holdfast.core import answers, approvals, inspection, threads, transfers
from holdfast.core.platform import Platform
from holdfast.errors import (
    BadRequest,
    Conflict,
    Fenced,
    HoldfastError,
    NothingToCopy,
    ThreadBusy,
    ThreadExists,
    ThreadNotFound,
)
from holdfast.events import dump
from holdfast.limits import check_messages, check_metadata
from holdfast.project import GraphSpec
from holdfast.redis.checkpoints import Fields
from holdfast.redis.lua import History
from holdfast.redis.records import METADATA, Caller, ThreadRecord, timestamp_us
from holdfast.redis.timers import Timer
from holdfast.redis.transfers import Contents, read_contents, write_contents
from holdfast.wire.commands import read_command
from holdfast.wire.threads import SuperstepUpdate, ThreadCreate, ThreadsPrune

NO_GRAPH = "supersteps need a graph: name it as graph_id in the thread's metadata."
# What a copy has not in common with its thread: what passes, who has taken it over, and what it gets anew.
APART = transfers.PASSING | {b"hold", b"noted"}
MOMENTS = (b"created_at", b"updated_at", b"state_updated_at")
PASSING_S = 600  # longer than it takes to make a history

Steps = list[list[StateUpdate]]

# made with a history


async def create(platform: Platform, caller: Caller, asked: ThreadCreate) -> ThreadRecord:
    """A thread, and the history that its supersteps make: all of it or no thread.

    One that was there before, under `if_exists=do_nothing`, stays as it is. Raises `BadRequest` for what the
    graph does not take. Where another checkpointer keeps the history, a thread has it step by step.
    """
    if not asked.supersteps:
        return await threads.create(platform, caller, asked)
    graph_id = (asked.metadata or {}).get("graph_id")
    if not isinstance(graph_id, str):
        raise BadRequest(NO_GRAPH)
    spec = platform.project.graph(graph_id)
    for update in (update for step in asked.supersteps for update in step.updates):
        check_messages(platform.settings, update.values, update.command and update.command.update)
    steps = [[read_update(update) for update in step.updates] for step in asked.supersteps]
    foreign = platform.foreign_checkpointer
    begin = None if foreign else partial(prepare, platform, spec, steps)
    try:
        thread = await threads.create(
            platform, caller, asked.model_copy(update={"if_exists": "raise"}), begin
        )
    except ThreadExists:
        if asked.if_exists == "raise":
            raise
        return await threads.create(platform, caller, asked)
    caller = caller.on(thread)
    if foreign:
        await fill(platform, caller, thread, steps)
    await threads.note_state(platform, caller, thread.thread_id, mark=str(uuid7()))
    return await threads.read_record(platform, caller, thread.thread_id)


async def prepare(platform: Platform, spec: GraphSpec, steps: Steps, thread_id: str) -> History:
    """What the steps make of a thread, made on another one, which nobody sees and which passes by itself."""
    elsewhere = str(uuid7())
    at = threads.address(elsewhere)
    async with spec.open({"configurable": {"thread_id": thread_id}}) as opened:
        saver = platform.saver(spec.graph_id, opened).passing(PASSING_S)
        graph = opened.copy(update={"checkpointer": saver})
        try:
            with threads.explained():
                await graph.abulk_update_state(at, steps)
            told = threads.tell(platform, thread_id, await graph.aget_state(at))
            made = await read_contents(platform.client, platform.keys, elsewhere)
        finally:
            await saver.adelete_thread(elsewhere)
    return History(made.checkpoints, ("status", told.status, "interrupts", dump(told.interrupts)))


async def fill(platform: Platform, caller: Caller, thread: ThreadRecord, steps: Steps) -> None:
    try:
        async with threads.opened(platform, thread) as graph:
            with threads.explained():
                await graph.abulk_update_state(threads.address(thread.thread_id), steps)
    except HoldfastError:
        await threads.delete(platform, caller, thread.thread_id)
        raise


def read_update(update: SuperstepUpdate) -> StateUpdate:
    command = update.command
    values: Any = update.values if command is None else read_command(command.model_dump(exclude_unset=True))
    return StateUpdate(values, update.as_node)


# copied


async def copy(platform: Platform, caller: Caller, thread_id: str) -> ThreadRecord:
    """A thread of the same owner with the same history, and no runs. What waits there waits here too.

    Raises `NothingToCopy` when there is no such thread, and `Conflict` where another checkpointer keeps the
    checkpoints.
    """
    transfers.check_checkpointer(platform)
    try:
        thread = await threads.find(platform, caller, thread_id)
    except ThreadNotFound:
        raise NothingToCopy from None
    target = str(uuid7())
    value: dict[str, Any] = {"thread_id": target, "metadata": dict(thread.metadata), "if_exists": "raise"}
    await platform.rules.admit(caller, "threads", "create", value)
    check_metadata(value["metadata"] or {})
    contents = await read_contents(platform.client, platform.keys, thread_id)
    if not contents.record or not is_of(transfers.read_record(thread_id, contents), thread):
        raise NothingToCopy  # it was deleted meanwhile
    made = Contents(copied(contents.record, value["metadata"] or {}), {}, contents.checkpoints)
    record = transfers.read_record(target, made)
    ttl_s = transfers.time_to_live(platform, record)
    if not await write_contents(platform.client, platform.keys, target, made, ttl_s=ttl_s):
        raise ThreadExists
    for one in answers.pending(record):
        if one.policy:
            await approvals.kept(platform, record, one)
    return record


def is_of(found: ThreadRecord, thread: ThreadRecord) -> bool:
    return (found.tenant, found.owner, found.created_at) == (thread.tenant, thread.owner, thread.created_at)


def copied(record: Fields, metadata: dict[str, Any]) -> Fields:
    """The record of a thread under another id: made now, at rest, in nobody's hands."""
    now = str(timestamp_us(datetime.now(UTC))).encode()
    own = {(METADATA + key).encode(): orjson.dumps(value) for key, value in metadata.items()}
    kept = {
        field: value
        for field, value in record.items()
        if field not in APART and not field.startswith(METADATA.encode())
    }
    return transfers.at_rest({**kept, **dict.fromkeys(MOMENTS, now), **own})


# pruned


async def prune(platform: Platform, caller: Caller, asked: ThreadsPrune) -> int:
    """Deletes threads, or all but the last checkpoint of each; how many there were.

    What is not there, and what needs its older checkpoints at the moment, stays as it is.
    """
    pruned = 0
    for thread_id in dict.fromkeys(asked.thread_ids):
        with suppress(ThreadNotFound, Fenced, Conflict):
            if asked.strategy == "delete":
                await threads.delete(platform, caller, thread_id)
            else:
                await forget_older(platform, caller, thread_id)
            pruned += 1
    return pruned


async def compact(platform: Platform, timer: Timer) -> None:
    """What the clock does when a thread has been at rest as long as its older checkpoints are kept.

    One that is at work begins its time anew when it rests.
    """
    thread = await inspection.find(platform, timer.id)
    if thread is None or thread.status == "busy":
        return
    with suppress(Fenced, Conflict):
        await platform.checkpointer.aprune([timer.id], strategy="keep_latest")


async def forget_older(platform: Platform, caller: Caller, thread_id: str) -> None:
    thread = await threads.find(platform, caller, thread_id, "delete")
    if thread.status == "busy":
        raise ThreadBusy
    await platform.checkpointer.aprune([thread_id], strategy="keep_latest")
