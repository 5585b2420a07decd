"""A graph that is named by its module and not compiled yet; its state is typing's own TypedDict."""

from typing import TypedDict

from langgraph.graph import START, StateGraph


class Said(TypedDict):
    text: str


builder = StateGraph(Said)
builder.add_node("echo", lambda said: {"text": said["text"] * 2})
builder.add_edge(START, "echo")
