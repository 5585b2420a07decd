"""What happened in a run, and when: made of its log, without a word of what was said."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from holdfast.core import runs
from holdfast.core.platform import Platform
from holdfast.events import HOLD, Event
from holdfast.redis.records import Caller, RunRecord
from holdfast.redis.stream import START
from holdfast.wire.stats import Entry, EntryKind, Timeline

SPEECH = ("ai", "AIMessageChunk")
SILENT = {"chunks": 0, "input_tokens": None, "output_tokens": None}


async def read(platform: Platform, caller: Caller, thread_id: str, run_id: str) -> Timeline:
    """Raises `ThreadNotFound` and `RunNotFound`."""
    record = await runs.get(platform, caller, thread_id, run_id)
    drawing = Drawing(record)
    async for page in platform.hub.pages(thread_id, START):
        for stored in page:
            drawing.add(stored.event)
    return drawing.finish()


class Drawing:
    """Takes the events of a thread in their order, and draws those of one run."""

    def __init__(self, record: RunRecord) -> None:
        self._record = record
        self._created_ms = round(record.created_at.timestamp() * 1000)
        self._entries: list[Entry] = []
        self._steps: dict[str, int] = {}  # by namespace, when the step that goes on began
        self._attempt: Entry | None = None
        self._messages: dict[tuple[str, str], Entry] = {}
        self._tools: dict[tuple[str, str], Entry] = {}
        self._running = False
        self._begun = False
        self._ended_ms: int | None = None
        self._first_token_ms: int | None = None

    def add(self, event: Event) -> None:
        own = event.run_id == self._record.run_id
        if event.mode == "metadata":
            self._running = own
        if event.mode == HOLD and self._running:
            self._hold(event)
        if own:
            self._add_own(event)

    def _add_own(self, event: Event) -> None:
        match event.mode:
            case "metadata":
                self._begin(event)
            case "values":
                self._steps[event.namespace] = self._at(event)
            case "updates":
                self._nodes(event)
            case "messages":
                self._message(event, *orjson.loads(event.data))
            case "tools":
                self._tool(event, orjson.loads(event.data))
            case "error":
                self._put(event, "error", orjson.loads(event.data)["error"], ms=0)
            case "end":
                self._end(event, orjson.loads(event.data))

    def finish(self) -> Timeline:
        record, ended = self._record, self._ended_ms
        if ended is None and not record.active:  # the log has gone
            ended = self._ms(record.updated_at.timestamp() * 1000)
        told = {name: getattr(record, name) for name in ("run_id", "thread_id", "status", "created_at")}
        return Timeline(
            **told,
            graph_id=record.request["graph_id"],
            ms=ended,
            first_token_ms=self._first_token_ms,
            whole=self._begun and (record.active or self._ended_ms is not None),
            entries=sorted(self._entries, key=lambda entry: entry.at_ms),
        )

    def _ms(self, at_ms: float) -> int:
        """After the run was created: clocks of two machines may differ."""
        return max(0, round(at_ms) - self._created_ms)

    def _at(self, event: Event) -> int:
        return self._ms(event.at_ms)

    def _put(self, event: Event, kind: EntryKind, name: str, **more: Any) -> Entry:
        namespace = event.namespace.split("|") if event.namespace else []
        times = {"at_ms": self._at(event), "ms": None}
        entry = Entry(kind=kind, name=name, namespace=namespace, **{**times, **more})
        self._entries.append(entry)
        return entry

    def _begin(self, event: Event) -> None:
        """What the attempt before has left open was cut off."""
        self._begun |= event.begins
        self._close(self._at(event))
        self._messages.clear()
        self._tools.clear()
        self._steps = {"": self._at(event)}
        attempt = orjson.loads(event.data)["attempt"]
        self._attempt = self._put(event, "attempt", str(attempt))

    def _close(self, at_ms: int) -> None:
        if self._attempt:
            self._attempt.ms = at_ms - self._attempt.at_ms

    def _nodes(self, event: Event) -> None:
        began, at = self._step(event.namespace), self._at(event)
        for name in orjson.loads(event.data):
            if not name.startswith("__"):
                self._put(event, "node", name, at_ms=began, ms=at - began)

    def _step(self, namespace: str) -> int:
        """When the step began in which a node of a graph runs: a graph inside begins in one of the outer."""
        while namespace not in self._steps and namespace:
            namespace = namespace.rpartition("|")[0]
        return self._steps.get(namespace, 0)

    def _message(self, event: Event, message: dict[str, Any], about: Mapping[str, Any]) -> None:
        if message["type"] not in SPEECH:
            return
        key = event.namespace, str(message.get("id"))
        entry = self._messages.get(key)
        if entry is None:
            name = str(about.get("langgraph_node") or "")
            entry = self._messages[key] = self._put(event, "message", name, **SILENT)
        entry.ms = self._at(event) - entry.at_ms
        if has_text(message.get("content")):
            entry.chunks = (entry.chunks or 0) + 1
            if self._first_token_ms is None:
                self._first_token_ms = self._at(event)
        if usage := message.get("usage_metadata"):
            entry.input_tokens = (entry.input_tokens or 0) + usage.get("input_tokens", 0)
            entry.output_tokens = (entry.output_tokens or 0) + usage.get("output_tokens", 0)

    def _tool(self, event: Event, told: Mapping[str, Any]) -> None:
        key = event.namespace, str(told.get("tool_call_id"))
        if told["event"] == "tool-started":
            self._tools[key] = self._put(event, "tool", str(told.get("tool_name") or ""))
        elif told["event"] in ("tool-finished", "tool-error") and key in self._tools:
            entry = self._tools.pop(key)
            entry.ms = self._at(event) - entry.at_ms
            if told["event"] == "tool-error":
                entry.error = True

    def _hold(self, event: Event) -> None:
        hold = orjson.loads(event.data).get("hold")
        if hold and hold.get("by") is None:
            self._put(event, "hold", str(hold["role"]), ms=0)

    def _end(self, event: Event, end: Mapping[str, Any]) -> None:
        for interrupt in end.get("interrupts") or ():
            self._put(event, "interrupt", title_of(interrupt.get("value")), ms=0)
        self._ended_ms = self._at(event)
        self._close(self._ended_ms)
        self._running = False


def has_text(content: Any) -> bool:
    """A message's content is a text, or blocks of which some are."""
    return any(isinstance(block, str) or block.get("text") for block in blocks(content))


def blocks(content: Any) -> Iterator[Any]:
    listed: Iterable[Any] = content if isinstance(content, list) else [content]
    return (block for block in listed if block and isinstance(block, str | dict))


def title_of(question: Any) -> str:
    """What a request for approval shows as its title, else the names of its actions."""
    match question:
        case {"display": {"title": str(title)}} if title:
            return title
        case {"action_requests": [*actions]}:
            return ", ".join(str(one["name"]) for one in actions if isinstance(one, dict) and "name" in one)
    return ""
