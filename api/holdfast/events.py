"""LangGraph's stream, turned into the events of the log: text that both wires and every reader agree on.

An event is `run, mode, namespace, time (ms), data (JSON)` joined by the unit separator, which JSON escapes.
Where a checkpoint holds the data, it is `reference, data` joined by the group separator: both are pushed to
the readers, and the log keeps the reference.
"""

import math
import re
import time as clock
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from dataclasses import fields as dataclass_fields
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from typing import Any, NamedTuple

import orjson
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    BaseMessageChunk,
    message_chunk_to_message,
)
from langgraph.types import Interrupt

from holdfast.errors import words
from holdfast.redaction import Chunks, Redactor

SEPARATOR = b"\x1f"
KEPT = b"\x1d"

# What a client may ask for, and what LangGraph calls it. `events` are those of LangChain's callbacks.
LANGGRAPH_MODES = {
    "values": "values",
    "updates": "updates",
    "messages": "messages",
    "messages-tuple": "messages",
    "custom": "custom",
    "tasks": "tasks",
    "checkpoints": "checkpoints",
    "debug": "debug",
    "tools": "tools",
    "task": "tasks",
}

EVENTS = "events"

# What a run has to log besides, for readers of protocol v3.
TASK = "task"
PROTOCOL_MODES = ("values", "updates", "messages-tuple", "custom", "tools", TASK)

# What the log keeps of a task for them: it was given the values, and what it has written are the updates.
OF_TASK = ("id", "name", "triggers", "error", "interrupts")

# The mode of what tells who has a thread: an event of the thread's own, outside of its runs.
HOLD = "hold"

# The modes that a reader gets whatever it asked for.
ALWAYS = frozenset({"metadata", "error"})


@dataclass(frozen=True, slots=True)
class Event:
    run_id: str
    mode: str
    namespace: str
    at_ms: int
    data: bytes
    reference: bytes = b""  # names the checkpoint that holds the data, in JSON

    def encode(self) -> bytes:
        head = f"{self.run_id}\x1f{self.mode}\x1f{self.namespace}\x1f{self.at_ms}\x1f"
        reference = self.reference + KEPT if self.reference else b""
        return head.encode() + reference + self.data

    @classmethod
    def decode(cls, text: bytes) -> "Event":
        run_id, mode, namespace, at_ms, data = text.split(SEPARATOR, 4)
        reference, kept, whole = data.partition(KEPT)
        event = (run_id.decode(), mode.decode(), namespace.decode(), int(at_ms))
        return cls(*event, whole, reference) if kept else cls(*event, data)

    @property
    def whole(self) -> bool:
        """False for one read from the log, whose data is to be fetched from a checkpoint."""
        return bool(self.data)

    @property
    def begins(self) -> bool:
        """Whether it is the first of its run: a further attempt is not."""
        return self.mode == "metadata" and orjson.loads(self.data)["attempt"] == 1

    @property
    def name(self) -> str:
        """The event's name on the classic wire: `values`, or `values|child:<task>` from a subgraph."""
        return f"{self.mode}|{self.namespace}" if self.namespace else self.mode


def encode_interrupt(interrupt: Interrupt) -> dict[str, Any]:
    return {
        "value": interrupt.value,
        "id": interrupt.id,
        "response_schema": getattr(interrupt, "response_schema", None),
    }


def to_json(value: Any) -> Any:
    """What JSON has no form for: messages, models, interrupts and the like. Used by `dump`."""
    if isinstance(value, type):
        return repr(value)
    if isinstance(value, Interrupt):
        return encode_interrupt(value)
    if hasattr(value, "model_dump"):
        return value.model_dump()
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclass_fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    for kinds, write in WRITTEN:
        if isinstance(value, kinds):
            return write(value)
    if is_named_tuple(value):
        return value._asdict()
    return list(value) if hasattr(value, "__iter__") else words(value)


def is_named_tuple(value: Any) -> bool:
    return isinstance(value, tuple) and hasattr(value, "_asdict")


# Before what can be iterated over: a network would be all of its addresses.
WRITTEN: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    ((bytes, bytearray, memoryview), lambda data: b64encode(data).decode()),
    (timedelta, timedelta.total_seconds),
    (re.Pattern, lambda pattern: pattern.pattern),
    ((IPv4Network, IPv6Network), str),
    (BaseException, lambda error: {"error": type(error).__name__, "message": words(error)}),
)
OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS
MAX_DEPTH = 250  # orjson writes 254 levels


def plain(value: Any, inside: tuple[int, ...] = ()) -> Any:
    """The slow way for what orjson refuses: huge integers, lone surrogates, odd keys, endless nesting.

    `inside` are the ids of what the value lies in.
    """
    if len(inside) > MAX_DEPTH or id(value) in inside:
        return "…"
    if (leaf := plain_leaf(value)) is not value or value is None or isinstance(value, str | int | float):
        return leaf
    inside = (*inside, id(value))
    if isinstance(value, Mapping):
        return {plain_key(key): plain(item, inside) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and not is_named_tuple(value):
        return [plain(item, inside) for item in value]
    return plain(to_json(value), inside)


def plain_leaf(value: Any) -> Any:
    """A text, number or time as orjson writes it or could; anything else as it is."""
    match value:
        case Enum():
            return plain(value.value)
        case str():
            return value.encode("utf-8", "replace").decode()
        case date() | time():
            return value.isoformat()
        case float():
            return value if math.isfinite(value) else None
        case int() if not -(2**63) <= value < 2**64:
            return float(value) if abs(value) < 2**1023 else str(Decimal(value))
    return value


def plain_key(key: Any) -> str:
    """A key as orjson writes it or could."""
    try:
        [text] = orjson.loads(orjson.dumps({key: 0}, option=OPTIONS))
    except TypeError:
        text = str(key)
    found: str = text.encode("utf-8", "replace").decode()
    return found


def dump(value: Any) -> bytes:
    """JSON as the clients expect it: a message is its `model_dump()`, an interrupt has value and id."""
    try:
        return orjson.dumps(value, to_json, OPTIONS)
    except (TypeError, orjson.JSONEncodeError):
        return orjson.dumps(plain(value))


def now_ms() -> int:
    return clock.time_ns() // 1_000_000


class Speech(NamedTuple):
    """A message as it is being streamed, and the node that streams it."""

    node: str
    parts: list[AIMessageChunk]


class Encoder:
    """Turns the chunks of one attempt at a run into events, in the modes that the run asked for."""

    def __init__(self, run_id: str, modes: list[str], redactor: Redactor | None = None) -> None:
        self.run_id = run_id
        self.modes = frozenset(modes)
        self.seen_values = False
        self.finished_nodes: list[str] = []
        self.first_token_ms: int | None = None  # since the epoch
        self._redactor = redactor
        self._chunks = Chunks(redactor) if redactor else None
        self._whole: dict[str, BaseMessage] = {}
        self._step: dict[str, Speech] = {}

    @property
    def langgraph_modes(self) -> list[str]:
        """`values` is the answer of `wait` and `join`, `updates` say which nodes have finished, and by
        `custom` a graph may ask for a person."""
        asked = (LANGGRAPH_MODES[mode] for mode in self.modes - {EVENTS})
        return sorted({"values", "updates", "custom", *asked})

    @property
    def wants_events(self) -> bool:
        return EVENTS in self.modes

    def event(self, mode: str, data: Any, namespace: str = "", reference: bytes = b"") -> Event:
        text = dump(data)
        if self._redactor:
            text = self._redactor.json(text)
            reference = reference and self._redactor.json(reference)
        return Event(self.run_id, mode, namespace, now_ms(), text, reference)

    def encode(self, mode: str, chunk: Any, namespace: str = "", reference: bytes = b"") -> Iterator[Event]:
        self._watch(mode, chunk, namespace)
        if mode in ("updates", "custom") and mode not in self.modes:
            return
        if mode == "messages":
            for told in self._chunks.take(chunk, namespace) if self._chunks else (chunk,):
                yield from self._tell(told, namespace)
            return
        if mode == "values" and not namespace and self._chunks:
            for of, told in self._chunks.rest():
                yield from self._tell(told, of)
        if mode == EVENTS and self._redactor and chunk["event"].endswith("_stream"):
            return  # pieces of a text, in which nothing can be found
        if mode == "tasks":
            yield from self._tell_task(chunk, namespace)
        elif mode in ("checkpoints", "debug"):
            yield self.event(mode, DESCRIBE[mode](chunk), namespace)
        else:
            yield self.event(mode, chunk, namespace, reference)

    def _tell(self, told: tuple[BaseMessage, dict[str, Any]], namespace: str) -> Iterator[Event]:
        if "messages-tuple" in self.modes:
            yield self.event("messages", told, namespace)
        if "messages" in self.modes:
            # Their names bear no namespace, even with subgraphs: clients match them whole.
            for name, data in self._accumulate(*told):
                yield self.event(name, data)

    def _tell_task(self, task: dict[str, Any], namespace: str) -> Iterator[Event]:
        if "tasks" in self.modes:
            yield self.event("tasks", task, namespace)
        if TASK in self.modes:
            brief = {name: task[name] for name in OF_TASK if name in task}
            yield self.event(TASK, brief, namespace)

    def _watch(self, mode: str, chunk: Any, namespace: str) -> None:
        """Remembers what a run that is cut off has to tell, and when its first text came."""
        if self.first_token_ms is None and mode == "messages" and is_text(chunk[0]):
            self.first_token_ms = now_ms()
        if namespace:
            return
        if mode == "values":
            self.seen_values = True
            self._step.clear()  # what was said in this step is in the state by now
        elif mode == "updates" and isinstance(chunk, dict):
            self.finished_nodes += [name for name in chunk if not name.startswith("__")]
        elif mode == "messages" and isinstance(chunk[0], AIMessageChunk):
            message, metadata = chunk
            node = str(metadata.get("langgraph_node", ""))
            self._step.setdefault(str(message.id), Speech(node, [])).parts.append(message)

    def unfinished(self) -> list[tuple[str, AIMessage]]:
        """(node, message) for what was streamed in the step that is going on: text only, no tool calls."""
        said = []
        for message_id, speech in self._step.items():
            if text := "".join(part.text for part in speech.parts):
                said.append((speech.node, AIMessage(text, id=message_id)))
        return said

    def _accumulate(self, message: BaseMessage, metadata: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        """The `messages` mode: each message as it stands so far, and once what produced it."""
        key = str(message.id)
        before = self._whole.get(key)
        if before is None:
            yield "messages/metadata", {key: {"metadata": metadata}}
        if not isinstance(message, BaseMessageChunk):
            self._whole[key] = message
            yield "messages/complete", [message]
            return
        whole = before + message if isinstance(before, BaseMessageChunk) else message
        self._whole[key] = whole
        yield "messages/partial", [message_chunk_to_message(whole)]


def is_text(message: BaseMessage) -> bool:
    return isinstance(message, AIMessage) and bool(message.text)


def describe_config(config: dict[str, Any] | None) -> dict[str, Any] | None:
    """A checkpoint's address, from the config that LangGraph gives."""
    configurable = (config or {}).get("configurable")
    if not configurable or "checkpoint_id" not in configurable:
        return None
    address = {
        "checkpoint_id": configurable["checkpoint_id"],
        "thread_id": configurable.get("thread_id"),
        "checkpoint_ns": configurable.get("checkpoint_ns", ""),
    }
    if way := configurable.get("checkpoint_map"):
        address["checkpoint_map"] = way
    return address


def public_config(config: dict[str, Any] | None) -> dict[str, Any] | None:
    """A config without what LangGraph and the server put into it for themselves."""
    if config is None:
        return None
    configurable = {
        key: value for key, value in config.get("configurable", {}).items() if not key.startswith("__")
    }
    return {"configurable": configurable}


def describe_checkpoint(payload: dict[str, Any]) -> dict[str, Any]:
    return {
        **payload,
        "config": public_config(payload.get("config")),
        "parent_config": public_config(payload.get("parent_config")),
        "checkpoint": describe_config(payload.get("config")),
        "parent_checkpoint": describe_config(payload.get("parent_config")),
    }


def describe_debug(chunk: dict[str, Any]) -> dict[str, Any]:
    if chunk.get("type") != "checkpoint":
        return chunk
    return {**chunk, "payload": describe_checkpoint(chunk["payload"])}


DESCRIBE: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "checkpoints": describe_checkpoint,
    "debug": describe_debug,
}
