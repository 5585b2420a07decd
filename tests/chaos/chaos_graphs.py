"""The graph that chaos is tried on: cheap steps, each of which notes outside of the engine when it ran.

A note is one line of the file that CHAOS_NOTES names, written by one call: what happened, thread, run, the
run's number on its thread, step, attempt, process, time (ns, monotonic: one clock for a whole machine).
"""

import asyncio
import os
import time
from functools import cache
from typing import Annotated

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict


class Work(TypedDict, total=False):
    number: int
    steps: int
    nap_s: float
    choice_s: float  # how long it takes to choose what comes after a step
    at: int
    log: Annotated[list[str], lambda old, new: old + new]


@cache
def notes(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def note(what: str, state: Work, config: RunnableConfig) -> None:
    metadata = config["metadata"]
    words = (
        what,
        metadata["thread_id"],
        metadata["run_id"],
        state["number"],
        state["at"],
        metadata["run_attempt"],
        os.getpid(),
        time.monotonic_ns(),
    )
    os.write(notes(os.environ["CHAOS_NOTES"]), (" ".join(map(str, words)) + "\n").encode())


async def begin(state: Work) -> Work:
    return {"at": 0}


async def step(state: Work, config: RunnableConfig) -> Work:
    if "CHAOS_NOTES" in os.environ:
        note("start", state, config)
        ended = "cut"
        try:
            await asyncio.sleep(state["nap_s"])
            ended = "end"
        finally:
            note(ended, state, config)
    get_stream_writer()({"attempt": config["metadata"]["run_attempt"], "at": state["at"]})
    return {"at": state["at"] + 1, "log": [f"{state['number']}.{state['at']}"]}


async def choose(state: Work) -> str:
    if wait_s := state.get("choice_s"):
        await asyncio.sleep(wait_s)
    return "step" if state["at"] < state["steps"] else END


def build() -> StateGraph[Work]:
    builder = StateGraph(Work)
    builder.add_node("begin", begin)
    builder.add_node("step", step)
    builder.add_edge(START, "begin")
    builder.add_edge("begin", "step")
    builder.add_conditional_edges("step", choose, ["step", END])
    return builder


work = build().compile()
