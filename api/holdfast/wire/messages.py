"""A chat message on protocol v3: its start, its content block by block, its end."""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

Data = dict[str, Any]

ROLES = {"ai": "ai", "AIMessageChunk": "ai", "human": "human", "system": "system"}

# The blocks that grow: the delta of each, and the field that it is added to.
GROWING = {
    "text": ("text-delta", "text"),
    "reasoning": ("reasoning-delta", "reasoning"),
    "tool_call_chunk": ("tool-call-delta", "args"),
}

# How providers write a tool call into the content; it is read from the message's own field instead.
CALLS = frozenset({"tool_use", "input_json_delta", "function_call", "tool_call", "tool_call_chunk"})


@dataclass(slots=True)
class Block:
    index: int
    content: Data


class Growing:
    """A message that is being told. Each of its frames names it: two may be told at once."""

    def __init__(self, message_id: str) -> None:
        self._names = {"id": message_id, "run_id": message_id.removeprefix("lc_run--")}
        self._blocks: dict[Hashable, Block] = {}
        self._usage: Data = {}
        self._metadata: Data = {}

    def start(self, role: str) -> Data:
        return {"event": "message-start", "role": role, **self._names}

    def add(self, message: Mapping[str, Any]) -> Iterator[Data]:
        """A chunk of the message, or all of it."""
        for key, piece in pieces(message):
            delta, field = GROWING.get(piece["type"], ("", ""))
            block = self._blocks.get(key)
            if block is None:
                block = Block(len(self._blocks), {**piece, field: ""} if field else piece)
                self._blocks[key] = block
                yield self._told("content-block-start", block, content=dict(block.content))
            if field and piece[field]:
                block.content[field] += piece[field]
                yield self._told("content-block-delta", block, delta={"type": delta, field: piece[field]})
        self._usage = add_usage(self._usage, message.get("usage_metadata") or {})
        self._metadata |= scalars(message.get("response_metadata") or {})

    def finish(self) -> Iterator[Data]:
        for block in self._blocks.values():
            yield self._told("content-block-finish", block, content=final(block.content))
        about = {"usage": self._usage, "metadata": self._metadata}
        yield {
            "event": "message-finish",
            **{key: value for key, value in about.items() if value},
            **self._names,
        }

    def fail(self, reason: str) -> Data:
        return {"event": "error", "message": reason, **self._names}

    def _told(self, event: str, block: Block, **data: Any) -> Data:
        return {"event": event, "index": block.index, **data, **self._names}


def pieces(message: Mapping[str, Any]) -> Iterator[tuple[Hashable, Data]]:
    """What a message or a chunk of one adds, each with the key of the block that it belongs to."""
    content = message.get("content") or ()
    for part in [content] if isinstance(content, str) else content:
        yield from read_part(part)
    for call in message.get("tool_call_chunks") or whole_calls(message):
        index = call.get("index")
        key = ("call", call.get("id") if index is None else index)
        yield key, {"type": "tool_call_chunk", **call, "args": call.get("args") or ""}


def read_part(part: str | Data) -> Iterator[tuple[Hashable, Data]]:
    if isinstance(part, str):
        part = {"type": "text", "text": part}
    kind = str(part.get("type"))
    key = (kind, part.get("index"))
    match kind:
        case "text" if part.get("text"):
            yield key, {"type": "text", "text": part["text"]}
        case "reasoning" | "thinking" if text := part.get("reasoning") or part.get("thinking"):
            yield key, {"type": "reasoning", "reasoning": text}
        case "text" | "reasoning" | "thinking":
            return
        case _ if kind not in CALLS:
            yield key, part


def whole_calls(message: Mapping[str, Any]) -> list[Data]:
    return [
        {"id": call.get("id"), "name": call["name"], "args": orjson.dumps(call["args"]).decode()}
        for call in message.get("tool_calls") or ()
    ]


def final(content: Data) -> Data:
    """A block at its end; a tool call then has arguments instead of text."""
    if content["type"] != "tool_call_chunk":
        return content
    call = {"id": content.get("id"), "name": content.get("name")}
    try:
        args = orjson.loads(content["args"] or "{}")
    except orjson.JSONDecodeError:
        args = None
    if isinstance(args, dict):
        return {"type": "tool_call", **call, "args": args}
    error = "The arguments are not a JSON object."
    return {"type": "invalid_tool_call", **call, "args": content["args"], "error": error}


def add_usage(before: Data, more: Mapping[str, Any]) -> Data:
    numbers = {key: before.get(key, 0) + value for key, value in more.items() if isinstance(value, int)}
    details = {key: value for key, value in more.items() if isinstance(value, dict) and value}
    return {**before, **details, **numbers}


def scalars(metadata: Mapping[str, Any]) -> Data:
    return {key: value for key, value in metadata.items() if isinstance(value, str | int | float)}
