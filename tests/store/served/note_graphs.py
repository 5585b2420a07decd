"""A graph that takes notes and finds them again, in a store."""

from typing import TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.store.base import BaseStore

NOTES = ("notes",)


class Note(TypedDict, total=False):
    text: str
    found: list[str]


async def take(state: Note, *, store: BaseStore) -> Note:
    await store.aput(NOTES, state["text"], {"text": state["text"]})
    return {}


def find(state: Note, runtime: Runtime[None]) -> Note:
    """A blocking node, which LangGraph runs on a thread of its own."""
    assert runtime.store
    return {"found": [item.key for item in runtime.store.search(NOTES, query=state["text"])]}


notes = StateGraph(Note)
notes.add_node("take", take)
notes.add_node("find", find)
notes.add_edge(START, "take")
notes.add_edge("take", "find")
notes.add_edge("find", END)
