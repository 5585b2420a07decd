"""Messages as a model streams them: the texts in them grow from chunk to chunk."""

from collections.abc import Callable, Hashable, Iterator
from typing import Any

from langchain_core.messages import AIMessageChunk, BaseMessage

from holdfast.redaction.texts import Redactor, Tail

Path = tuple[Hashable, ...]
Change = Callable[[Path, str], str | None]
Told = tuple[BaseMessage, dict[str, Any]]  # a message or a chunk of one, and its metadata

GROWING = ("content", "additional_kwargs", "tool_call_chunks")
IDENTITY = frozenset({"type", "id", "index"})  # says which text grows
FIXED = IDENTITY | {"name"}


class Chunks:
    """Chunks without what is to be taken out, also where it came in several of them.

    What a chunk ends with is held back while it could still become something to be taken out. It is told with
    the next chunk, or before the last one of its message, or before `rest`.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._messages: dict[tuple[str, str], Message] = {}

    def take(self, told: Told, namespace: str) -> Iterator[Told]:
        chunk, metadata = told
        if not isinstance(chunk, AIMessageChunk):
            yield told
            return
        key = namespace, str(chunk.id)
        message = self._messages.setdefault(key, Message(self._redactor))
        given = message.grow(chunk, metadata)
        if chunk.chunk_position == "last":
            yield from self._messages.pop(key).rest()
        yield given, metadata

    def rest(self) -> Iterator[tuple[str, Told]]:
        """What is still held back when a step has ended, with its namespace."""
        messages, self._messages = self._messages, {}
        for (namespace, _), message in messages.items():
            for told in message.rest():
                yield namespace, told


class Message:
    """One message: the end of each text in it, and the last chunk that brought a piece of that text."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._texts: dict[Path, tuple[Tail, AIMessageChunk, dict[str, Any]]] = {}

    def grow(self, chunk: AIMessageChunk, metadata: dict[str, Any]) -> AIMessageChunk:
        def given(path: Path, piece: str) -> str:
            if path[-1] in FIXED:
                return piece
            tail = self._texts[path][0] if path in self._texts else Tail(self._redactor)
            self._texts[path] = tail, chunk, metadata
            return tail.feed(piece)

        return changed(chunk, given)

    def rest(self) -> Iterator[Told]:
        for path, (tail, chunk, metadata) in self._texts.items():
            if text := tail.end():
                yield alone(chunk, path, text), metadata


def alone(chunk: AIMessageChunk, path: Path, text: str) -> AIMessageChunk:
    """A chunk that brings one text and nothing else."""

    def only(at: Path, piece: str) -> str | None:
        if at[-1] in FIXED:
            return piece if at[-1] in IDENTITY else None
        return text if at == path else ""

    made = changed(chunk, only)
    return made.model_copy(update={"chunk_position": None, "usage_metadata": None, "response_metadata": {}})


def changed(chunk: AIMessageChunk, change: Change) -> AIMessageChunk:
    """The chunk with its texts changed, made anew so that what is read from them changes too."""
    fields = {name: getattr(chunk, name) for name in type(chunk).model_fields} | (chunk.model_extra or {})
    texts = {name: walk((name,), fields[name], change) for name in GROWING}
    return type(chunk)(**{**fields, **texts, "tool_calls": [], "invalid_tool_calls": []})


def walk(path: Path, value: Any, change: Change) -> Any:
    match value:
        case str():
            return change(path, value)
        case dict():
            return {key: walk((*path, key), item, change) for key, item in value.items()}
        case list():
            return [walk((*path, place(item, at)), item, change) for at, item in enumerate(value)]
    return value


def place(item: Any, at: int) -> Hashable:
    """Which part of a list grows: chunks count their own parts from 0, but name it."""
    named = item.get("index") if isinstance(item, dict) else None
    return at if named is None else str(named)
