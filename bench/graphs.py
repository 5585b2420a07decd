"""The graphs that both servers run: no model, no tool, next to no work of their own."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from typing import Annotated, Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import interrupt
from typing_extensions import TypedDict

SLEEP_S = 1.0
STAMPS = 20
STAMP_EVERY_S = 0.02
TOKENS = [f"token-{number} " for number in range(40)]


class State(TypedDict, total=False):
    text: str
    messages: Annotated[list[AnyMessage], add_messages]


class Speaker(BaseChatModel):
    """Says its forty tokens at once."""

    @property
    def _llm_type(self) -> str:
        return "speaker"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage("".join(TOKENS)))])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for token in TOKENS:
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=token))
            if run_manager:
                await run_manager.on_llm_new_token(token, chunk=chunk)
            yield chunk


async def nothing(state: State) -> dict[str, Any]:
    return {"text": state.get("text", "")}


async def speak(state: State) -> dict[str, Any]:
    return {"messages": [await Speaker().ainvoke("speak")]}


async def stamp(state: State) -> dict[str, Any]:
    """Says now and then what time it is, so that whoever hears it knows how long that took."""
    write = get_stream_writer()
    for _ in range(STAMPS):
        write({"ns": time.time_ns()})
        await asyncio.sleep(STAMP_EVERY_S)
    return {}


async def tell_process(state: State) -> dict[str, Any]:
    return {"text": str(os.getpid())}


async def sleep(state: State) -> dict[str, Any]:
    """As long as a model might take."""
    await asyncio.sleep(SLEEP_S)
    return {}


async def question(state: State) -> dict[str, Any]:
    return {"text": interrupt("go on?")}


def chain(**nodes: Callable[..., Any]) -> Any:
    """A graph of these nodes one after the other."""
    builder = StateGraph(State)
    for name, node in nodes.items():
        builder.add_node(name, node)
    for one, next_one in pairwise([START, *nodes, END]):
        builder.add_edge(one, next_one)
    return builder.compile()


noop = chain(nothing=nothing)
tokens = chain(before=nothing, speak=speak, after=nothing)
ask = chain(question=question)
stamps = chain(stamp=stamp)
asleep = chain(tell=tell_process, sleep=sleep)
