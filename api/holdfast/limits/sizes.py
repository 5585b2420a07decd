"""How much one input may hold, beyond what the size of a request's body bounds."""

from collections.abc import Iterator
from typing import Any

import orjson

from holdfast.errors import Invalid, TooLarge
from holdfast.settings import Settings
from holdfast.wire.common import metadata_fault

MESSAGES = "messages"
MAX_DEPTH = 200  # what is read must be writable again, inside of other things: orjson writes 254 levels


def check_messages(settings: Settings, *given: Any) -> None:
    """Looks at what graphs are given: a state, an update of one, or messages. Raises `TooLarge`."""
    most, longest = settings.max_messages, settings.max_message_chars
    messages = [message for one in given for message in messages_in(one)]
    if 0 < most < len(messages):
        raise TooLarge(f"An input may have {most} messages, and this one has {len(messages)}.")
    for message in messages:
        if 0 < longest < (length := sum(map(len, texts(message)))):
            raise TooLarge(f"A message may have {longest} characters, and one here has {length}.")


def check_metadata(metadata: dict[str, Any]) -> None:
    """Looks at what a thing is to have. Raises `Invalid`."""
    if fault := metadata_fault(metadata):
        raise Invalid(f"metadata: {fault}")


def messages_in(given: Any) -> Iterator[Any]:
    match given:
        case {"messages": list(messages)}:
            yield from messages
        case {"messages": message}:
            yield message
        case [*items]:
            for item in items:
                match item:
                    case ["messages", update]:  # an update in pairs of key and value
                        yield from messages_in({MESSAGES: update})
                    case _:
                        yield item


def texts(message: Any) -> Iterator[str]:
    """The text of a message, in each form that LangChain takes one in."""
    match message:
        case {"content": content} | [str(), content] | (str() as content):
            blocks = content if isinstance(content, list) else [content]
        case _:
            return
    for block in blocks:
        match block:
            case str(text) | {"text": str(text)}:
                yield text


def check_depth(body: bytes) -> None:
    """Looks at JSON as it comes in. Raises `Invalid`."""
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and too_deep(body):
        raise Invalid(f"The JSON is nested too deep: {MAX_DEPTH} levels are taken.")


def too_deep(body: bytes) -> bool:
    try:
        return depth(orjson.loads(body)) > MAX_DEPTH
    except orjson.JSONDecodeError as error:  # what else is wrong says the route
        return error.msg == "depth limit exceeded"


def depth(value: Any) -> int:
    """How many lists and objects are nested in each other."""
    levels, inside = 0, [value]
    while inside := [one for one in inside if isinstance(one, dict | list)]:
        inside = [item for one in inside for item in (one.values() if isinstance(one, dict) else one)]
        levels += 1
    return levels
