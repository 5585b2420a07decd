"""Graphs whose events say by themselves whether one is lost, doubled or out of order."""

import asyncio
from typing import Any

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict


class Counting(TypedDict, total=False):
    count: int
    pause_s: float


async def count_up(state: Counting) -> dict[str, Any]:
    write = get_stream_writer()
    for number in range(state.get("count") or 0):
        write({"n": number})
        await asyncio.sleep(state.get("pause_s") or 0)
    return {}


async def rest(state: Counting) -> dict[str, Any]:
    await asyncio.sleep(state.get("pause_s") or 0)
    return {}


def single(node: Any) -> Any:
    builder = StateGraph(Counting)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    builder.add_edge("node", END)
    return builder.compile()


counting = single(count_up)
resting = single(rest)
