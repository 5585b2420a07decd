"""Ending a run that is at work, also when its nodes do not want to."""

import asyncio
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

from langchain_core.callbacks import BaseCallbackHandler

# Libraries swallow a cancel that comes at the wrong moment, and go on: it is repeated. Not sooner, so that
# what a node does in its `finally` is not cut short.
CANCEL_AGAIN_S = 0.5

# Enough for a node to close connections and to roll back. One that still runs is taken for one that never
# ends, and nobody waits for it: neither the person who cancelled nor the next run of its thread.
LEAVE_S = 5.0


class Nodes(BaseCallbackHandler):
    """The tasks in which the nodes of a run are at work: LangGraph cancels each once, and waits for ever."""

    run_inline = True  # in the task that is to be known
    ignore_llm = True
    ignore_retry = True
    ignore_agent = True
    ignore_retriever = True
    ignore_chat_model = True
    ignore_custom_event = True

    def __init__(self) -> None:
        self._names: WeakKeyDictionary[asyncio.Task[Any], str] = WeakKeyDictionary()
        self.latest = ""  # the name of the node that began last

    def on_chain_start(self, *_: Any, metadata: dict[str, Any] | None = None, **__: Any) -> None:
        name = str((metadata or {}).get("langgraph_node", ""))
        self.latest = name or self.latest
        with suppress(RuntimeError):  # in a thread, which cannot be cancelled
            if task := asyncio.current_task():
                self._names[task] = name

    @property
    def tasks(self) -> set[asyncio.Task[Any]]:
        return {task for task in self._names if not task.done()}

    @property
    def names(self) -> list[str]:
        """Of the nodes that are at work."""
        return sorted({name for task, name in self._names.items() if name and not task.done()})


async def stop(run: asyncio.Task[None], nodes: Nodes, reason: str) -> bool:
    """Cancels a run until it has ended, with all its nodes; False when one of them goes on all the same."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LEAVE_S
    run.cancel(reason)
    while pending := {task for task in (run, *nodes.tasks) if not task.done()}:
        left_s = deadline - loop.time()
        if left_s <= 0:
            return False
        await asyncio.wait(pending, timeout=min(CANCEL_AGAIN_S, left_s))
        for task in nodes.tasks - {run} or {run}:
            task.cancel(reason)
    return True
