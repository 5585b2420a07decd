"""What the events of a thread's log are on protocol v3.

Frames are made for each reader from the same log that the classic wire is read from. What a frame is depends
on the events of its run that came before, and on nothing else: so whoever reads a run from its first event
gets the same frames with the same numbers.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from holdfast.events import HOLD, Event
from holdfast.wire.messages import ROLES, Growing

# The number of an event times this is the `seq` of its last frame: so a cursor can point between the frames
# of one event, and counts on for the thread's whole life as the log itself does.
FRAMES = 1000

LOST = "The worker was lost while it wrote this message: the step runs again."
ENDED = "The run ended before this message did."


@dataclass(frozen=True, slots=True)
class Frame:
    method: str
    namespace: list[str]
    data: Any
    node: str | None = None

    def encode(self, seq: int, event_id: str, at_ms: int) -> "Encoded":
        params = {"namespace": self.namespace, "timestamp": at_ms, "data": self.data}
        if self.node:
            params["node"] = self.node
        body = {"type": "event", "event_id": event_id, "seq": seq, "method": self.method, "params": params}
        return Encoded(self.method, seq, orjson.dumps(body))


class Encoded(NamedTuple):
    """A frame as it is sent, in whatever way."""

    method: str
    seq: int
    body: bytes

    @property
    def sse(self) -> bytes:
        return b"event: %b\r\ndata: %b\r\nid: %d\r\n\r\n" % (self.method.encode(), self.body, self.seq)


def through(number: int) -> int:
    """The cursor after all frames of the event with this number."""
    return number * FRAMES


def numbered(number: int, frames: list[Frame]) -> Iterator[tuple[int, Frame]]:
    """The frames of an event with their `seq`; the last one has the event's, however many there are."""
    start, last = through(number - 1), through(number)
    for place, frame in enumerate(frames, 1):
        yield last if place == len(frames) else min(start + place, last - 1), frame


def lifecycle(event: str, graph_name: str | None, namespace: Iterable[str] = (), **more: Any) -> Frame:
    about = {"graph_name": graph_name} if graph_name else {}
    return Frame("lifecycle", list(namespace), {"event": event, **about, **more})


def requested(interrupt: dict[str, Any]) -> Frame:
    """What waits, under both names that clients know it by."""
    value = interrupt.get("value")
    return Frame("input.requested", [], {"interrupt_id": interrupt["id"], "payload": value, "value": value})


def checkpoint_told(
    namespace: list[str], checkpoint_id: str, parent_id: str | None, metadata: Mapping[str, Any]
) -> Frame:
    """Which checkpoint holds the values that come next, and what it follows."""
    parent = {"parent_id": parent_id} if parent_id else {}
    about = {"step": metadata.get("step", 0), "source": metadata.get("source", "loop")}
    return Frame("checkpoints", namespace, {"id": checkpoint_id, **parent, **about})


def state_told(state: Mapping[str, Any]) -> list[Frame]:
    """A state in the form of the wire: its checkpoint, if it has one, and its values."""
    values = Frame("values", [], state["values"])
    if not state.get("checkpoint_id"):
        return [values]
    about = state["checkpoint_id"], state.get("parent_checkpoint_id"), state.get("metadata") or {}
    return [checkpoint_told([], *about), values]


def hold_told(data: bytes) -> Frame:
    """Who has the thread, on a channel that may be asked for by its name."""
    return Frame("custom", [], {"name": HOLD, "payload": orjson.loads(data)})


class Rendering:
    """Turns the events of a thread into frames, one after the other."""

    def __init__(self) -> None:
        self.graph_name: str | None = None
        self._run: str | None = None
        self._error = ""
        self._children: dict[tuple[str, ...], None] = {}
        self._telling: dict[tuple[str, str], Growing] = {}
        self._told: set[tuple[str, str]] = set()
        self._written: dict[tuple[str, str], Any] = {}  # by namespace and node, what it has written last

    def frames(self, event: Event) -> list[Frame]:
        if event.mode == "metadata":
            return self._begin(event)
        if event.run_id != self._run:
            return list(self._outside(event))
        match event.mode:
            case "error":
                self._error = orjson.loads(event.data)["message"]
                return []
            case "end":
                return list(self._end(orjson.loads(event.data)))
        namespace = event.namespace.split("|") if event.namespace else []
        found = self._inside(event, namespace)
        return [] if found is None else [*self._discover(namespace), *found]

    def _inside(self, event: Event, namespace: list[str]) -> list[Frame] | None:
        """What a graph at work tells; None for what is nothing to readers of this protocol."""
        match event.mode:
            case "values":
                return self._values(namespace, event)
            case "updates":
                return self._updates(namespace, orjson.loads(event.data))
            case "messages":
                return self._message(namespace, *orjson.loads(event.data))
            case "custom":
                return [Frame("custom", namespace, read_custom(orjson.loads(event.data)))]
            case "tools":
                return [Frame("tools", namespace, orjson.Fragment(event.data))]
            case "task":
                return [Frame("tasks", namespace, self._task(event.namespace, orjson.loads(event.data)))]
        return None

    def _outside(self, event: Event) -> Iterator[Frame]:
        """What happened to the thread between runs; the end of a run that never started is none of it."""
        if event.mode == "state_update":
            yield from state_told(orjson.loads(event.data)["state"])
        elif event.mode == "standing":
            told = orjson.loads(event.data)
            yield from map(requested, told["interrupts"])
            yield lifecycle(
                "interrupted" if told["status"] == "interrupted" else "completed", self.graph_name
            )
        elif event.mode == HOLD:
            yield hold_told(event.data)

    def _begin(self, event: Event) -> list[Frame]:
        cut_off = [self._give_up(key, LOST) for key in list(self._telling)]
        if event.run_id != self._run:
            self._told.clear()
        self._run, self._error = event.run_id, ""
        self._children.clear()
        self._written.clear()
        return [*cut_off, lifecycle("running", self.graph_name)]

    def _discover(self, namespace: list[str]) -> Iterator[Frame]:
        """A graph inside of the graph starts with the first that is heard of it."""
        for depth in range(1, len(namespace) + 1):
            path = tuple(namespace[:depth])
            if path not in self._children:
                self._children[path] = None
                name, _, task_id = path[-1].partition(":")
                about = {"namespace": list(path), "graph_name": name, "trigger_call_id": task_id}
                yield Frame("lifecycle", list(path), {"event": "started", **about})

    def _values(self, namespace: list[str], event: Event) -> list[Frame]:
        data = event.data
        if b'"__interrupt__"' in data:
            values = orjson.loads(data)
            if isinstance(values, dict) and values.pop("__interrupt__", None) is not None:
                if not values:
                    return []
                data = orjson.dumps(values)
        return [*held_by(namespace, event.reference), Frame("values", namespace, orjson.Fragment(data))]

    def _task(self, namespace: str, task: dict[str, Any]) -> dict[str, Any]:
        """A task that begins, or has ended: what it has written was told just before."""
        if "triggers" in task:
            return task
        return {**task, "result": self._written.pop((namespace, task["name"]), None)}

    def _updates(self, namespace: list[str], updates: dict[str, Any]) -> list[Frame]:
        found = []
        for node, update in updates.items():
            if node == "__interrupt__":
                continue
            self._written["|".join(namespace), node] = update
            several = update if isinstance(update, list) else [update]
            found += [
                Frame("updates", namespace, {"node": node, "values": read_update(one)}, node)
                for one in several
            ]
            found += self._finish_child(tuple(namespace), node)
        return found

    def _finish_child(self, parent: tuple[str, ...], node: str) -> list[Frame]:
        """A graph that is a node has ended with its update; of several at once, nobody can tell which."""
        of_node = [
            path for path in self._children if path[:-1] == parent and path[-1].partition(":")[0] == node
        ]
        return self._end_children("completed", of_node) if len(of_node) == 1 else []

    def _end_children(self, event: str, paths: Iterable[tuple[str, ...]]) -> list[Frame]:
        ended = sorted(
            {child for path in paths for child in self._children if child[: len(path)] == path},
            key=len,
            reverse=True,
        )
        for path in ended:
            del self._children[path]
        return [lifecycle(event, path[-1].partition(":")[0], path) for path in ended]

    def _message(self, namespace: list[str], message: dict[str, Any], about: dict[str, Any]) -> list[Frame]:
        """A chunk of a message, or a whole one that was not streamed. Tool results are no messages here."""
        role, key = ROLES.get(message["type"]), ("|".join(namespace), str(message.get("id")))
        if role is None or key in self._told:
            return []
        node = about.get("langgraph_node")
        told: list[dict[str, Any]] = []
        growing = self._telling.get(key)
        if growing is None:
            growing = self._telling[key] = Growing(key[1])
            told.append(growing.start(role))
        told += growing.add(message)
        if message["type"] != "AIMessageChunk" or message.get("chunk_position") == "last":
            told += growing.finish()
            self._told.add(key)
            del self._telling[key]
        return [Frame("messages", namespace, data, node) for data in told]

    def _cut_short(self, key: tuple[str, str]) -> list[Frame]:
        """What was said until then stays said."""
        namespace = key[0].split("|") if key[0] else []
        return [Frame("messages", namespace, data) for data in self._telling.pop(key).finish()]

    def _give_up(self, key: tuple[str, str], reason: str) -> Frame:
        growing = self._telling.pop(key)
        return Frame("messages", key[0].split("|") if key[0] else [], growing.fail(reason))

    def _end(self, end: dict[str, Any]) -> Iterator[Frame]:
        waiting = end.get("interrupts") or []
        paused = bool(waiting) or end.get("thread_status") == "interrupted"
        outcome = {
            "success": "interrupted" if paused else "completed",
            "interrupted": "interrupted",
        }.get(end["status"], "failed")
        for key in list(self._telling):
            yield from [self._give_up(key, ENDED)] if outcome == "failed" else self._cut_short(key)
        yield from self._end_children(outcome, [()])
        for interrupt in waiting:
            yield requested(interrupt)
        error = {"error": self._error} if outcome == "failed" else {}
        yield lifecycle(outcome, self.graph_name, **error)


def held_by(namespace: list[str], reference: bytes) -> Iterator[Frame]:
    """The checkpoint of values that the log refers to; those of a pause stand in the one before."""
    held = orjson.loads(reference) if reference else {}
    if "step" in held and "interrupts" not in held:
        yield checkpoint_told(namespace, held["checkpoint_id"], held["parent_id"], held)


def read_update(update: Any) -> dict[str, Any]:
    if update is None:
        return {}
    return update if isinstance(update, dict) else {"__root__": update}


def read_custom(written: Any) -> dict[str, Any]:
    """What a graph wrote, in the protocol's form; a `name` of its own is the name of its channel."""
    name = written.get("name") if isinstance(written, dict) else None
    if not isinstance(name, str) or not name:
        return {"payload": written}
    return {"name": name, "payload": written.get("payload", written)}
