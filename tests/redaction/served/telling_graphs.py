"""A graph that tells what it was told, in every way there is, and a model that says it piece by piece."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, AnyMessage, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import interrupt
from typing_extensions import TypedDict


class Talk(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    size: int  # of the pieces
    way: str
    note: Any


class Piecewise(BaseChatModel):
    """Says a text in pieces of a size, then calls a tool with it, in pieces too."""

    said: str
    size: int

    @property
    def _llm_type(self) -> str:
        return "piecewise"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessageChunk(content=self.said))])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **_: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._chunks():
            made = ChatGenerationChunk(message=chunk)
            if run_manager:
                await run_manager.on_llm_new_token(chunk.text, chunk=made)
            yield made

    def _chunks(self) -> Iterator[AIMessageChunk]:
        for piece in parts(self.said, self.size):
            yield AIMessageChunk(content=piece)
        for number, piece in enumerate(parts(f'{{"order": "{self.said}"}}', self.size)):
            name, call_id = ("look_up", "call-1") if number == 0 else (None, None)
            call = tool_call_chunk(name=name, args=piece, id=call_id, index=0)
            yield AIMessageChunk(content="", tool_call_chunks=[call])


def parts(text: str, size: int) -> Iterator[str]:
    for start in range(0, len(text), size):
        yield text[start : start + size]


@tool
def look_up(order: str) -> str:
    """Looks an order up."""
    return f"found {order}"


async def speak(state: Talk, config: RunnableConfig) -> dict[str, Any]:
    told = str(state["messages"][-1].content)
    get_stream_writer()({"heard": told, told: 1, "number": state.get("note")})
    await look_up.ainvoke({"order": told}, config)
    if state.get("way") == "fail":
        raise ValueError(f"cannot use {told}")
    if state.get("way") == "ask":
        return {"note": interrupt({"question": f"use {told}?"})}
    return {"messages": [await Piecewise(said=told, size=state.get("size") or 1).ainvoke(state["messages"])]}


def built(node: Any) -> Any:
    builder = StateGraph(Talk)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    return builder.compile()


tell = built(speak)
outer = built(tell)
