"""What the demo model says in one turn, and how it is cut into the pieces a stream sends."""

import json
import re
import uuid
from dataclasses import dataclass, field
from typing import Any

ARGUMENT_PIECE = 10
TOKENS_PER_CALL = 12
CHARACTERS_PER_TOKEN = 4

_WORD = re.compile(r"[\u3000-\u9fff\uff00-\uffef]{1,2}|\s*[^\s\u3000-\u9fff\uff00-\uffef]+|\s+")


def _call_id() -> str:
    return f"call_{uuid.uuid4().hex[:24]}"


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call. `arguments` is the JSON text as it goes over the wire, so that it can also be broken."""

    name: str
    arguments: str = "{}"
    id: str = field(default_factory=_call_id)

    @classmethod
    def of(cls, name: str, **arguments: Any) -> "Call":
        said = {key: value for key, value in arguments.items() if value is not None}
        return cls(name, json.dumps(said, ensure_ascii=False))

    def read(self) -> dict[str, Any]:
        """The arguments as an object; empty when they are not one."""
        try:
            arguments = json.loads(self.arguments)
        except ValueError:
            return {}
        return arguments if isinstance(arguments, dict) else {}


@dataclass(frozen=True, slots=True)
class Reply:
    """One turn of the model: text, tool calls or both; or a refusal, which goes in a field of its own."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts, estimated: nothing here has a tokenizer."""

    prompt: int
    completion: int

    @property
    def total(self) -> int:
        return self.prompt + self.completion


def count_tokens(prompt_characters: int, reply: Reply) -> Usage:
    spoken = len(words(reply.text)) + len(words(reply.refusal)) + TOKENS_PER_CALL * len(reply.calls)
    return Usage(prompt_characters // CHARACTERS_PER_TOKEN, spoken)


def words(text: str) -> list[str]:
    """The text in the pieces a stream sends: words with the blank before them, Chinese in twos."""
    return _WORD.findall(text)


def argument_pieces(call: Call) -> list[str]:
    text = call.arguments
    return [text[start : start + ARGUMENT_PIECE] for start in range(0, len(text), ARGUMENT_PIECE)]
