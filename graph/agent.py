"""The support agent as a graph. `graph` is what langgraph.json serves; it has no checkpointer of its own.

    START -> enter -> model <-> tools -> settle -> request (one each: ask -> apply) -> END

Everything it works with is opened by the first run, not by importing this file.
"""

from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from graph.nodes import Turn, after_model
from graph.refund import Refunds, ask_each
from graph.state import Said, State, Told
from graph.workplace import DOORS, Doors


def build(
    doors: Doors, checkpointer: BaseCheckpointSaver[Any] | None = None
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The agent with the workplace behind these doors."""
    refunds = Refunds(doors)
    turn = Turn(doors, refunds)
    builder = StateGraph(State, input_schema=Said, output_schema=Told)
    builder.add_node("enter", turn.enter)
    builder.add_node("model", turn.model)
    builder.add_node("tools", turn.tools)
    builder.add_node("settle", refunds.settle)
    builder.add_node("request", refunds.subgraph())
    builder.add_edge(START, "enter")
    builder.add_conditional_edges("model", after_model, ["tools", "settle"])
    builder.add_conditional_edges("settle", ask_each, ["request", END])
    builder.add_edge("request", END)
    return builder.compile(checkpointer=checkpointer, name="support")


graph = build(DOORS)
