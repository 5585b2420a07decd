"""An answer on the screen: the messages of a run as they are spoken, its tool calls as cards."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from holdfast.cli.chat_screen import Screen, pairs

Message = Mapping[str, Any]


class Answers:
    """Shows each message once, whether it comes in pieces, whole, or is found in the state later."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._shown: set[str] = set()
        self._spoken = ""  # the message whose pieces came last
        self._calls: dict[int, dict[str, str]] = {}

    def take(self, event: str, data: Any) -> None:
        """Shows one event of a run's stream."""
        match event.partition("|")[0]:
            case "messages":
                self._message(data[0])
            case "metadata" if data.get("attempt", 1) > 1:
                self._end_message()
                self._screen.hint("(taken up again by another worker)")
            case "error":
                self.end()
                self._screen.problem(data.get("message") or data.get("error") or "The run failed.")

    def end(self) -> None:
        self._end_message()
        self._screen.close()

    def mark(self, messages: Iterable[Message]) -> None:
        """These are not to be shown."""
        self._shown |= {str(message.get("id")) for message in messages}

    def catch_up(self, messages: Iterable[Message]) -> None:
        """Shows what the state holds and the stream did not bring."""
        for message in messages:
            if message.get("type") != "human":
                self._whole(message)

    def history(self, messages: Iterable[Message]) -> None:
        for message in messages:
            if message.get("type") == "human":
                self._screen.said(text_of(message.get("content")))
                self._shown.add(str(message.get("id")))
            else:
                self._whole(message)

    def _message(self, message: Message) -> None:
        if str(message.get("type")).endswith("Chunk"):
            self._piece(message)
        elif message.get("type") != "human":
            self._whole(message)

    def _piece(self, message: Message) -> None:
        name = str(message.get("id"))
        if name != self._spoken:
            if name in self._shown:
                return
            self._end_message()
            self._screen.close()
            self._spoken = name
        self._screen.piece(text_of(message.get("content")))
        for chunk in message.get("tool_call_chunks") or ():
            call = self._calls.setdefault(chunk.get("index") or 0, {"name": "", "args": ""})
            call["name"] += chunk.get("name") or ""
            call["args"] += chunk.get("args") or ""
        if message.get("chunk_position") == "last":
            self._end_message()

    def _end_message(self) -> None:
        calls, self._calls = self._calls, {}
        for call in calls.values():
            self._screen.card(call_card(call["name"], read_args(call["args"])))
        if self._spoken:
            self._shown.add(self._spoken)
        self._spoken = ""

    def _whole(self, message: Message) -> None:
        self._end_message()
        name = str(message.get("id"))
        if name in self._shown or message.get("type") == "system":
            return
        self._shown.add(name)
        if message.get("type") == "tool":
            self._screen.card(result_card(message))
            return
        if text := text_of(message.get("content")):
            self._screen.line(text)
        for call in message.get("tool_calls") or ():
            self._screen.card(call_card(call["name"], call["args"]))


def text_of(content: Any) -> str:
    """The text of a message, whose content is a string or a list of blocks."""
    if isinstance(content, list):
        return "".join(text_of(block) for block in content)
    if isinstance(content, Mapping):
        return str(content.get("text") or "") if content.get("type") == "text" else ""
    return content if isinstance(content, str) else ""


def read_args(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def call_card(name: str, args: Any) -> str:
    return f"* {name} {pairs(args) if isinstance(args, Mapping) else args}"


def result_card(message: Message) -> str:
    failed = "failed: " if message.get("status") == "error" else ""
    return f"= {message.get('name') or 'tool'} {failed}{text_of(message.get('content'))}"
