"""The project's own agent, on the shop and the bank of a scenario, with a model that does what it is told.

A customer writes the number of an order and an amount, and the model asks for that refund.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from graph.agent import build
from graph.lookups import REQUEST_REFUND
from graph.models import Model
from graph.settings import Settings
from graph.workplace import Doors, Workplace, open_shop
from tools.payments.simulated import SimulatedProvider

BANK_TIMEOUT_S = 1.0


class Obedient(BaseChatModel):
    @property
    def _llm_type(self) -> str:
        return "obedient"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise NotImplementedError

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        if not isinstance(messages[-1], HumanMessage):  # the tool could not be used
            yield ChatGenerationChunk(message=AIMessageChunk(content="Please ask again."))
            return
        order_id, amount = messages[-1].text.split()
        args = json.dumps({"order_id": order_id, "amount": amount})
        call = tool_call_chunk(name=REQUEST_REFUND, args=args, id=f"call-{order_id}", index=0)
        yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[call]))


def connect(tools: Sequence[dict[str, Any]]) -> Model:
    return Obedient()


async def open_workplace() -> Workplace:
    async with AsyncExitStack() as opening:
        settings = Settings.read()
        shop = await opening.enter_async_context(await asyncio.to_thread(open_shop, settings))
        bank = await asyncio.to_thread(SimulatedProvider, os.environ["CHAOS_BANK"], timeout_s=BANK_TIMEOUT_S)
        await opening.enter_async_context(bank)
        return Workplace(settings, shop, bank, connect, opening.pop_all())


support = build(Doors(open_workplace))
