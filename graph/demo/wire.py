"""The two OpenAI protocols: how a reply is written as one document or as the frames of a stream."""

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from graph.demo.conversation import Conversation, read_chat, read_responses
from graph.demo.replies import Call, Reply, Usage, argument_pieces, count_tokens, words


@dataclass(frozen=True, slots=True)
class Frame:
    """A piece of the event stream; `spoken` when the model says something in it."""

    data: str
    spoken: bool = False


class Wire(Protocol):
    conversation: Conversation
    streamed: bool

    def document(self, reply: Reply) -> dict[str, Any]: ...

    def frames(self, reply: Reply) -> Iterator[Frame]: ...


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class ChatCompletion:
    """`POST /v1/chat/completions`."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.conversation = read_chat(body)
        self.streamed = bool(body.get("stream"))
        self._counts_wanted = bool((body.get("stream_options") or {}).get("include_usage"))
        self._head = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": str(body.get("model")),
            "system_fingerprint": None,
        }

    def document(self, reply: Reply) -> dict[str, Any]:
        message: dict[str, Any] = {
            "role": "assistant",
            "content": None if reply.calls and not reply.text else reply.text,
            "refusal": reply.refusal or None,
        }
        if reply.calls:
            message["tool_calls"] = [_chat_call(call, call.arguments) for call in reply.calls]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(reply)}
        counts = _chat_usage(count_tokens(self.conversation.characters, reply))
        return {**self._head, "object": "chat.completion", "choices": [choice], "usage": counts}

    def frames(self, reply: Reply) -> Iterator[Frame]:
        yield self._delta({"role": "assistant", "content": ""})
        for word in words(reply.text):
            yield self._delta({"content": word}, spoken=True)
        for word in words(reply.refusal):
            yield self._delta({"refusal": word}, spoken=True)
        for index, call in enumerate(reply.calls):
            yield self._delta({"tool_calls": [{"index": index, **_chat_call(call, "")}]})
            for piece in argument_pieces(call):
                more = {"index": index, "function": {"arguments": piece}}
                yield self._delta({"tool_calls": [more]}, spoken=True)
        yield self._delta({}, finish=_finish(reply))
        if self._counts_wanted:
            usage = count_tokens(self.conversation.characters, reply)
            yield self._chunk(choices=[], usage=_chat_usage(usage))
        yield Frame("data: [DONE]\n\n")

    def _delta(self, delta: dict[str, Any], finish: str | None = None, spoken: bool = False) -> Frame:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._chunk(spoken, choices=[choice])

    def _chunk(self, spoken: bool = False, **fields: Any) -> Frame:
        chunk = {**self._head, "object": "chat.completion.chunk", **fields}
        return Frame(f"data: {_dumps(chunk)}\n\n", spoken)


def _finish(reply: Reply) -> str:
    return "tool_calls" if reply.calls else "stop"


def _chat_call(call: Call, arguments: str) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _chat_usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.total,
    }


class Response:
    """`POST /v1/responses`."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.conversation = read_responses(body)
        self.streamed = bool(body.get("stream"))
        self._sequence = 0
        self._head: dict[str, Any] = {
            "id": f"resp_{uuid.uuid4().hex}",
            "object": "response",
            "created_at": int(time.time()),
            "model": str(body.get("model")),
            "parallel_tool_calls": bool(body.get("parallel_tool_calls", True)),
            "tool_choice": body.get("tool_choice", "auto"),
            "tools": body.get("tools") or [],
            "error": None,
            "incomplete_details": None,
            "instructions": body.get("instructions"),
            "metadata": body.get("metadata") or {},
        }

    def document(self, reply: Reply) -> dict[str, Any]:
        return self._completed(_output(reply), reply)

    def frames(self, reply: Reply) -> Iterator[Frame]:
        output = _output(reply)
        opening = {**self._head, "status": "in_progress", "output": [], "usage": None}
        yield self._event("response.created", response=opening)
        yield self._event("response.in_progress", response=opening)
        for index, item in enumerate(output):
            where = {"output_index": index, "item_id": item["id"]}
            speak = self._message if item["type"] == "message" else self._call
            yield from speak(where, item)
            yield self._event("response.output_item.done", output_index=index, item=item)
        yield self._event("response.completed", response=self._completed(output, reply))

    def _completed(self, output: list[dict[str, Any]], reply: Reply) -> dict[str, Any]:
        usage = count_tokens(self.conversation.characters, reply)
        return {**self._head, "status": "completed", "output": output, "usage": _response_usage(usage)}

    def _message(self, where: dict[str, Any], item: dict[str, Any]) -> Iterator[Frame]:
        opening = {**item, "status": "in_progress", "content": []}
        yield self._event("response.output_item.added", output_index=where["output_index"], item=opening)
        for index, part in enumerate(item["content"]):
            yield from self._part({**where, "content_index": index}, part)

    def _part(self, where: dict[str, Any], part: dict[str, Any]) -> Iterator[Frame]:
        kind = "refusal" if part["type"] == "refusal" else "text"
        event = "response.refusal" if kind == "refusal" else "response.output_text"
        extra: dict[str, Any] = {} if kind == "refusal" else {"logprobs": []}
        yield self._event("response.content_part.added", **where, part={**part, kind: ""})
        for word in words(part[kind]):
            yield self._event(f"{event}.delta", spoken=True, **where, delta=word, **extra)
        yield self._event(f"{event}.done", **where, **{kind: part[kind]}, **extra)
        yield self._event("response.content_part.done", **where, part=part)

    def _call(self, where: dict[str, Any], item: dict[str, Any]) -> Iterator[Frame]:
        opening = {**item, "status": "in_progress", "arguments": ""}
        yield self._event("response.output_item.added", output_index=where["output_index"], item=opening)
        event = "response.function_call_arguments"
        for piece in argument_pieces(Call(item["name"], item["arguments"])):
            yield self._event(f"{event}.delta", spoken=True, **where, delta=piece)
        yield self._event(f"{event}.done", **where, arguments=item["arguments"], name=item["name"])

    def _event(self, kind: str, *, spoken: bool = False, **fields: Any) -> Frame:
        event = {"type": kind, "sequence_number": self._sequence, **fields}
        self._sequence += 1
        return Frame(f"event: {kind}\ndata: {_dumps(event)}\n\n", spoken)


def _output(reply: Reply) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    if reply.text or not (reply.calls or reply.refusal):
        parts.append({"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []})
    if reply.refusal:
        parts.append({"type": "refusal", "refusal": reply.refusal})
    message = {"type": "message", "id": f"msg_{uuid.uuid4().hex}", "role": "assistant"}
    spoken = [{**message, "status": "completed", "content": parts}] if parts else []
    return spoken + [_function_call(call) for call in reply.calls]


def _function_call(call: Call) -> dict[str, Any]:
    return {
        "type": "function_call",
        "id": f"fc_{call.id}",
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
        "status": "completed",
    }


def _response_usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.total,
    }
