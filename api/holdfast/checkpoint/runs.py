"""What the platform asks of a checkpointer beyond LangGraph's interface."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple, Self, cast

from langgraph._internal._serde import build_serde_allowlist
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.types import ERROR
from langgraph.pregel import Pregel

from holdfast.redis.checkpoints import Loaded


class Put(NamedTuple):
    """A checkpoint that was stored: what it follows, at which step of its run, and what made it."""

    checkpoint_id: str = ""
    parent_id: str = ""
    step: int = 0
    source: str = ""


class RunSaver(BaseCheckpointSaver[str]):
    """A checkpointer that can be handed to graphs and runs.

    `newest_put` is the newest checkpoint of the graph itself that was stored through it, where this
    is known.
    """

    newest_put: Put = Put()

    def for_graph(self, graph: Pregel[Any, Any, Any, Any]) -> Self:
        """The same saver, which may also load the types named in the schemas of this graph."""
        return cast("Self", self.with_allowlist(state_types(graph)))

    def for_run(self, token: str) -> Self:
        """The saver to use in the run that holds `token`; the same one where writes cannot be fenced."""
        return self

    def begin_with(self, thread_id: str, found: Loaded) -> None:
        """Takes what was found when the thread was claimed for its newest state.

        Until the run writes, nobody does: what is read meanwhile is read once.
        """

    def passing(self, ttl_s: int) -> Self:
        """The same saver for threads that expire so long after their last write, where it can do that."""
        return self

    def revoke(self) -> None:
        """Refuses every further write of this run, where writes can be fenced."""

    async def forget_run(self, thread_id: str, run_id: str) -> None:
        """Removes the checkpoints of a run on this thread."""
        await self.adelete_for_runs([run_id])


def was_cancelled(writes: Sequence[tuple[str, Any]]) -> bool:
    """Whether a task was cut off: it has not written what it was to write, nor was it answered."""
    return any(channel == ERROR and isinstance(value, asyncio.CancelledError) for channel, value in writes)


def state_types(graph: Pregel[Any, Any, Any, Any]) -> set[tuple[str, ...]]:
    """(module, name) of the classes that the state of a graph and its subgraphs is declared to hold."""
    found: set[tuple[str, ...]] = set()
    subgraphs = [each for _, each in graph.get_subgraphs(recurse=True) if isinstance(each, Pregel)]
    for each in (graph, *subgraphs):
        schemas = list(getattr(getattr(each, "builder", None), "schemas", ()))
        # LangGraph's own reading of schemas; it does this by itself only under LANGGRAPH_STRICT_MSGPACK.
        found |= build_serde_allowlist(schemas=schemas, channels=dict(each.channels))
    return found
