"""What a graph does, as spans: its nodes, the tools that they call and the models that they ask."""

import time
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langgraph.errors import GraphBubbleUp
from opentelemetry.trace import SpanKind

from holdfast.telemetry.spans import Attributes, Place, Span, Spans

STEP = "graph:step:"  # how LangGraph tags what is a node, rather than something inside one


class Listener(BaseCallbackHandler):
    """Makes a span of each node, tool and model, and hands on nothing that they are given or say."""

    run_inline = True  # in order, and before the run can end
    ignore_retriever = True
    ignore_custom_event = True
    ignore_retry = True

    def __init__(self, spans: Spans, inside: Place) -> None:
        self._make = spans
        self._inside = inside
        self._places: dict[UUID, Place] = {}  # of what runs, in which what it calls has its own
        self._spans: dict[UUID, Span] = {}
        self._silent: dict[UUID, float] = {}  # when models were asked that have said nothing yet

    def close(self) -> None:
        """Ends what was left behind."""
        while self._spans:
            self._spans.popitem()[1].end()

    # nodes

    def on_chain_start(
        self,
        serialized: dict[str, Any],
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        name: str | None = None,
        **_: Any,
    ) -> None:
        node = (metadata or {}).get("langgraph_node")
        if node is None or node != name or not any(tag.startswith(STEP) for tag in tags or ()):
            self._places[run_id] = self._place(parent_run_id)
            return
        attributes = (("langgraph.node", node), ("langgraph.step", (metadata or {}).get("langgraph_step", 0)))
        self._begin(f"node {node}", run_id, parent_run_id, attributes)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **_: Any) -> None:
        self._end(run_id)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        self._end(run_id, error)

    # tools

    def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        name: str | None = None,
        **_: Any,
    ) -> None:
        tool = name or (serialized or {}).get("name", "")
        attributes = (("gen_ai.operation.name", "execute_tool"), ("gen_ai.tool.name", tool))
        self._begin(f"execute_tool {tool}", run_id, parent_run_id, attributes)

    def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        self._end(run_id)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        self._end(run_id, error)

    # models

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[Any]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        self._ask("chat", run_id, parent_run_id, metadata or {})

    def on_llm_start(
        self,
        serialized: dict[str, Any],
        prompts: list[str],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        self._ask("text_completion", run_id, parent_run_id, metadata or {})

    def on_llm_new_token(self, token: Any, *, run_id: UUID, **_: Any) -> None:
        if self._silent and (asked_at := self._silent.pop(run_id, None)) is not None:
            waited_s = time.perf_counter() - asked_at
            self._spans[run_id].more["gen_ai.response.time_to_first_chunk"] = waited_s

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **_: Any) -> None:
        if span := self._spans.get(run_id):
            span.more |= usage(response)
        self._end(run_id)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        self._end(run_id, error)

    # spans

    def _ask(self, operation: str, run_id: UUID, parent: UUID | None, metadata: dict[str, Any]) -> None:
        model = str(metadata.get("ls_model_name", ""))
        attributes = (
            ("gen_ai.operation.name", operation),
            ("gen_ai.provider.name", str(metadata.get("ls_provider", ""))),
            ("gen_ai.request.model", model),
        )
        self._silent[run_id] = time.perf_counter()
        self._begin(f"{operation} {model}", run_id, parent, attributes, SpanKind.CLIENT)

    def _place(self, parent: UUID | None) -> Place:
        return self._places.get(parent, self._inside) if parent else self._inside

    def _begin(
        self,
        name: str,
        run_id: UUID,
        parent: UUID | None,
        attributes: Attributes,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> None:
        span = self._make.begin(self._place(parent), name, attributes, kind)
        self._spans[run_id] = span
        self._places[run_id] = span.place

    def _end(self, run_id: UUID, error: BaseException | None = None) -> None:
        self._places.pop(run_id, None)
        self._silent.pop(run_id, None)
        span = self._spans.pop(run_id, None)
        if span is None:
            return
        # A node that asks a person, or stops for a drain, has not failed.
        if error and not isinstance(error, GraphBubbleUp):
            span.fail(type(error).__name__)
        span.end()


def usage(response: LLMResult) -> dict[str, str | int]:
    """What a model says of its answer, but for the answer."""
    for answers in response.generations:
        for answer in answers:
            if isinstance(answer, ChatGeneration) and isinstance(answer.message, AIMessage):
                return read_usage(answer.message)
    return {}


def read_usage(message: AIMessage) -> dict[str, str | int]:
    found: dict[str, str | int] = {}
    if model := message.response_metadata.get("model_name"):
        found["gen_ai.response.model"] = str(model)
    if used := message.usage_metadata:
        found["gen_ai.usage.input_tokens"] = used["input_tokens"]
        found["gen_ai.usage.output_tokens"] = used["output_tokens"]
    return found
