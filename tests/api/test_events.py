"""Events as text: JSON of whatever a graph says, messages as they grow, frames that nothing breaks."""

import datetime
import enum
import ipaddress
import math
import re
import uuid
from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

import httpx
import httpx_sse
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langgraph.types import Interrupt
from pydantic import BaseModel

from holdfast.events import Encoder, Event, dump
from holdfast.redis.lua import Place
from holdfast.redis.stream import RECORD, Stored, read_push
from holdfast.routes.following import frame
from holdfast.routes.sse import HEARTBEAT


class Color(enum.Enum):
    RED = "red"


class Shape(BaseModel):
    sides: int = 4


@dataclass
class Box:
    shape: Shape = field(default_factory=Shape)
    tags: frozenset[str] = frozenset({"a"})


class Corner(NamedTuple):
    x: int
    y: int


def deep(levels: int) -> Any:
    value: Any = "bottom"
    for _ in range(levels):
        value = [value]
    return value


CYCLE: list[Any] = []
CYCLE += [CYCLE, {"again": CYCLE}]


ODD: list[tuple[Any, Any]] = [
    (Decimal("128.50"), "128.50"),
    (Decimal("NaN"), "NaN"),
    ({"a", 1}, None),
    (frozenset({2}), [2]),
    ((1, (2,)), [1, [2]]),
    (deque([1, 2]), [1, 2]),
    (math.nan, None),
    ([math.inf, -math.inf], [None, None]),
    ("\ud800x", "?x"),
    ({"\udfff": "\ud800"}, {"?": "?"}),
    (2**64, float(2**64)),
    (-(10**400), str(-(10**400))),
    ({2: "a", None: "b", True: "c"}, {"2": "a", "null": "b", "true": "c"}),
    ({(1, 2): "a"}, {"(1, 2)": "a"}),
    (Color.RED, "red"),
    (Shape(), {"sides": 4}),
    (Box(), {"shape": {"sides": 4}, "tags": ["a"]}),
    (datetime.date(2026, 1, 2), "2026-01-02"),
    (uuid.UUID(int=1), str(uuid.UUID(int=1))),
    (ValueError("boom"), {"error": "ValueError", "message": "boom"}),
    (Interrupt(value="?", id="i"), {"value": "?", "id": "i", "response_schema": None}),
    ({"a": [Interrupt(value=Decimal(1), id="i")]}, None),
    (b"\xff", "/w=="),
    (memoryview(b"x"), "eA=="),
    (datetime.timedelta(minutes=1.5), 90.0),
    (ipaddress.ip_network("10.0.0.0/8"), "10.0.0.0/8"),
    (re.compile(b"a+"), "YSs="),
    (Corner(1, 2), {"x": 1, "y": 2}),
    (
        {"half": "\ud800", "corner": Corner(1, 2), "raw": b"\xff"},
        {"half": "?", "corner": {"x": 1, "y": 2}, "raw": "/w=="},
    ),
    (Shape, None),
    (Color, None),
    (Box, None),
    (len, None),
    (object(), None),
    (deep(1000), None),
    (CYCLE, None),
    (10**5000, None),
    (datetime.time(1, tzinfo=datetime.UTC), "01:00:00+00:00"),
    (
        [{"a": "\ud800", "b": Box(), "c": Decimal(1)}],
        [{"a": "?", "b": {"shape": {"sides": 4}, "tags": ["a"]}, "c": "1"}],
    ),
    (
        {"when": datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), "half": "\ud800"},
        {"when": "2026-01-02T00:00:00+00:00", "half": "?"},
    ),
    ({"color": Color.RED, "half": "\ud800"}, {"color": "red", "half": "?"}),
]


@pytest.mark.parametrize(("value", "text"), ODD, ids=range(len(ODD)))
def test_dump_has_a_form_for_everything(value: Any, text: Any) -> None:
    found = orjson.loads(dump(value))
    if text is not None or value is math.nan:
        assert found == text


JSONS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None, exclude_categories=())),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(), inner, max_size=4)
        | st.tuples(inner)
        | st.frozensets(st.integers())
    ),
    max_leaves=10,
)


@given(JSONS)
def test_dump_is_always_one_line_of_json(value: Any) -> None:
    text = dump(value)
    orjson.loads(text)
    assert not set(text) & set(b"\r\n\x1e\x1f\0")


@given(st.text(), st.text(), st.integers(1, 9), st.booleans())
def test_frames_are_read_by_a_real_client(said: str, more: str, count: int, with_id: bool) -> None:
    encoder = Encoder("run", ["custom"])
    payloads = [{"said": said, more: n} for n in range(count)]
    events = [event for data in payloads for event in encoder.encode("custom", data, "child:1")]
    body = HEARTBEAT.join(
        frame(Stored(Place(3, n), event), with_id=with_id) for n, event in enumerate(events)
    )
    response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body)
    found = list(httpx_sse.EventSource(response).iter_sse())
    assert [(sent.event, sent.json()) for sent in found] == [("custom|child:1", data) for data in payloads]
    assert [sent.id for sent in found] == ([f"3-{n}" for n in range(count)] if with_id else [""] * count)


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_a_push_holds_what_was_put_in(texts: list[str]) -> None:
    events = [Event("run", "custom", "", 5, dump(text)) for text in texts]
    payload = RECORD.join([b"2-7", *(event.encode() for event in events)])
    assert read_push(payload) == [Stored(Place(2, 7 + n), event) for n, event in enumerate(events)]


def grown(*chunks: Any) -> list[tuple[str, Any]]:
    encoder = Encoder("run", ["messages"])
    events = [
        event for chunk in chunks for event in encoder.encode("messages", (chunk, {"node": "n"}), "child:1")
    ]
    return [(event.name, orjson.loads(event.data)) for event in events]


def test_chunks_add_up_to_a_message() -> None:
    events = grown(
        AIMessageChunk(content="one", id="m"),
        AIMessageChunk(content=" two", id="m"),
        AIMessageChunk(
            content="", id="m", tool_call_chunks=[{"name": "look", "args": '{"a":', "id": "c", "index": 0}]
        ),
        AIMessageChunk(
            content="", id="m", tool_call_chunks=[{"name": None, "args": "1}", "id": None, "index": 0}]
        ),
    )
    assert events[0] == ("messages/metadata", {"m": {"metadata": {"node": "n"}}})
    assert [name for name, _ in events[1:]] == ["messages/partial"] * 4
    assert [data[0]["content"] for _, data in events[1:]] == ["one", "one two", "one two", "one two"]
    whole = events[-1][1][0]
    assert (whole["type"], whole["tool_calls"][0]["args"]) == ("ai", {"a": 1})


def test_messages_do_not_mix() -> None:
    events = grown(
        AIMessageChunk(content="a", id="1"),
        AIMessageChunk(content="b", id="2"),
        AIMessageChunk(content="c", id="1"),
    )
    partial = [(data[0]["id"], data[0]["content"]) for name, data in events if name == "messages/partial"]
    assert partial == [("1", "a"), ("2", "b"), ("1", "ac")]
    assert [name for name, _ in events].count("messages/metadata") == 2


@pytest.mark.parametrize(
    "message", [AIMessage("x", id="m"), HumanMessage("x", id="m"), ToolMessage("x", id="m", tool_call_id="c")]
)
def test_whole_messages_are_complete(message: Any) -> None:
    [about, (name, [sent])] = grown(message)
    assert (about[0], name, sent["type"]) == ("messages/metadata", "messages/complete", message.type)


def test_both_forms_of_messages_at_once() -> None:
    encoder = Encoder("run", ["messages", "messages-tuple"])
    events = list(encoder.encode("messages", (AIMessageChunk(content="x", id="m"), {}), "child:1"))
    assert [event.name for event in events] == ["messages|child:1", "messages/metadata", "messages/partial"]
    assert encoder.langgraph_modes == ["custom", "messages", "updates", "values"]


@pytest.mark.parametrize("mode", ["custom", "updates"])
def test_what_the_platform_itself_wants_to_see_is_not_logged_for_others(mode: str) -> None:
    for asked, count in ((["values"], 0), ([mode], 1)):
        encoder = Encoder("run", asked)
        assert mode in encoder.langgraph_modes
        assert len(list(encoder.encode(mode, {"node": {}}))) == count


def test_an_event_survives_the_log() -> None:
    event = Event("run", "values", "child:1|grandchild:2", 1_700_000_000_000, dump({"a": "\x1f\x1e\r\n"}))
    assert Event.decode(event.encode()) == event
    assert event.name == "values|child:1|grandchild:2"
