"""The graph of a claim with its checkpointer and its store, opened as often as an attempt needs it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel

from holdfast.checkpoint import RunSaver
from holdfast.project import GraphSpec
from holdfast.redis.checkpoints import Loaded
from holdfast.store import RedisStore

Graph = Pregel[Any, Any, Any, Any]


class ClaimedGraph:
    """A graph whose checkpoints are written under the claim's token, until they may be written no more.

    `found` is what the thread held when it was claimed, where that is known: for the first time it is opened.
    """

    def __init__(
        self,
        spec: GraphSpec,
        saver_for: Callable[[Graph], RunSaver],
        store: RedisStore,
        found: Loaded | None = None,
    ) -> None:
        self._spec = spec
        self._saver_for = saver_for
        self._store = store
        self._found = found
        self._saver: RunSaver | None = None

    @asynccontextmanager
    async def open(self, config: RunnableConfig) -> AsyncIterator[tuple[Graph, RunSaver]]:
        async with self._spec.open(config) as graph:
            saver = self._saver = self._saver_for(graph)
            if self._found:
                saver.begin_with(config["configurable"]["thread_id"], self._found)
                self._found = None
            yield graph.copy(update={"checkpointer": saver, "store": self._store}), saver

    def revoke(self) -> None:
        """LangGraph saves what a cancelled node has written so far, and later takes it for all of it."""
        if self._saver:
            self._saver.revoke()
        self._store.revoke()
