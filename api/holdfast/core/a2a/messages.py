"""Messages of A2A: what a client says, and what is said to it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

import orjson

from holdfast.core.answers import Pending
from holdfast.core.chat import approval_id, display
from holdfast.errors import Invalid

Json = dict[str, Any]

MESSAGES = UUID("9d0a3f5e-60f4-5f7a-8a51-0f4f3e7c2b90")  # any constant will do: it sets these ids apart
HOPS = "holdfast_hops"
MOST_HOPS = 1000
BETWEEN = "\n\n"
JSON_TYPE = "application/json"
TEXT_ONLY = "Files are not taken: send text, or data as JSON."


class UnsupportedContent(Invalid):
    """The message holds what this agent does not take."""


@dataclass(frozen=True, slots=True)
class Said:
    """A client's message: its texts, and the JSON that it holds.

    `hops` is how many agents it has come through, by their own account: for graphs that ask other agents, so
    that these do not hand a question around.
    """

    message_id: str
    text: str
    data: list[Any]
    hops: int = 0

    @property
    def content(self) -> str:
        """What the graph is told: data in the form of JSON, after the text."""
        return BETWEEN.join(filter(None, [self.text, *map(as_text, self.data)]))


def read_message(message: Mapping[str, Any]) -> Said:
    """Raises `UnsupportedContent` for files, `Invalid` for a message that says nothing."""
    parts = message.get("parts") or []
    texts = [part["text"] for part in parts if "text" in part]
    data = [with_integers(part["data"]) for part in parts if "data" in part]
    if any("raw" in part or "url" in part for part in parts):
        raise UnsupportedContent(TEXT_ONLY)
    said = Said(message["messageId"], BETWEEN.join(texts), data, read_hops(message))
    if not said.content.strip():
        raise Invalid("The message says nothing.")
    return said


def read_hops(message: Mapping[str, Any]) -> int:
    hops = (message.get("metadata") or {}).get(HOPS)
    return round(min(max(hops, 0), MOST_HOPS)) if isinstance(hops, int | float) else 0


def with_integers(value: Any) -> Any:
    """JSON as it was sent: the protocol's package reads each number as a float."""
    if isinstance(value, dict):
        return {name: with_integers(one) for name, one in value.items()}
    if isinstance(value, list):
        return [with_integers(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def as_text(value: Any) -> str:
    return orjson.dumps(value).decode()


def text_part(text: str) -> Json:
    return {"text": text, "mediaType": "text/plain"}


def data_part(data: Any) -> Json:
    return {"data": data, "mediaType": JSON_TYPE}


def message(task_id: str, context_id: str, role: str, message_id: str, parts: list[Json]) -> Json:
    named = {"messageId": message_id, "taskId": task_id, "contextId": context_id}
    return {**named, "role": f"ROLE_{role}", "parts": parts}


def own_id(*about: str) -> str:
    """The id of a message of ours: the same whenever it is told again."""
    return str(uuid5(MESSAGES, "\0".join(about)))


def question(waiting: Iterable[Pending]) -> list[Json]:
    """What is asked: in words, and as data, with the id that an answer names."""
    listed = list(waiting)
    asked = [{"id": approval_id(one), "interrupt_id": one.interrupt_id, "value": one.value} for one in listed]
    return [text_part(BETWEEN.join(map(in_words, listed))), data_part({"interrupts": asked})]


def in_words(one: Pending) -> str:
    shown = display(one)
    if isinstance(shown, str):
        return shown
    if not isinstance(shown, dict) or "title" not in shown:
        return as_text(shown)
    facts = (fact for fact in shown.get("facts") or () if isinstance(fact, dict))
    lines = [f"{fact.get('label', '')}: {fact.get('value', '')}" for fact in facts]
    return "\n".join([str(shown["title"]), *lines])
