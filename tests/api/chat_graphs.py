"""Graphs that talk, for tests of the short door. `gates` holds a reply where a test wants to look at it."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Annotated, Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Send, interrupt
from typing_extensions import TypedDict

gates: dict[str, asyncio.Event] = defaultdict(asyncio.Event)


class Halting(GenericFakeChatModel):
    """Says one word, waits at its gate, and says the rest."""

    gate: str

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for number, word in enumerate(("one", " two", " three")):
            if number == 1:
                await gates[self.gate].wait()
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=word))
            if run_manager:
                await run_manager.on_llm_new_token(word, chunk=chunk)
            yield chunk


async def speak(state: MessagesState) -> dict[str, Any]:
    """The gate is the last word of the message."""
    gate = str(state["messages"][-1].content).split()[-1]
    return {"messages": [await Halting(messages=iter(()), gate=gate).ainvoke(state["messages"])]}


async def call(state: MessagesState) -> dict[str, Any]:
    calls = [{"name": "look", "args": {}, "id": "1"}]
    return {"messages": [AIMessage("Let me see.", tool_calls=calls)]}


async def look(state: MessagesState) -> dict[str, Any]:
    return {"messages": [ToolMessage("secret figures", tool_call_id="1", name="look")]}


async def conclude(state: MessagesState) -> dict[str, Any]:
    blocks = [{"type": "text", "text": "All is "}, {"type": "text", "text": "well."}]
    return {"messages": [AIMessage("I have looked."), AIMessage(content=list(blocks))]}


async def again(state: MessagesState) -> dict[str, Any]:
    return {"messages": [AIMessage("once more")]}


class Asking(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    name: str


async def ask(state: Asking, config: RunnableConfig) -> dict[str, Any]:
    name = state["name"]
    request_id = f"{name}-{config['configurable']['thread_id']}"
    decision = interrupt(
        {
            "action_requests": [{"name": "launch", "args": {"what": name}}],
            "review_configs": [{"action_name": "launch", "allowed_decisions": ["approve", "reject"]}],
            "display": {"title": f"Launch {name}", "facts": [], "tables": [], "quotes": []},
            "policy": {"request_id": request_id, "version": 1, "roles": ["owner"], "deciders": 1},
        }
    )
    if name == "held":
        await gates[name].wait()
    return {"messages": [AIMessage(f"{name}: {decision['decisions'][0]['type']}", id=f"told-{request_id}")]}


class Counting(TypedDict):
    count: int


async def count(state: Counting) -> dict[str, Any]:
    return {"count": 1}


def line(**nodes: Any) -> Any:
    return (
        StateGraph(MessagesState)
        .add_sequence(list(nodes.items()))
        .add_edge(START, next(iter(nodes)))
        .compile()
    )


def circle() -> Any:
    builder = StateGraph(MessagesState).add_node("again", again)
    builder.add_edge(START, "again").add_edge("again", "again")
    return builder.compile().with_config(recursion_limit=4)


def pair() -> Any:
    """A request for each word of the message."""

    def each(state: Asking) -> list[Send]:
        return [Send("ask", {"name": name}) for name in str(state["messages"][-1].content).split()]

    builder = StateGraph(Asking).add_node("ask", ask)
    builder.add_conditional_edges(START, each, ["ask"]).add_edge("ask", END)
    return builder.compile()


halting = line(speak=speak)
looking = line(call=call, look=look, conclude=conclude)
circling = circle()
asking = pair()
counting = StateGraph(Counting).add_node("count", count).add_edge(START, "count").compile()
