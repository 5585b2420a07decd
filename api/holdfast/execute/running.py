"""A graph at work, and its stream of events."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import RunControl

from holdfast.events import EVENTS, HOLD, Encoder, Event, now_ms
from holdfast.execute.inputs import read_context, read_hold
from holdfast.execute.opening import Graph
from holdfast.execute.references import INTERRUPT, References
from holdfast.execute.stopping import Nodes
from holdfast.redis.records import tell_hold

if TYPE_CHECKING:
    from langchain_core.callbacks import BaseCallbackHandler
    from langgraph.types import Durability


class Stream:
    """Runs a graph as a request asked for it; `control` can ask it to stop at its next step.

    What its models and nodes do is told to those in `heard_by`.
    """

    def __init__(
        self, graph_id: str, asked: Mapping[str, Any], encoder: Encoder, write: Callable[[Event], None]
    ) -> None:
        self.control = RunControl()
        self.nodes = Nodes()
        self.heard_by: list[BaseCallbackHandler] = [self.nodes]
        self._graph_id = graph_id
        self._asked = asked
        self._durability: Durability = asked.get("durability") or "sync"
        self._encoder = encoder
        self._write = write

    async def run(self, graph: Graph, feed: Any, config: RunnableConfig) -> bool:
        """True when the graph may have paused, so that its state has to be looked at."""
        paused = self._has_breakpoints(graph)
        lasting = self._asked.get("on_completion") != "delete"
        # Among events, values may come when the next checkpoint is stored: then none certainly holds them.
        kept = lasting and self._durability == "sync" and not self._encoder.wants_events
        references = References(self._graph_id, graph, kept=kept)
        async with aclosing(self._chunks(graph, feed, config)) as chunks:
            async for namespace, mode, chunk in chunks:
                reference = b""
                if mode == "values" and not namespace:
                    paused |= isinstance(chunk, dict) and INTERRUPT in chunk
                    reference = references.of(chunk)
                for event in self._encoder.encode(mode, chunk, namespace, reference):
                    self._write(event)
                if mode == "custom" and (hold := read_hold(chunk)):
                    self._write(Event("", HOLD, "", now_ms(), tell_hold(hold)))
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
    ) -> AsyncGenerator[tuple[str, str, Any]]:
        subgraphs = bool(self._asked.get("stream_subgraphs"))
        async with aclosing(self._items(graph, feed, config, subgraphs=subgraphs)) as items:
            async for item in items:
                if subgraphs:
                    namespace, mode, chunk = item
                    yield "|".join(namespace), mode, chunk
                else:
                    yield "", *item

    async def _items(
        self, graph: Graph, feed: Any, config: RunnableConfig, *, subgraphs: bool
    ) -> AsyncGenerator[Any]:
        """What LangGraph streams and, where a client wants them, LangChain's events around it."""
        asked = self._asked
        heard: RunnableConfig = {**config, "callbacks": self.heard_by}
        options: dict[str, Any] = {
            "context": read_context(graph.context_schema, asked.get("context") or {}),
            "stream_mode": self._encoder.langgraph_modes,
            "subgraphs": subgraphs,
            "durability": self._durability,
            "interrupt_before": asked.get("interrupt_before"),
            "interrupt_after": asked.get("interrupt_after"),
            "control": self.control,
        }
        if not self._encoder.wants_events:
            async with aclosing(cast("AsyncGenerator[Any]", graph.astream(feed, heard, **options))) as items:
                async for item in items:
                    yield item
            return
        events = graph.astream_events(feed, heard, version="v2", **options)
        async with aclosing(cast("AsyncGenerator[Any]", events)) as told:
            async for event in told:
                if event["event"] == "on_chain_stream" and not event["parent_ids"]:
                    yield event["data"]["chunk"]
                else:
                    yield ((), EVENTS, event) if subgraphs else (EVENTS, event)
