"""The log must not undo the checkpointer: values that a checkpoint holds are not stored once more."""

from typing import TYPE_CHECKING, Any, cast

from langgraph.channels import UntrackedValue

from holdfast.events import dump
from holdfast.execute.opening import Graph

if TYPE_CHECKING:
    from holdfast.checkpoint import RunSaver

INTERRUPT = "__interrupt__"


class References:
    """Says which checkpoint holds a chunk of `values`, where one certainly does.

    Under durability `sync`, LangGraph gives the values of a step once its checkpoint is stored, and before
    the next one is; `kept` says that it is so, and that the checkpoints outlive the run. There are values
    that no checkpoint holds: those at the start of a resumed run, which a command may have changed, and those
    after an interrupt, with the writes of finished tasks in them.
    """

    def __init__(self, graph_id: str, graph: Graph, *, kept: bool) -> None:
        self._graph_id = graph_id
        self._saver = cast("RunSaver", graph.checkpointer)
        self._holds = kept and not any(
            isinstance(graph.channels.get(name), UntrackedValue) for name in graph.stream_channels_list
        )
        self._referred = self._saver.newest_put

    def of(self, chunk: Any) -> bytes:
        """A reference in JSON: graph, checkpoint and, beside what the checkpoint holds, interrupts."""
        newest = self._saver.newest_put
        if not self._holds or not newest.checkpoint_id or not isinstance(chunk, dict):
            return b""
        paused = INTERRUPT in chunk
        if self._referred == newest and not paused:
            return b""
        self._referred = newest
        interrupts = {"interrupts": chunk[INTERRUPT]} if paused else {}
        return dump({"graph_id": self._graph_id, **newest._asdict(), **interrupts})
