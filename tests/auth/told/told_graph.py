"""A graph that writes down all that it was told besides its input, then asks."""

from typing import Any

import orjson
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import get_runtime
from langgraph.types import interrupt
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    messages: list[Any]
    told: str
    again: str


def tell(config: RunnableConfig) -> str:
    told = {
        "configurable": config["configurable"],
        "metadata": config["metadata"],
        "tags": config.get("tags"),
        "context": get_runtime().context,
    }
    return orjson.dumps(told, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()


async def first(state: State, config: RunnableConfig) -> State:
    return {"told": tell(config)}


async def second(state: State, config: RunnableConfig) -> State:
    interrupt("go on?")
    return {"again": tell(config)}


builder = StateGraph(State)
builder.add_node("first", first)
builder.add_node("second", second)
builder.add_edge(START, "first")
builder.add_edge("first", "second")
builder.add_edge("second", END)
graph = builder.compile()
