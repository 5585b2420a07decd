"""Whether a graph can go on from a checkpoint that an older version of it has left.

LangGraph passes over what it does not know: a step that was to come, of a node that has been renamed or taken
out, would not come, and the run would end as if all were done. The channels by which steps are brought about
tell of it: they are in the checkpoint, and the graph has no such node.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.pregel import Pregel
from langgraph.types import Send, StateSnapshot

from holdfast.errors import IncompatibleGraph
from holdfast.execute.opening import Graph
from holdfast.project import GraphSpec

# The names that LangGraph gives these channels.
TO_NODE = "branch:to:"
JOIN = "join:"
SENDS = "__pregel_tasks"


async def check_compatible(graph: Graph, snapshot: StateSnapshot, graph_id: str) -> None:
    """Raises `IncompatibleGraph` when a step is to come, here or in a subgraph, that the graph does not have.

    The snapshot has those of its subgraphs in it.
    """
    saver = graph.checkpointer
    if not isinstance(saver, BaseCheckpointSaver):
        return
    if lost := [name async for name in lost_nodes(graph, snapshot, saver)]:
        names = ", ".join(map(repr, sorted(set(lost))))
        raise IncompatibleGraph(
            f"The thread was left before {names}, which the graph {graph_id!r} does not have any more: bring "
            "it back and try the run again, or begin anew with an input."
        )


async def lost_nodes(
    graph: Graph, snapshot: StateSnapshot, saver: BaseCheckpointSaver[Any]
) -> AsyncIterator[str]:
    saved = await saver.aget_tuple(snapshot.config)
    for name in lost_of(graph, saved) if saved else ():
        yield name
    children = dict(graph.get_subgraphs())
    for task in snapshot.tasks:
        child = children.get(task.name)
        if isinstance(child, Pregel) and isinstance(task.state, StateSnapshot):
            async for name in lost_nodes(child, task.state, saver):
                yield name


def lost_of(graph: Graph, saved: CheckpointTuple) -> Iterator[str]:
    """The nodes to come, by a checkpoint and by what its tasks have written so far, that are not there."""
    written = [(channel, value) for _, channel, value in saved.pending_writes or ()]
    for channel, value in (*saved.checkpoint["channel_values"].items(), *written):
        if channel == SENDS:
            sends = value if isinstance(value, list) else [value]
            yield from (one.node for one in sends if isinstance(one, Send) and one.node not in graph.nodes)
        elif channel not in graph.channels and channel.startswith(TO_NODE):
            yield channel.removeprefix(TO_NODE)
        elif channel not in graph.channels and channel.startswith(JOIN) and value:
            yield channel.rpartition(":")[2]


def absent(graph_id: str) -> GraphSpec:
    """Stands in for a graph that langgraph.json does not name, or no longer."""

    def refuse() -> Any:
        raise IncompatibleGraph(
            f"langgraph.json names no graph {graph_id!r}: bring it back and try the run again."
        )

    return GraphSpec(graph_id, refuse)
