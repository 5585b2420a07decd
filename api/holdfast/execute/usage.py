"""What the models that a graph calls say they have used."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult


class Usage(BaseCallbackHandler):
    """Tells how many tokens a task has used so far, each time that a model has answered it.

    It hears models that are called in any thread, whether they stream or not and whatever the client wants to
    see; it tells in the loop in which it was made.
    """

    run_inline = True  # so that it is told before the task can end

    def __init__(self, tell: Callable[[str, int], None]) -> None:
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._calling: dict[UUID, str] = {}
        self._used: Counter[str] = Counter()

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        self._calling[run_id] = str((metadata or {}).get("langgraph_checkpoint_ns", ""))

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **_: Any) -> None:
        task = self._calling.pop(run_id, "")
        if tokens := total_tokens(response):
            self._loop.call_soon_threadsafe(self._add, task, tokens)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        self._calling.pop(run_id, None)

    def _add(self, task: str, tokens: int) -> None:
        self._used[task] += tokens
        self._tell(task, self._used[task])


def total_tokens(response: LLMResult) -> int:
    """Of one call: each of several answers to it states what all of them have used."""
    for answers in response.generations:
        for answer in answers:
            if isinstance(answer, ChatGeneration) and isinstance(answer.message, AIMessage):
                used = answer.message.usage_metadata
                return used["total_tokens"] if used else 0
    return 0
