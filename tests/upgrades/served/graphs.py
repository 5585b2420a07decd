"""Graphs as they were before a deployment, and as they are after it."""

from typing import Annotated, Any

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send, interrupt
from typing_extensions import TypedDict

from tests.served.served_graphs import approval, note


class Before(TypedDict, total=False):
    log: Annotated[list[str], lambda old, new: old + new]
    answer: Any
    went: str  # taken out


class After(TypedDict, total=False):
    log: Annotated[list[str], lambda old, new: old + new]
    answer: Any
    came: dict[str, int]  # added


async def first(state: Any) -> dict[str, Any]:
    return {"log": ["first"], "went": "before"}


async def first_after(state: Any) -> dict[str, Any]:
    return {"log": ["first"], "came": {"one": 1}}


async def ask(state: Any) -> dict[str, Any]:
    return {"answer": interrupt({"question": "go on?"})}


async def ask_people(state: Any) -> dict[str, Any]:
    decided = interrupt(approval("r-1"))
    return {"answer": decided["decisions"][0]["type"]}


async def effect(state: Any) -> dict[str, Any]:
    note(f"effect {state.get('answer')}")
    return {"log": [f"did {state.get('answer')}"]}


def chain(schema: Any, *nodes: tuple[str, Any]) -> Any:
    builder = StateGraph(schema)
    before = START
    for name, node in nodes:
        builder.add_node(name, node)
        builder.add_edge(before, name)
        before = name
    builder.add_edge(before, END)
    return builder.compile()


def sending(inner: Any) -> Any:
    """A subgraph for each thing to do, as an agent has one for each request."""
    builder = StateGraph(After)
    builder.add_node("child", inner)
    builder.add_conditional_edges(START, lambda _: [Send("child", {"log": []})], ["child"])
    builder.add_edge("child", END)
    return builder.compile()


def joining(last: str) -> Any:
    """Two branches that are waited for, of which one asks."""
    builder = StateGraph(After)
    builder.add_node("one", first_after)
    builder.add_node("two", ask)
    builder.add_node(last, effect)
    builder.add_edge(START, "one")
    builder.add_edge(START, "two")
    builder.add_edge(["one", "two"], last)
    return builder.compile()


ASK, EFFECT = ("ask", ask), ("effect", effect)

fields = chain(Before, ("first", first), ASK, EFFECT)
fields_after = chain(After, ("first", first_after), ASK, EFFECT)
renamed = chain(Before, ("first", first), ASK, EFFECT)
renamed_after = chain(Before, ("first", first), ("question", ask), EFFECT)
removed_after = chain(Before, ("first", first), EFFECT)
people = chain(Before, ("first", first), ("ask", ask_people), EFFECT)
people_after = chain(Before, ("first", first), ("question", ask_people), EFFECT)
stopped = chain(Before, ("first", first), EFFECT)
stopped_after = chain(Before, ("first", first), ("deed", effect))
sent = sending(chain(After, ASK, EFFECT))
sent_after = sending(chain(After, ("question", ask), EFFECT))
joined = joining("effect")
joined_after = joining("deed")
