"""Three steps, each noted in a file when it is done: what really happened, whatever the state says."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict


class Steps(TypedDict, total=False):
    notes: str
    delay: float
    done: Annotated[list[int], lambda old, new: old + new]


async def step(state: Steps) -> dict[str, Any]:
    await asyncio.sleep(state["delay"])
    number = len(state.get("done") or ())
    with Path(state["notes"]).open("a") as file:  # noqa: ASYNC230
        file.write(f"{number}\n")
    return {"done": [number]}


builder = StateGraph(Steps)
builder.add_sequence([("first", step), ("second", step), ("third", step)])
builder.add_edge(START, "first")
builder.add_edge("third", END)
graph = builder.compile()
