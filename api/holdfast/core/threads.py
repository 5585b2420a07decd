"""Threads: made, read, changed and deleted; their state read and written."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel
from langgraph.types import StateSnapshot
from uuid_utils.compat import uuid7

from holdfast.auth.rules import Action
from holdfast.core import answers
from holdfast.core.platform import Platform
from holdfast.core.states import EMPTY_STATE, describe_interrupt, describe_state
from holdfast.errors import BadRequest, Fenced, HoldfastError, ThreadBusy, ThreadExists, ThreadNotFound, words
from holdfast.events import describe_config, dump
from holdfast.lifetimes import signed, strategy_of
from holdfast.limits import check_messages, check_metadata
from holdfast.redis import lua, states, timers
from holdfast.redis.records import Caller, ThreadRecord, metadata_fields, read_thread, timestamp_us
from holdfast.wire.common import CheckpointAddress
from holdfast.wire.threads import (
    HistoryRead,
    StateUpdate,
    ThreadCreate,
    ThreadPatch,
)

Graph = Pregel[Any, Any, Any, Any]
Begin = Callable[[str], Awaitable[lua.History]]
PRUNE = "prune"  # the kind of timer that rings when older checkpoints are to go


def missing(thread_id: str) -> ThreadNotFound:
    return ThreadNotFound(f"Thread with ID {thread_id} not found")


async def find(
    platform: Platform, caller: Caller, thread_id: str, action: Action = "read", **value: Any
) -> ThreadRecord:
    """The thread's record, for a caller who may do this to it.

    Raises `ThreadNotFound`, also when it is somebody else's, and what the project's rules raise.
    """
    caller = await platform.rules.admit(caller, "threads", action, {"thread_id": thread_id, **value})
    return await read_record(platform, caller, thread_id)


async def read_record(platform: Platform, caller: Caller, thread_id: str) -> ThreadRecord:
    """As `find`, for a caller whom the project's rules have admitted."""
    stored = await lua.read_thread(platform.client, platform.keys, thread_id, caller)
    thread = read_thread(thread_id, stored) if stored else None
    if thread is None or not caller.may_use(thread):
        raise missing(thread_id)
    return thread


async def admit(
    platform: Platform, caller: Caller, thread_id: str, action: Action, value: dict[str, Any]
) -> Caller:
    """As `find`, for what a script does: the rest of the question, whose the thread is, it asks itself."""
    caller = await platform.rules.admit(caller, "threads", action, value)
    return caller.on(await find(platform, caller, thread_id)) if caller.conditions else caller


async def create(
    platform: Platform, caller: Caller, asked: ThreadCreate, begin: Begin | None = None
) -> ThreadRecord:
    """Makes a thread; what it is to `begin` with is made when the project's rules have agreed."""
    thread_id = asked.thread_id or str(uuid7())
    metadata = asked.metadata or {}
    value: dict[str, Any] = {"thread_id": thread_id, "metadata": metadata, "if_exists": asked.if_exists}
    caller = await platform.rules.admit(caller, "threads", "create", value)
    history = await begin(thread_id) if begin else lua.NO_HISTORY
    try:
        stored = await lua.create_thread(
            platform.client,
            platform.keys,
            thread_id,
            caller,
            now=datetime.now(UTC),
            metadata=value["metadata"] or {},
            ttl_minutes=signed(asked.ttl.ttl, asked.ttl.strategy) if asked.ttl else None,
            default_ttl_s=platform.project.ttl_s,
            history=history,
        )
    except ThreadExists:
        if asked.if_exists == "raise":
            raise
        try:
            return await find(platform, caller, thread_id)
        except ThreadNotFound:
            raise ThreadExists(f"Thread with ID {thread_id} already exists") from None
    return read_thread(thread_id, stored)


async def patch(platform: Platform, caller: Caller, thread_id: str, asked: ThreadPatch) -> None:
    """A new `ttl` begins now. Raises `Invalid` when the thread's metadata would become too large."""
    value: dict[str, Any] = {"thread_id": thread_id, "metadata": asked.metadata or {}}
    caller = await admit(platform, caller, thread_id, "update", value)
    metadata = value["metadata"] or {}
    if metadata:
        before = (await read_record(platform, caller, thread_id)).metadata
        check_metadata({**before, **metadata})
    fields = [*metadata_fields(metadata), "updated_at", timestamp_us(datetime.now(UTC))]
    minutes = signed(asked.ttl.ttl, asked.ttl.strategy) if asked.ttl else 0
    if minutes:
        fields += ("ttl", str(minutes))
    await lua.update_thread(platform.client, platform.keys, thread_id, caller, fields)
    if minutes:
        await keep_for(platform, caller, thread_id, round(minutes * 60))


async def keep_for(platform: Platform, caller: Caller, thread_id: str, ttl_s: int) -> None:
    thread = await read_record(platform, caller, thread_id)
    now_s, keep_s = kept_s(platform, thread), platform.settings.events_keep_s
    await lua.lapse(
        platform.client, platform.keys, thread_id, thread.tenant, ttl_s, now_s=now_s, keep_s=keep_s
    )


async def delete(platform: Platform, caller: Caller, thread_id: str) -> None:
    """Deletes the thread and all that belongs to it, also while a run is active."""
    thread = await find(platform, caller, thread_id, "delete")
    await remove(platform, thread_id, thread.tenant)


async def remove(platform: Platform, thread_id: str, tenant: str) -> None:
    """The same, asking nobody; also of what is left where there is no such thread."""
    await lua.delete_thread(platform.client, platform.keys, thread_id, tenant)
    if platform.foreign_checkpointer:
        await platform.checkpointer.adelete_thread(thread_id)


# what a client sees


def describe(thread: ThreadRecord, values: Any = None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "thread_id": thread.thread_id,
        "created_at": thread.created_at.isoformat(),
        "updated_at": thread.updated_at.isoformat(),
        "state_updated_at": thread.state_updated_at.isoformat(),
        "metadata": thread.metadata,
        "status": thread.status,
        "config": {"configurable": {}, **thread.config} if thread.started else {},
        "values": values,
    }
    if thread.started:
        shown["error"] = thread.error
        shown["interrupts"] = {
            task: [{key: value for key, value in one.items() if value is not None} for one in interrupts]
            for task, interrupts in thread.interrupts.items()
        }
    if thread.hold:
        shown["hold"] = thread.hold
    return shown


async def read(
    platform: Platform, caller: Caller, thread_id: str, include: Collection[str] = ()
) -> dict[str, Any]:
    """The thread, with what else is asked for: `ttl`, where it has one."""
    thread = await find(platform, caller, thread_id)
    shown = await show(platform, thread)
    return {**shown, **await describe_ttl(platform, thread)} if "ttl" in include else shown


async def show(platform: Platform, thread: ThreadRecord) -> dict[str, Any]:
    return describe(thread, await values(platform, thread))


async def describe_ttl(platform: Platform, thread: ThreadRecord) -> dict[str, Any]:
    """How long the thread is kept, and until when where nothing holds it."""
    minutes = thread.ttl_minutes or platform.project.ttl_s / 60
    if not minutes:
        return {}
    client, keys, thread_id = platform.client, platform.keys, thread.thread_id
    if minutes > 0:
        until_ms = await client.call("PEXPIRETIME", keys.thread(thread_id))
    else:
        until_ms = await timers.due_ms(client, keys, keys.lane(thread_id), PRUNE, thread_id)
    waits = until_ms > 0 and thread.status != "busy"
    expires_at = datetime.fromtimestamp(until_ms / 1000, UTC).isoformat() if waits else None
    ttl = {"strategy": strategy_of(minutes), "ttl_minutes": abs(minutes), "expires_at": expires_at}
    return {"ttl": ttl}


async def values(platform: Platform, thread: ThreadRecord) -> Any:
    """The thread's values; None before its first run."""
    if not thread.started or thread.graph_id not in platform.project.graphs:
        return None
    return (await snapshot(platform, thread)).values or None


# state


@asynccontextmanager
async def opened(platform: Platform, thread: ThreadRecord) -> AsyncIterator[Graph]:
    """The thread's graph on a checkpointer that accepts changes only while no run is active."""
    if thread.graph_id is None:
        raise BadRequest(
            f"Thread '{thread.thread_id}' has no assigned graph ID: run a graph on it first, or set graph_id "
            "in its metadata."
        )
    async with opened_as(platform, thread.thread_id, thread.graph_id) as graph:
        yield graph


@asynccontextmanager
async def opened_as(platform: Platform, thread_id: str, graph_id: str) -> AsyncIterator[Graph]:
    """The same for one of the graphs that have run on the thread."""
    spec = platform.project.graph(graph_id)
    async with spec.open({"configurable": {"thread_id": thread_id}}) as graph:
        yield graph.copy(update={"checkpointer": platform.saver(graph_id, graph)})


def address(thread_id: str, checkpoint_id: str | None = None, namespace: str = "") -> RunnableConfig:
    configurable: dict[str, Any] = {"thread_id": thread_id, "checkpoint_ns": namespace}
    if checkpoint_id:
        configurable["checkpoint_id"] = checkpoint_id
    return {"configurable": configurable}


async def snapshot(
    platform: Platform, thread: ThreadRecord, config: RunnableConfig | None = None, *, subgraphs: bool = False
) -> StateSnapshot:
    at = config or address(thread.thread_id)
    async with opened(platform, thread) as graph:
        try:
            return await graph.aget_state(at, subgraphs=subgraphs)
        except HoldfastError:
            raise
        except Exception:  # what a failed step left may be nothing the reducers take
            async for kept in graph.aget_state_history(at, limit=1):  # it is not applied here
                return kept
            raise


async def state(
    platform: Platform,
    caller: Caller,
    thread_id: str,
    checkpoint_id: str | None = None,
    namespace: str = "",
    *,
    subgraphs: bool = False,
) -> dict[str, Any]:
    thread = await find(platform, caller, thread_id)
    if thread.graph_id is None:
        return EMPTY_STATE
    config = address(thread_id, checkpoint_id, namespace)
    found = await snapshot(platform, thread, config, subgraphs=subgraphs)
    return describe_state(found)


async def standing(platform: Platform, thread: ThreadRecord) -> dict[str, Any]:
    """The thread's state as it is now; an empty one where its graph is not served any more."""
    if thread.graph_id not in platform.project.graphs:
        return EMPTY_STATE
    return describe_state(await snapshot(platform, thread))


async def update_state(
    platform: Platform, caller: Caller, thread_id: str, asked: StateUpdate
) -> dict[str, Any]:
    """Writes values as if a node had returned them. Raises `ThreadBusy` while a run is active."""
    check_messages(platform.settings, asked.values)
    thread = await find(platform, caller, thread_id, "update")
    if thread.status == "busy":
        raise ThreadBusy
    at = asked.checkpoint or CheckpointAddress()
    config = address(thread_id, asked.checkpoint_id or at.checkpoint_id, at.checkpoint_ns)
    if at.checkpoint_map:
        config["configurable"]["checkpoint_map"] = at.checkpoint_map
    config["metadata"] = {"graph_id": thread.graph_id}
    async with opened(platform, thread) as graph:
        with explained():
            written = await graph.aupdate_state(config, asked.values, as_node=asked.as_node)
    checkpoint_id = written["configurable"]["checkpoint_id"]
    await note_state(platform, caller.on(thread), thread_id, mark=checkpoint_id)
    checkpoint = describe_config(dict(written))
    return {"checkpoint": checkpoint, "configurable": checkpoint, "checkpoint_id": checkpoint_id}


@contextmanager
def explained() -> Iterator[None]:
    """Whatever goes wrong where a state is written, as a refusal: it is the graph's own reducers at work."""
    try:
        yield
    except Fenced:
        raise ThreadBusy from None
    except HoldfastError:
        raise
    except Exception as error:  # whatever they raise
        raise BadRequest(words(error) or f"The graph refuses it: {type(error).__name__}.") from error


async def note_state(platform: Platform, caller: Caller, thread_id: str, mark: str) -> None:
    """Brings the thread's record and its readers in step with a state that was written from outside a run."""
    noted = False
    while not noted:  # what is logged meanwhile may have changed the state that was read
        thread = await read_record(platform, caller, thread_id)
        told = tell(platform, thread_id, await snapshot(platform, thread))
        noted = await states.note_state(
            platform.client,
            platform.keys,
            thread_id,
            caller,
            told,
            mark=mark,
            seq=thread.seq,
            now=datetime.now(UTC),
            ttl_s=kept_s(platform, replace(thread, interrupts=told.interrupts)),
            keep_s=platform.settings.events_keep_s,
        )


def tell(platform: Platform, thread_id: str, found: StateSnapshot) -> states.Told:
    status = "interrupted" if found.tasks else "idle"
    interrupts = {
        task.id: [describe_interrupt(one) for one in task.interrupts]
        for task in found.tasks
        if task.interrupts
    }
    waiting = [one for of_task in interrupts.values() for one in of_task]
    return states.Told(
        status,
        interrupts,
        platform.told(dump({"state": describe_state(found), "thread_id": thread_id})),
        platform.told(dump({"status": status, "interrupts": waiting})),
    )


def kept_s(platform: Platform, thread: ThreadRecord) -> int:
    """How long the thread is kept at rest: for ever while an approval waits."""
    if any(one.policy for one in answers.pending(thread)):
        return 0
    return platform.project.ttl_s if thread.ttl_minutes is None else round(thread.ttl_minutes * 60)


async def history(
    platform: Platform, caller: Caller, thread_id: str, asked: HistoryRead
) -> list[dict[str, Any]]:
    thread = await find(platform, caller, thread_id)
    if thread.graph_id is None:
        return []
    at = asked.checkpoint or CheckpointAddress()
    config = address(thread_id, at.checkpoint_id, at.checkpoint_ns)
    before = address(thread_id, checkpoint_of(asked.before)) if asked.before else None
    metadata = dict(asked.metadata or {})
    if metadata.get("thread_id") == thread_id:  # shown with each, and kept with none
        del metadata["thread_id"]
    async with opened(platform, thread) as graph:
        found = graph.aget_state_history(config, filter=metadata, before=before, limit=asked.limit)
        return [describe_state(one) async for one in found]


def checkpoint_of(before: str | dict[str, Any]) -> str:
    """The checkpoint id in any of the forms that clients send: the id, a checkpoint, or a config."""
    if isinstance(before, str):
        return before
    configurable = before.get("configurable")
    inner = configurable if isinstance(configurable, dict) else {}
    found = before.get("checkpoint_id") or inner.get("checkpoint_id")
    if not isinstance(found, str):
        raise BadRequest("`before` names no checkpoint_id.")
    return found
