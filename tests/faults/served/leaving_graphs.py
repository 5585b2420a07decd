"""Graphs that leave in ways of their own."""

import asyncio
import sys
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage
from langgraph.graph import END, START, StateGraph
from langgraph.prebuilt import ToolNode
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    said: str
    messages: list[AnyMessage]


class Unsaid(Exception):
    """Cannot be put into words."""

    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


def fail(state: State) -> State:
    raise Unsaid


def fail_in_no_text(state: State) -> State:
    raise ValueError("half a \ud800 pair")


async def exit_early(state: State) -> State:
    await asyncio.sleep(0)
    sys.exit(3)


def exit_in_a_thread(state: State) -> State:
    sys.exit(3)


async def shut() -> str:
    """Calls `sys.exit()`, in a task of its own."""
    await asyncio.sleep(0)
    sys.exit(3)


async def choose(state: State) -> Any:
    calls = [{"name": "shut", "args": {}, "id": str(number)} for number in range(2)]
    return {"messages": [AIMessage("", tool_calls=calls)]}


def make() -> Any:
    sys.exit(3)


async def wait(state: State) -> State:
    """Until its file is gone."""
    while Path(state["said"]).exists():  # noqa: ASYNC110, ASYNC240 - a test of another process ends it
        await asyncio.sleep(0.01)
    return {"said": "waited"}


def only(node: Any) -> Any:
    """A graph of one node."""
    return StateGraph(State).add_node("node", node).add_edge(START, "node").add_edge("node", END).compile()


def with_tools() -> Any:
    builder = StateGraph(State).add_node("choose", choose).add_node("tools", ToolNode([shut]))
    return builder.add_edge(START, "choose").add_edge("choose", "tools").add_edge("tools", END).compile()


def side_by_side() -> Any:
    """Two nodes at once: each has a task of its own."""
    builder = StateGraph(State).add_node("one", exit_early).add_node("other", exit_in_a_thread)
    return builder.add_edge(START, "one").add_edge(START, "other").compile()


unsaid = only(fail)
exits = only(exit_early)
exits_in_a_thread = only(exit_in_a_thread)
exits_inside = only(exits)
exits_in_a_tool = with_tools()
exits_beside_another = side_by_side()
patient = only(wait)
unwritten = only(fail_in_no_text)
