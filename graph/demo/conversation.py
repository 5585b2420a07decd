"""A request of either protocol, read into one shape: who said what, and which tools are offered."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from graph.demo.replies import Call

Role = Literal["system", "user", "assistant", "tool"]
_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}


class RequestInvalid(ValueError):
    """The request is not one of this protocol; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    text: str = ""
    calls: tuple[Call, ...] = ()
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class Conversation:
    """All a model gets to know: the messages so far and the names of the tools it may call."""

    messages: tuple[Message, ...]
    tools: frozenset[str] = frozenset()

    @property
    def user_texts(self) -> list[str]:
        return [message.text for message in self.messages if message.role == "user"]

    @property
    def last_user_text(self) -> str:
        return next(reversed(self.user_texts), "")

    @property
    def calls(self) -> list[Call]:
        return [call for message in self.messages for call in message.calls]

    @property
    def last_answer(self) -> str:
        """What the assistant last said in words, before the customer's last message or after."""
        said = (m.text for m in reversed(self.messages) if m.role == "assistant" and m.text)
        return next(said, "")

    @property
    def answered(self) -> bool:
        """The customer has not spoken since the assistant's last words."""
        spoken = [message for message in self.messages if message.role != "system"]
        return bool(spoken) and spoken[-1].role == "assistant"

    @property
    def characters(self) -> int:
        said = sum(len(message.text) for message in self.messages)
        return said + sum(len(call.arguments) for call in self.calls)

    def fresh_results(self) -> list[tuple[Call, str]]:
        """The tool results the model has not spoken about yet, each with the call that it answers."""
        asked = {call.id: call for call in self.calls}
        found: list[tuple[Call, str]] = []
        for message in reversed(self.messages):
            if message.role == "system":
                continue
            if message.role != "tool":
                break
            found.append((asked.get(message.call_id, Call("unknown")), message.text))
        return found[::-1]


def read_chat(body: dict[str, Any]) -> Conversation:
    """The body of `POST /v1/chat/completions`; raises RequestInvalid."""
    messages = tuple(_chat_message(item) for item in _objects(body.get("messages"), "messages"))
    tools = (tool.get("function") or {} for tool in _objects(body.get("tools") or [], "tools"))
    return Conversation(messages, _offered(tools, body))


def read_responses(body: dict[str, Any]) -> Conversation:
    """The body of `POST /v1/responses`; raises RequestInvalid."""
    spoken = body.get("input")
    items = [{"role": "user", "content": spoken}] if isinstance(spoken, str) else _objects(spoken, "input")
    opening = body.get("instructions")
    system = (Message("system", opening),) if isinstance(opening, str) else ()
    tools = (tool for tool in _objects(body.get("tools") or [], "tools") if tool.get("type") == "function")
    return Conversation(system + tuple(_response_messages(items)), _offered(tools, body))


def _offered(tools: Iterable[dict[str, Any]], body: dict[str, Any]) -> frozenset[str]:
    if body.get("tool_choice") == "none":
        return frozenset()
    return frozenset(str(tool["name"]) for tool in tools if tool.get("name"))


def _objects(value: Any, where: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise RequestInvalid(f"{where} must be a list of objects")
    return value


def _role(name: Any) -> Role:
    if name not in _ROLES:
        raise RequestInvalid(f"unknown role {name!r}")
    return _ROLES[name]


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text") or "") for part in parts if isinstance(part, dict))


def _chat_message(item: dict[str, Any]) -> Message:
    calls = tuple(
        Call(call["function"]["name"], call["function"]["arguments"], call["id"])
        for call in item.get("tool_calls") or ()
    )
    return Message(_role(item.get("role")), _text(item.get("content")), calls, item.get("tool_call_id") or "")


def _response_messages(items: Iterable[dict[str, Any]]) -> Iterator[Message]:
    for item in items:
        match item.get("type", "message"):
            case "message":
                yield Message(_role(item.get("role")), _text(item.get("content")))
            case "function_call":
                yield Message("assistant", calls=(Call(item["name"], item["arguments"], item["call_id"]),))
            case "function_call_output":
                output = item.get("output")
                text = output if isinstance(output, str) else _text(output) or json.dumps(output)
                yield Message("tool", text, call_id=item.get("call_id", ""))
