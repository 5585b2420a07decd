"""How events become frames of protocol v3: whatever a model streams, and however its message ends."""

from collections.abc import Iterable
from typing import Any

import orjson
import pytest

from holdfast.core.frames import FRAMES, LOST, Frame, Rendering, numbered, read_custom
from holdfast.events import Event
from holdfast.wire.protocol import EventsRequest
from tests.api.protocols import Json

RUN = "run-1"
CALL = {"name": "look_up", "args": "", "id": "call-1", "index": 0}


def event(mode: str, data: Json, namespace: str = "", run_id: str = RUN) -> Event:
    return Event(run_id, mode, namespace, 0, orjson.dumps(data))


def chunk(content: Any = "", *, last: bool = False, message_id: str = "m1", **more: Any) -> Event:
    message = {"type": "AIMessageChunk", "id": message_id, "content": content, **more}
    about = {"langgraph_node": "speak"}
    return event("messages", [{**message, "chunk_position": "last" if last else None}, about])


def frames(*events: Event, rendering: Rendering | None = None) -> list[Frame]:
    rendering = rendering or Rendering()
    begin = event("metadata", {"run_id": RUN, "attempt": 1})
    return [frame for one in (begin, *events) for frame in rendering.frames(one)][1:]


def told(found: Iterable[Frame]) -> list[Json]:
    """The data of `messages` frames, without the names that each of them bears."""
    payloads = [frame.data for frame in found if frame.method == "messages"]
    assert {data["id"] for data in payloads} <= {"m1"}
    return [{key: value for key, value in data.items() if key not in ("id", "run_id")} for data in payloads]


def test_text_and_a_tool_call_as_they_are_streamed() -> None:
    streamed = frames(
        chunk("Let "),
        chunk("me"),
        chunk(tool_call_chunks=[CALL]),
        chunk(tool_call_chunks=[{"name": None, "args": '{"id": ', "id": None, "index": 0}]),
        chunk(tool_call_chunks=[{"name": None, "args": "5}", "id": None, "index": 0}]),
        chunk(usage_metadata={"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}),
        chunk(last=True, response_metadata={"finish_reason": "tool_calls"}),
    )
    assert told(streamed) == [
        {"event": "message-start", "role": "ai"},
        {"event": "content-block-start", "index": 0, "content": {"type": "text", "text": ""}},
        {"event": "content-block-delta", "index": 0, "delta": {"type": "text-delta", "text": "Let "}},
        {"event": "content-block-delta", "index": 0, "delta": {"type": "text-delta", "text": "me"}},
        {"event": "content-block-start", "index": 1, "content": {"type": "tool_call_chunk", **CALL}},
        {"event": "content-block-delta", "index": 1, "delta": {"type": "tool-call-delta", "args": '{"id": '}},
        {"event": "content-block-delta", "index": 1, "delta": {"type": "tool-call-delta", "args": "5}"}},
        {"event": "content-block-finish", "index": 0, "content": {"type": "text", "text": "Let me"}},
        {
            "event": "content-block-finish",
            "index": 1,
            "content": {"type": "tool_call", "id": "call-1", "name": "look_up", "args": {"id": 5}},
        },
        {
            "event": "message-finish",
            "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
            "metadata": {"finish_reason": "tool_calls"},
        },
    ]
    assert {frame.node for frame in streamed} == {"speak"}


def test_a_message_that_was_not_streamed_is_told_the_same_way() -> None:
    call = {"name": "look_up", "args": {"id": 5}, "id": "call-1", "type": "tool_call"}
    message = {"type": "ai", "id": "m1", "content": "hi", "tool_calls": [call]}
    whole = told(frames(event("messages", [message, {}])))
    assert [data["event"] for data in whole] == [
        "message-start",
        *["content-block-start", "content-block-delta"] * 2,
        *["content-block-finish"] * 2,
        "message-finish",
    ]
    assert whole[6]["content"] == call | {"type": "tool_call"}


def test_blocks_of_content() -> None:
    blocks: list[Json] = [
        {"type": "thinking", "thinking": "hm", "index": 0},
        {"type": "text", "text": "so", "index": 1},
        {"type": "tool_use", "id": "x", "index": 2},
        {"type": "image", "url": "u"},
        {"type": "text", "text": "", "index": 1},
        "plain",
    ]
    payloads = told(frames(chunk(blocks, last=True)))
    final = [data["content"] for data in payloads if data["event"] == "content-block-finish"]
    assert final == [
        {"type": "reasoning", "reasoning": "hm"},
        {"type": "text", "text": "so"},
        {"type": "image", "url": "u"},
        {"type": "text", "text": "plain"},
    ]


def test_arguments_that_are_no_json() -> None:
    [block] = [
        data["content"]
        for data in told(frames(chunk(tool_call_chunks=[CALL | {"args": '{"id'}], last=True)))
        if data["event"] == "content-block-finish"
    ]
    assert (block["type"], block["args"], block["name"]) == ("invalid_tool_call", '{"id', "look_up")


@pytest.mark.parametrize(
    ("kind", "role"), [("human", "human"), ("system", "system"), ("tool", None), ("remove", None)]
)
def test_who_speaks(kind: str, role: str | None) -> None:
    found = told(frames(event("messages", [{"type": kind, "id": "m1", "content": "hi"}, {}])))
    assert (found[0]["role"] if found else None) == role


def test_a_message_is_told_once() -> None:
    whole = event("messages", [{"type": "ai", "id": "m1", "content": "hi"}, {}])
    assert len(frames(whole, whole)) == len(frames(whole))
    assert len(frames(chunk("hi", last=True), whole)) == len(frames(whole))


def test_a_message_whose_worker_was_lost_ends_in_an_error_and_comes_again() -> None:
    again = event("metadata", {"run_id": RUN, "attempt": 2})
    found = frames(chunk("Let "), again, chunk("Let me", last=True))
    methods = [(frame.method, frame.data["event"]) for frame in found]
    assert methods[3:6] == [
        ("messages", "error"),
        ("lifecycle", "running"),
        ("messages", "message-start"),
    ]
    assert found[3].data["message"] == LOST


@pytest.mark.parametrize(
    ("status", "ending"),
    [
        ("error", ["error", "failed"]),
        ("interrupted", ["content-block-finish", "message-finish", "interrupted"]),
        ("success", ["content-block-finish", "message-finish", "completed"]),
    ],
)
def test_a_message_that_is_cut_off_by_the_end_of_its_run(status: str, ending: list[str]) -> None:
    found = frames(chunk("Let "), event("end", {"status": status, "thread_status": "idle"}))
    assert [frame.data["event"] for frame in found[3:]] == ending


def test_two_messages_at_once_are_told_apart() -> None:
    found = frames(chunk("a"), chunk("b", message_id="m2"), chunk("c"))
    texts = [(f.data["id"], f.data["delta"]["text"]) for f in found if "delta" in f.data]
    assert texts == [("m1", "a"), ("m2", "b"), ("m1", "c")]


def test_graphs_inside_end_with_the_run_when_nothing_tells_them_apart() -> None:
    two = [event("custom", 1, "child:a"), event("custom", 1, "child:b|deep:c")]
    found = frames(*two, event("updates", {"child": None}), event("end", {"status": "error"}))
    ended = [(f.namespace, f.data["event"]) for f in found if f.method == "lifecycle"]
    assert ended[:3] == [
        (["child:a"], "started"),
        (["child:b"], "started"),
        (["child:b", "deep:c"], "started"),
    ]
    assert ended[3] == (["child:b", "deep:c"], "failed")  # the innermost first
    assert ended[-1] == ([], "failed")


def test_updates_are_one_frame_a_node() -> None:
    found = frames(event("updates", {"one": None, "two": [{"a": 1}, {"b": 2}], "three": 3}))
    assert [frame.data for frame in found] == [
        {"node": "one", "values": {}},
        {"node": "two", "values": {"a": 1}},
        {"node": "two", "values": {"b": 2}},
        {"node": "three", "values": {"__root__": 3}},
    ]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (5, {"payload": 5}),
        ({"progress": 1}, {"payload": {"progress": 1}}),
        ({"name": "bar", "payload": 1}, {"name": "bar", "payload": 1}),
        ({"name": "bar", "x": 1}, {"name": "bar", "payload": {"name": "bar", "x": 1}}),
        ({"name": 5}, {"payload": {"name": 5}}),
    ],
)
def test_custom(written: Json, read: Json) -> None:
    assert read_custom(written) == read


@pytest.mark.parametrize(
    ("channels", "name", "covered"),
    [
        (["custom"], "bar", True),
        (["custom"], None, True),
        (["custom:bar"], "bar", True),
        (["custom:bar"], "foo", False),
        (["custom:bar"], None, False),
        (["values"], "values", False),
    ],
)
def test_what_a_graph_writes_has_channels_of_its_own(
    channels: list[str], name: str | None, covered: bool
) -> None:
    asked = EventsRequest(channels=channels)
    assert asked.covers("custom", [], {"payload": 1} | ({"name": name} if name else {})) is covered


@pytest.mark.parametrize("count", [1, 2, FRAMES, FRAMES + 5])
def test_the_last_frame_of_an_event_bears_its_number(count: int) -> None:
    frame = Frame("custom", [], 1)
    seqs = [seq for seq, _ in numbered(3, [frame] * count)]
    assert seqs == sorted(seqs)
    assert seqs[-1] == 3 * FRAMES
    assert seqs[0] > 2 * FRAMES
    assert count > FRAMES or len(set(seqs)) == count
