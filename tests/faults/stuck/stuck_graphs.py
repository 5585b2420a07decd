"""Graphs that do not let go when they are asked to."""

import asyncio
import time
from pathlib import Path
from typing import Any

from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

LONG_S = 60


class State(TypedDict, total=False):
    notes: str


def block_thread(state: State) -> State:
    Path(state["notes"]).write_text("begun")
    time.sleep(LONG_S)
    return {}


async def ignore_cancels(state: State) -> State:
    Path(state["notes"]).write_text("begun")  # noqa: ASYNC240 - it is a short one
    until = time.monotonic() + LONG_S
    while time.monotonic() < until:
        try:
            await asyncio.sleep(LONG_S)
        except asyncio.CancelledError:
            continue
    return {}


def only(node: Any) -> Any:
    builder = StateGraph(State)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    builder.add_edge("node", END)
    return builder.compile()


thread = only(block_thread)
stubborn = only(ignore_cancels)
