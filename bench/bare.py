"""The distance to the limit: the graph alone in one process, with LangGraph's saver in memory.

`python -m bench.bare SECONDS` prints JSON: runs a second, one after the other and a hundred at once.
"""

import asyncio
import json
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any

import uvloop
from langgraph.checkpoint.memory import InMemorySaver

from bench.graphs import noop

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig


async def invoke(graph: Any) -> None:
    config: RunnableConfig = {"configurable": {"thread_id": str(uuid.uuid4())}}
    await graph.ainvoke({"text": "hello"}, config)


async def stream(graph: Any) -> None:
    config: RunnableConfig = {"configurable": {"thread_id": str(uuid.uuid4())}}
    async for _ in graph.astream({"text": "hello"}, config, stream_mode=["values"]):
        pass


async def rate(run: Any, concurrency: int, seconds: float) -> float:
    """Runs a second, each on a thread of its own."""
    graph, done, started = noop.copy(update={"checkpointer": InMemorySaver()}), 0, time.perf_counter()

    async def repeat() -> None:
        nonlocal done
        while time.perf_counter() < started + seconds:
            await run(graph)
            done += 1

    await asyncio.gather(*(repeat() for _ in range(concurrency)))
    return done / (time.perf_counter() - started)


async def measure(seconds: float) -> dict[str, float]:
    await rate(invoke, 1, seconds / 4)  # warms up
    return {
        "ainvoke 1": await rate(invoke, 1, seconds),
        "ainvoke 100": await rate(invoke, 100, seconds),
        "astream 100": await rate(stream, 100, seconds),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(uvloop.run(measure(float(sys.argv[1])))))
