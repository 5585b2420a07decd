"""Short ways to write down a conversation, and to wait for what the server's own thread does."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from graph.demo.conversation import Conversation, Message
from graph.demo.replies import Call, Reply
from graph.demo.understanding import answer

TOOLS = ("query_order", "query_logistics", "list_orders", "request_refund", "talk_to_person")

DATA: dict[str, Any] = {
    "order_id": "12345",
    "status": "delivered",
    "placed_at": "2025-11-16T09:00:00+00:00",
    "delivered_at": "2025-11-20T09:00:00+00:00",
    "currency": "CNY",
    "paid": "7999.00",
    "refunded": "0.00",
    "refundable": "7999.00",
    "items": [{"sku": "IP16", "quantity": 1, "price": "7999.00"}],
}
ORDER: dict[str, Any] = {"data": DATA, "untrusted_text": {"item_names": ["iPhone 16"], "note": ""}}


def user(text: str) -> Message:
    return Message("user", text)


def assistant(text: str) -> Message:
    return Message("assistant", text)


def used(name: str, result: object, **arguments: Any) -> tuple[Message, Message]:
    """A tool call of the assistant and what came back."""
    call = Call.of(name, **arguments)
    text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
    return Message("assistant", calls=(call,)), Message("tool", text, call_id=call.id)


def talk(*messages: Message, tools: tuple[str, ...] = TOOLS) -> Conversation:
    return Conversation(messages, frozenset(tools))


def reply_to(*messages: Message, tools: tuple[str, ...] = TOOLS, obey: bool = False) -> Reply:
    return answer(talk(*messages, tools=tools), obey=obey)


def called(reply: Reply) -> list[tuple[str, dict[str, Any]]]:
    """The calls of a reply, without the reason, which is the customer's own words."""
    calls = [(call.name, call.read()) for call in reply.calls]
    return [(name, {k: v for k, v in arguments.items() if k != "reason"}) for name, arguments in calls]


def tool_specs(names: tuple[str, ...] = TOOLS) -> list[dict[str, Any]]:
    parameters = {"type": "object", "properties": {"order_id": {"type": "string"}}}
    return [
        {"type": "function", "function": {"name": name, "description": name, "parameters": parameters}}
        for name in names
    ]


async def wait_until(true: Callable[[], bool], what: str, timeout_s: float = 5.0) -> None:
    """Fails naming `what` when it has not become true in time."""
    try:
        async with asyncio.timeout(timeout_s):
            while not true():  # noqa: ASYNC110 - the condition is set by another thread
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"not within {timeout_s} s: {what}") from None
