"""What any Agent Server can serve: nothing here knows of Holdfast."""

import asyncio
import math
import re
from collections import deque
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import ip_address, ip_network
from operator import add
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command, interrupt
from pydantic import BaseModel
from typing_extensions import TypedDict


class Talk(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    said: Annotated[list[str], add]
    topic: str


class Color(Enum):
    RED = "red"


class Item(BaseModel):
    """No schema of a state names it: langgraph.json lists it."""

    name: str = "cup"
    color: Color = Color.RED


@dataclass
class Note:
    text: str = "chipped"


@dataclass
class Remark:
    """No schema names it, and the project does not list it either."""

    text: str = "chipped"


class Point(NamedTuple):
    x: int = 1
    y: int = 2


# What JSON has no form for of its own.
ODD: dict[str, Any] = {
    "bytes": b"\xff\x00a",
    "bytearray": bytearray(b"x"),
    "duration": timedelta(seconds=90),
    "moment": datetime(2026, 1, 2, tzinfo=UTC),
    "day": date(2026, 1, 2),
    "id": UUID(int=5),
    "path": Path("/x"),
    "address": ip_address("10.0.0.1"),
    "network": ip_network("10.0.0.0/30"),
    "pattern": re.compile("a+"),
    "point": Point(),
    "set": {1},
    "tuple": (1, 2),
    "deque": deque([1]),
    "color": Color.RED,
    "note": Note(),
    "nan": math.nan,
    "keys": {1: "a", None: "b"},
}


class Shelf(Talk, total=False):
    thing: Any


def single(name: str, node: Any, state: type[Talk] = Talk) -> Any:
    graph = StateGraph(state)
    graph.add_node(name, node)
    graph.add_edge(START, name)
    return graph.compile()


def answer(state: Talk) -> Talk:
    last = state["messages"][-1].content if state.get("messages") else "nothing"
    return {"messages": [AIMessage(f"you said {last}", id=f"answer-{len(state.get('messages', []))}")]}


def ask_one(state: Talk) -> Talk:
    return {"said": [f"answered {interrupt({'question': 'which one?'})}"]}


def put(state: Shelf) -> Shelf:
    if "topic" in state:
        return show(state)
    return {"thing": Item(), "said": [interrupt({"about": Item(), "remarks": [Remark()]})]}


def show(state: Shelf) -> Shelf:
    thing = Decimal("1.50") if state["topic"] == "price" else ODD
    get_stream_writer()(thing)
    return {"thing": thing}


def explode(state: Talk) -> Talk:
    raise ValueError("boom")


async def wait(state: Talk) -> Talk:
    get_stream_writer()({"at": "work"})
    await asyncio.sleep(float(state.get("topic") or 30))
    return {"said": ["slept"]}


async def ponder(state: Talk) -> Talk:
    answer = interrupt({"question": "which one?"})
    get_stream_writer()({"at": "work"})
    await asyncio.sleep(5 if answer == "slow" else 0)
    return {"said": [f"answered {answer}"]}


def configuration(state: Talk, config: RunnableConfig) -> Talk:
    chosen = config.get("configurable", {})
    return {"said": [str(chosen.get("shop", "no shop"))], "topic": ",".join(sorted(config.get("tags") or []))}


def step(name: str) -> Any:
    def node(state: Talk) -> Talk:
        get_stream_writer()({"in": name})
        return {"said": [name]}

    return node


def three(checkpointer: Any = None) -> Any:
    graph = StateGraph(Talk)
    for name in ("one", "two", "three"):
        graph.add_node(name, step(name))
    graph.add_edge(START, "one")
    graph.add_edge("one", "two")
    graph.add_edge("two", "three")
    return graph.compile(checkpointer)


def both() -> Any:
    graph = StateGraph(Talk)
    for name in ("left", "right"):
        graph.add_node(name, asker(name))
        graph.add_edge(START, name)
    return graph.compile()


def remembering() -> Any:
    """One that holds a graph which keeps a history of its own."""
    graph = StateGraph(Talk)
    graph.add_node("inner", three(checkpointer=True))
    graph.add_node("last", step("last"))
    graph.add_edge(START, "inner")
    graph.add_edge("inner", "last")
    return graph.compile()


def asker(name: str) -> Any:
    def node(state: Talk) -> Talk:
        return {"said": [f"{name} {interrupt(name)}"]}

    return node


def routed() -> Any:
    graph = StateGraph(Talk)
    graph.add_node("inner", three())
    graph.add_node("after", route, destinations=("last", END))
    graph.add_node("last", step("last"))
    graph.add_edge(START, "inner")
    graph.add_edge("inner", "after")
    return graph.compile()


def route(state: Talk) -> Command[Any]:
    return Command(update={"topic": "routed"}, goto="last" if state.get("topic") == "go on" else END)


echo = single("answer", answer)
ask = single("ask", ask_one)
fail = single("explode", explode)
slow = single("wait", wait)
pondering = single("ponder", ponder)
named = single("configuration", configuration)
shelf = single("put", put, Shelf)
steps = three()
nested = remembering()
pair = both()
outer = routed()
