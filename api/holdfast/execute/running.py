"""A graph at work: its stream, written into the thread's log."""

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import RunControl

from holdfast.events import Encoder
from holdfast.execute.opening import Graph
from holdfast.execute.references import INTERRUPT, References
from holdfast.redis.log import Log

if TYPE_CHECKING:
    from langchain_core.callbacks import BaseCallbackHandler
    from langgraph.types import Durability


class Stream:
    """Runs a graph as a request asked for it; `control` can ask it to stop at its next step.

    What its models and nodes do is told to those in `heard_by`.
    """

    def __init__(self, graph_id: str, asked: Mapping[str, Any], encoder: Encoder, log: Log) -> None:
        self.control = RunControl()
        self.heard_by: list[BaseCallbackHandler] = []
        self._graph_id = graph_id
        self._asked = asked
        self._durability: Durability = asked.get("durability") or "sync"
        self._encoder = encoder
        self._log = log

    async def run(self, graph: Graph, feed: Any, config: RunnableConfig) -> bool:
        """True when the graph may have paused, so that its state has to be looked at."""
        paused = self._has_breakpoints(graph)
        references = References(self._graph_id, graph, self._durability)
        async for namespace, mode, chunk in self._chunks(graph, feed, config):
            reference = b""
            if mode == "values" and not namespace:
                paused |= isinstance(chunk, dict) and INTERRUPT in chunk
                reference = references.of(chunk)
            for event in self._encoder.encode(mode, chunk, namespace, reference):
                self._log.write(event)
        return paused

    def _has_breakpoints(self, graph: Graph) -> bool:
        return bool(
            self._asked.get("interrupt_before")
            or self._asked.get("interrupt_after")
            or graph.interrupt_before_nodes
            or graph.interrupt_after_nodes
        )

    async def _chunks(
        self, graph: Graph, feed: Any, config: RunnableConfig
    ) -> AsyncIterator[tuple[str, str, Any]]:
        asked, subgraphs = self._asked, bool(self._asked.get("stream_subgraphs"))
        heard: RunnableConfig = {**config, "callbacks": self.heard_by}
        stream = graph.astream(
            feed,
            heard,
            context=asked.get("context") or None,
            stream_mode=self._encoder.langgraph_modes,  # type: ignore[arg-type]
            subgraphs=subgraphs,
            durability=self._durability,
            interrupt_before=asked.get("interrupt_before"),
            interrupt_after=asked.get("interrupt_after"),
            control=self.control,
        )
        async for item in stream:
            if subgraphs:
                namespace, mode, chunk = item
                yield "|".join(namespace), mode, chunk
            else:
                yield "", *item
