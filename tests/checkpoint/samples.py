"""Checkpoints to store."""

from collections.abc import Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    empty_checkpoint,
)
from langgraph.checkpoint.base.id import uuid6


def at(thread_id: str, ns: str = "", checkpoint_id: str | None = None) -> RunnableConfig:
    configurable = {"thread_id": thread_id, "checkpoint_ns": ns}
    return {"configurable": configurable | ({"checkpoint_id": checkpoint_id} if checkpoint_id else {})}


def checkpoint(values: dict[str, Any], version: str = "1") -> Checkpoint:
    return {
        **empty_checkpoint(),
        "id": str(uuid6()),
        "channel_values": values,
        "channel_versions": dict.fromkeys(values, version),
    }


async def put(
    saver: BaseCheckpointSaver[str],
    config: RunnableConfig,
    values: dict[str, Any],
    *,
    version: str = "1",
    changed: Sequence[str] | None = None,
    **metadata: Any,
) -> RunnableConfig:
    """Stores a checkpoint with these values; all of them have changed unless said otherwise."""
    new = checkpoint(values, version)
    versions: ChannelVersions = dict.fromkeys(values if changed is None else changed, version)
    described: CheckpointMetadata = {"source": "loop", "step": 0, "parents": {}, **metadata}  # type: ignore[typeddict-item]
    return await saver.aput(config, new, described, versions)


async def state(saver: BaseCheckpointSaver[str], config: RunnableConfig) -> dict[str, Any]:
    """The values at a place; empty when nothing is there."""
    found = await saver.aget_tuple(config)
    return found.checkpoint["channel_values"] if found else {}
