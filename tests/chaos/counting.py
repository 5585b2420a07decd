"""A graph whose events say by themselves whether one is lost, doubled, out of order or late."""

import asyncio
import time
from typing import Any

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict


class Counting(TypedDict, total=False):
    count: int
    pause_s: float  # between two events
    size: int  # of each event, about


async def count_up(state: Counting) -> dict[str, Any]:
    """Each event tells when it was written: in ns, monotonic, one clock for a whole machine."""
    write, filling = get_stream_writer(), "x" * (state.get("size") or 0)
    for number in range(state["count"]):
        if number:
            await asyncio.sleep(state.get("pause_s") or 0)
        write({"n": number, "at_ns": time.monotonic_ns(), "filling": filling})
    return {}


def build() -> Any:
    builder = StateGraph(Counting)
    builder.add_node("count_up", count_up)
    builder.add_edge(START, "count_up")
    builder.add_edge("count_up", END)
    return builder.compile()


counting = build()
