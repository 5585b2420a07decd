"""Commands of protocol v3 about a thread's states: read one, list them, go on from one."""

from typing import Any

from holdfast.core import threads
from holdfast.core.platform import Platform
from holdfast.errors import NotFound
from holdfast.redis.records import Caller
from holdfast.wire.common import CheckpointAddress
from holdfast.wire.protocol import StateFork, StateGet, StateList
from holdfast.wire.threads import HistoryRead

Answer = dict[str, Any]


class NoSuchCheckpoint(NotFound):
    """No such checkpoint on this thread."""

    code = "no_such_checkpoint"


class NoSuchNamespace(NotFound):
    """Nothing is kept of a graph of this name inside."""

    code = "no_such_namespace"


async def get(platform: Platform, caller: Caller, thread_id: str, asked: StateGet) -> Answer:
    namespace = "|".join(asked.namespace)
    state = await threads.state(platform, caller, thread_id, namespace=namespace)
    if namespace and not state["checkpoint_id"]:
        raise NoSuchNamespace
    values = state["values"] or {}
    if asked.keys is not None:
        values = {key: values[key] for key in asked.keys if key in values}
    checkpoint = {"id": state["checkpoint_id"], "ns": namespace} if state["checkpoint_id"] else None
    return {"values": values, **({"checkpoint": checkpoint} if checkpoint else {})}


async def list_checkpoints(platform: Platform, caller: Caller, thread_id: str, asked: StateList) -> Answer:
    """The newest first."""
    wanted = HistoryRead(
        limit=asked.limit,
        before=asked.before,
        checkpoint=CheckpointAddress(checkpoint_ns="|".join(asked.namespace)),
    )
    found = await threads.history(platform, caller, thread_id, wanted)
    return {"checkpoints": [summary(state) for state in found]}


def summary(state: Answer) -> Answer:
    metadata = state["metadata"] or {}
    return {
        "id": state["checkpoint_id"],
        "timestamp": state["created_at"],
        "step": metadata.get("step", 0),
        "metadata": metadata,
    }


async def fork(platform: Platform, caller: Caller, thread_id: str, asked: StateFork) -> Answer:
    """What a run is to be started with. Raises `NoSuchCheckpoint`."""
    thread = await threads.find(platform, caller, thread_id)
    state = await threads.state(platform, caller, thread_id, asked.checkpoint_id)
    if state["metadata"] is None:
        raise NoSuchCheckpoint
    return {
        "assistant_id": thread.metadata.get("assistant_id") or thread.graph_id or "",
        "checkpoint_id": asked.checkpoint_id,
        "input": asked.input,
        **({"config": asked.config} if asked.config else {}),
    }
