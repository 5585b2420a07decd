"""Graphs that do not let go when they are asked to, and one that talks all the time."""

import asyncio
import time
from pathlib import Path
from typing import Any

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

LONG_S = 60
WORDS = 50


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


async def speak(state: State) -> State:
    Path(state["notes"]).write_text("begun")  # noqa: ASYNC240 - it is a short one
    for number in range(WORDS):
        get_stream_writer()(number)
        await asyncio.sleep(0.02)
    return {}


def only(node: Any) -> Any:
    builder = StateGraph(State)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    builder.add_edge("node", END)
    return builder.compile()


thread = only(block_thread)
stubborn = only(ignore_cancels)
talk = only(speak)
