"""RedisSaver under real graphs."""

import asyncio
import dataclasses
import operator
import uuid
from decimal import Decimal
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph, add_messages
from langgraph.types import Command, Send, interrupt
from pydantic import BaseModel
from typing_extensions import TypedDict

from holdfast.checkpoint import CHOICES, RedisSaver, open_checkpointer
from holdfast.redis.client import connect
from holdfast.redis.keys import Keys


@dataclasses.dataclass
class Quote:
    amount: Decimal


class Case(BaseModel):
    quotes: list[Quote]


class State(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    done: Annotated[list[str], operator.add]
    case: Case


class Request(TypedDict):
    name: str


def quote(state: State) -> dict[str, Any]:
    return {"case": Case(quotes=[Quote(Decimal("128.50"))]), "messages": [AIMessage("looking", id="a")]}


def fan_out(state: State) -> list[Send]:
    return [Send("ask", {"name": name}) for name in ("one", "two")]


def ask(state: Request) -> dict[str, Any]:
    return {"done": [f"{state['name']}: {interrupt(state['name'])}"]}


def build() -> StateGraph[Any, Any, Any, Any]:
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(State)
    graph.add_node("quote", quote)
    graph.add_node("ask", ask, input_schema=Request)
    graph.add_edge(START, "quote")
    graph.add_conditional_edges("quote", fan_out, ["ask"])
    graph.add_edge("ask", END)
    return graph


def config() -> RunnableConfig:
    return {"configurable": {"thread_id": str(uuid.uuid4())}}


@pytest.mark.parametrize("choice", CHOICES)
async def test_interrupts_resume_in_a_process_that_has_just_come_up(stack_url: str, choice: str) -> None:
    thread = config()
    again = {"messages": [HumanMessage("hi again", id="g")]}
    for given in ({"messages": [HumanMessage("hi", id="h")]}, None, None, again):
        async with connect(stack_url) as client, open_checkpointer(choice, client, Keys("graphs")) as saver:
            graph = build().compile()
            graph.checkpointer = saver.for_graph(graph).for_run("")
            asked = (await graph.aget_state(thread)).interrupts
            feed: Any = given or Command(resume={asked[0].id: f"yes to {asked[0].value}"})
            state = await graph.ainvoke(feed, thread, durability="sync")
    assert state["done"] == ["one: yes to one", "two: yes to two"]
    assert len(state["__interrupt__"]) == 2, "what comes after the answers is asked anew"
    assert [message.content for message in state["messages"]] == ["hi", "looking", "hi again"]
    assert state["case"] == Case(quotes=[Quote(Decimal("128.50"))])


async def test_history_forks_and_edits_are_those_of_memory(saver: RedisSaver) -> None:
    async def story(checkpointer: Any) -> list[Any]:
        graph, thread = build().compile(checkpointer=checkpointer), config()
        await graph.ainvoke({"messages": [HumanMessage("hi", id="h")]}, thread)
        [early] = [each async for each in graph.aget_state_history(thread) if each.next == ("quote",)]
        pending = await graph.aget_state(thread)
        answers = {each.id: "yes" for each in pending.interrupts}
        await graph.ainvoke(Command(resume=answers), thread)
        fork = await graph.aupdate_state(early.config, {"done": ["edited"]})
        await graph.ainvoke(None, fork)
        return [
            (each.values, each.next, len(each.tasks), each.metadata and each.metadata["source"])
            async for each in graph.aget_state_history(thread)
        ]

    graph = build().compile()
    assert await story(saver.for_graph(graph)) == await story(InMemorySaver())


async def test_a_graph_may_run_on_a_thread_beside_the_loop(saver: RedisSaver) -> None:
    graph = build().compile()
    graph.checkpointer = saver.for_graph(graph)
    state = await asyncio.to_thread(graph.invoke, {"messages": [HumanMessage("hi", id="h")]}, config())
    assert len(state["__interrupt__"]) == 2
