"""Graphs that leave in ways of their own."""

from typing import Any

from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    said: str


class Unsaid(Exception):
    """Cannot be put into words."""

    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


def fail(state: State) -> State:
    raise Unsaid


def fail_in_no_text(state: State) -> State:
    raise ValueError("half a \ud800 pair")


def only(node: Any) -> Any:
    """A graph of one node."""
    return StateGraph(State).add_node("node", node).add_edge(START, "node").add_edge("node", END).compile()


unsaid = only(fail)
unwritten = only(fail_in_no_text)
