"""Graphs that are told how to speak, by a context; their state is a `typing.TypedDict`."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import interrupt

from tests.served.served_graphs import approval


class Told(TypedDict, total=False):
    answer: Any
    told: dict[str, Any]


@dataclass
class Style:
    model: str
    tone: str = "plain"


async def question(state: Told) -> dict[str, Any]:
    return {"answer": interrupt({"question": "go on?"})}


async def approval_question(state: Told, config: RunnableConfig) -> dict[str, Any]:
    return {"answer": interrupt(approval(f"{config['configurable']['thread_id']}-one"))}


async def tell(state: Told, config: RunnableConfig, runtime: Runtime[Style]) -> dict[str, Any]:
    style, names = runtime.context, ("model", "tone", "other")
    return {
        "told": {
            "context": {"model": style.model, "tone": style.tone} if style else None,
            "configurable": {name: config["configurable"].get(name) for name in names},
            "metadata": {name: config["metadata"].get(name) for name in ("team", "place", "assistant_id")},
            "tags": config.get("tags") or [],
            "recursion_limit": config.get("recursion_limit"),
        }
    }


def built(*nodes: Any) -> Any:
    builder = StateGraph(Told, context_schema=Style)
    names = [START, *(node.__name__ for node in nodes), END]
    for node in nodes:
        builder.add_node(node.__name__, node)
    for one, following in pairwise(names):
        builder.add_edge(one, following)
    return builder.compile()


voiced = built(tell)
voiced_ask = built(question, tell)
voiced_approve = built(approval_question, tell)
