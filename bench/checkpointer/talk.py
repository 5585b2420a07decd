"""What every saver stores: a talk with an agent that looks something up in each turn.

A turn is one run of the graph and 4 messages: a person's question, the model's call of a tool, the tool's
answer, the model's answer. That makes 5 checkpoints and their pending writes.
"""

import random
import uuid
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.base import Checkpoint, empty_checkpoint
from langgraph.checkpoint.base.id import uuid6
from langgraph.graph import END, START, MessagesState, StateGraph

QUESTION, FOUND, ANSWER = 120, 360, 360  # characters
LETTERS = "abcdefghijklmnopqrstuvwxyz" + 5 * " "

Messages = dict[str, list[AnyMessage]]


def text(length: int) -> str:
    return "".join(random.choices(LETTERS, k=length))


def question() -> HumanMessage:
    return HumanMessage(text(QUESTION), id=str(uuid.uuid4()))


def model(state: MessagesState) -> Messages:
    """Answers what the tool has found, or asks the tool."""
    if isinstance(state["messages"][-1], ToolMessage):
        return {"messages": [AIMessage(text(ANSWER), id=str(uuid.uuid4()))]}
    call = {"name": "look_up", "args": {"number": text(8)}, "id": f"call_{uuid.uuid4().hex}"}
    return {"messages": [AIMessage("", id=str(uuid.uuid4()), tool_calls=[call])]}


def look_up(state: MessagesState) -> Messages:
    (call,) = calls(state)
    found = ToolMessage(text(FOUND), tool_call_id=call["id"], name=call["name"], id=str(uuid.uuid4()))
    return {"messages": [found]}


def calls(state: MessagesState) -> list[Any]:
    return list(getattr(state["messages"][-1], "tool_calls", ()))


def agent() -> Any:
    builder = StateGraph(MessagesState)
    builder.add_node("model", model)
    builder.add_node("look_up", look_up)
    builder.add_edge(START, "model")
    builder.add_conditional_edges("model", lambda state: "look_up" if calls(state) else END)
    builder.add_edge("look_up", "model")
    return builder.compile()


def checkpoint(values: dict[str, Any], version: str) -> Checkpoint:
    """A checkpoint whose channels all have this version."""
    return {
        **empty_checkpoint(),
        "id": str(uuid6()),
        "channel_values": values,
        "channel_versions": dict.fromkeys(values, version),
    }
