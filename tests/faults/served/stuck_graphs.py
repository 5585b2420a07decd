"""Graphs that do not let go when they are asked to, and one that talks all the time.

Each writes into the file `notes` what it does; one that is stuck ends once there is a file `notes.release`.
"""

import asyncio
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send, interrupt
from typing_extensions import TypedDict

LONG_S = 60
WORDS = 50


class State(TypedDict, total=False):
    notes: str
    said: str


def note(state: State, line: str) -> None:
    with Path(state["notes"]).open("a") as file:
        file.write(line + "\n")


def begun(state: State) -> bool:
    return Path(state["notes"]).exists()


def released(state: State) -> bool:
    return Path(state["notes"] + ".release").exists()


def block_thread(state: State) -> State:
    note(state, "begun")
    until = time.monotonic() + LONG_S
    while time.monotonic() < until and not released(state):
        time.sleep(0.05)
    note(state, "ended")
    return {"said": "late"}


async def ignore_cancels(state: State) -> State:
    """What it does after it was released is too late."""
    note(state, "begun")
    until = time.monotonic() + LONG_S
    while time.monotonic() < until and not released(state):
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            note(state, "swallowed")
    get_stream_writer()("late")
    note(state, "ended")
    return {"said": "late"}


async def hear_late(state: State) -> State:
    """As libraries do that take a cancel for a time limit of their own: they try again."""
    note(state, "begun")
    try:
        await asyncio.sleep(LONG_S)
    except asyncio.CancelledError:
        note(state, "swallowed")
    try:
        await asyncio.sleep(LONG_S)
    finally:
        note(state, "ended")
    return {}


async def swallow(state: State) -> State:
    note(state, "begun")
    try:
        await asyncio.sleep(LONG_S)
    except asyncio.CancelledError:
        note(state, "swallowed")
    return {"said": "swallowed"}


async def misunderstand(state: State) -> State:
    note(state, "begun")
    try:
        await asyncio.sleep(LONG_S)
    except asyncio.CancelledError:
        raise RuntimeError("the connection was closed") from None
    return {}


async def follow(state: State) -> State:
    note(state, "followed")
    return {}


async def wonder(state: State) -> State:
    """Asks, and sleeps over the answer."""
    interrupt(state["said"])
    note(state, state["said"])
    await asyncio.sleep(LONG_S)
    return {}


async def speak(state: State) -> State:
    note(state, "begun")
    for number in range(WORDS):
        get_stream_writer()(number)
        await asyncio.sleep(0.02)
    return {}


async def hang(config: RunnableConfig) -> Any:
    """A factory that never comes back, or fails from the second time on."""
    configurable: Any = config["configurable"]
    asked: State = {"notes": configurable["notes"]}
    if configurable.get("fails") and begun(asked):
        raise ConnectionError("the tools cannot be reached")
    note(asked, "begun")
    await asyncio.sleep(LONG_S)


def chain(**nodes: Any) -> Any:
    builder = StateGraph(State)
    names = [START, *nodes, END]
    for name, node in nodes.items():
        builder.add_node(name, node)
    for one, next_one in pairwise(names):
        builder.add_edge(one, next_one)
    return builder.compile()


def questions() -> Any:
    """Two questions at once."""
    builder = StateGraph(State)
    builder.add_node("wonder", wonder)
    builder.add_conditional_edges(
        START,
        lambda state: [Send("wonder", {"notes": state["notes"], "said": one}) for one in ("a", "b")],
        ["wonder"],
    )
    builder.add_edge("wonder", END)
    return builder.compile()


thread = chain(node=block_thread)
stubborn = chain(node=ignore_cancels)
late = chain(node=hear_late)
late_child = chain(child=chain(node=hear_late))
swallowing = chain(node=swallow, next=follow)
mistaken = chain(node=misunderstand)
pair = questions()
talk = chain(node=speak)
echo = chain(node=follow)
