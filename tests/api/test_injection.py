"""Whatever is said stays data: no client that reads the streams takes it for an event of its own."""

from collections.abc import Iterator
from itertools import cycle
from typing import Any

import httpx
import orjson
from httpx_sse import EventSource
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph_sdk.sse import BytesLineDecoder, SSEDecoder

from tests.api.protocols import CHANNELS, new_id, start
from tests.servers import Live, said

PIECES = [
    *(
        "\r",
        "\n",
        "\r\n",
        "\r\n\r\n",
        "\0",
        "\x0b",
        "\x0c",
        "\x1c",
        "\x1e",
        "\x85",
        "\u2028",
        "\u2029",
        "\ufeff",
    ),
    *("event: error", "data: {}", 'data: {"type": "done"}', "id: 9-9", "retry: 1", ":", " ", "\\", '"', "x"),
]
NASTY = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=12).map("".join)
SIZES = st.lists(st.integers(1, 300), min_size=1, max_size=5)  # of the chunks in which the bytes arrive

often = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

Sent = tuple[str, Any, str | None]  # name, data, id


def chunks(raw: bytes, sizes: list[int]) -> Iterator[bytes]:
    at = 0
    for size in cycle(sizes):
        if at >= len(raw):
            return
        yield raw[at : at + size]
        at += size


def by_httpx_sse(raw: bytes, sizes: list[int]) -> list[Sent]:
    headers = {"content-type": "text/event-stream; charset=utf-8"}
    response = httpx.Response(200, headers=headers, content=chunks(raw, sizes))
    return [(sent.event, sent.json(), sent.id or None) for sent in EventSource(response).iter_sse()]


def by_sdk(raw: bytes, sizes: list[int]) -> list[Sent]:
    lines, decoder = BytesLineDecoder(), SSEDecoder()
    parts = [decoder.decode(bytes(line)) for chunk in chunks(raw, sizes) for line in lines.decode(chunk)]
    return [(part.event or "message", part.data, part.id) for part in parts if part]


def read(raw: bytes, sizes: list[int]) -> list[Sent]:
    """What both clients find."""
    found = by_httpx_sse(raw, sizes)
    assert by_sdk(raw, sizes) == found
    return found


@often
@given(text=NASTY, sizes=SIZES)
async def test_on_the_classic_wire(server: Live, text: str, sizes: list[int]) -> None:
    asked = {
        "assistant_id": "echo",
        "input": said(text),
        "stream_mode": ["values", "messages-tuple"],
        "stream_resumable": True,
        "if_not_exists": "create",
    }
    async with server.http() as http:
        reply = await http.post(f"/threads/{new_id()}/runs/stream", json=asked)
    names, data, ids = zip(*read(reply.content, sizes), strict=True)
    assert names == ("metadata", "values", "messages", "values")
    assert ids == ("1-1", "1-2", "1-3", "1-4")
    assert [message["content"] for message in data[-1]["messages"]] == [text, f"echo: {text}"]


@often
@given(text=NASTY, sizes=SIZES)
async def test_on_the_thread_s_wire(server: Live, text: str, sizes: list[int]) -> None:
    thread_id, raw = new_id(), b""
    async with server.http() as http:
        await start(http, thread_id, "echo", said(text))
        asked = {"channels": CHANNELS}
        async with http.stream("POST", f"/threads/{thread_id}/stream/events", json=asked) as reply:
            async for chunk in reply.aiter_bytes():
                raw += chunk
                if b'"event":"completed"' in raw and raw.endswith(b"\r\n\r\n"):
                    break
    frames = read(raw, sizes)
    assert all((name, str(frame["seq"])) == (frame["method"], id) for name, frame, id in frames)
    values = [frame["params"]["data"] for name, frame, _ in frames if name == "values"]
    assert [message["content"] for message in values[-1]["messages"]] == [text, f"echo: {text}"]
    told = [frame["params"]["data"] for name, frame, _ in frames if name == "messages"]
    spoken = "".join(one["delta"]["text"] for one in told if one["event"] == "content-block-delta")
    assert spoken.endswith(f"echo: {text}")


@often
@given(text=NASTY.filter(str.strip), sizes=SIZES)
async def test_at_the_door_for_clients_without_an_sdk(server: Live, text: str, sizes: list[int]) -> None:
    async with server.http() as http:
        reply = await http.post("/chat/stream", json={"session_id": new_id(), "message": text})
    assert reply.status_code == 200, reply.text
    found = read(reply.content, sizes)
    assert {(name, id) for name, _, id in found} == {("message", None)}
    *deltas, done = (data for _, data, _ in found)
    assert {delta["type"] for delta in deltas} <= {"delta"}
    assert (done["type"], done["content"]) == ("done", f"echo: {text}")
    blocks = reply.content.removesuffix(b"\n\n").split(b"\n\n")
    assert [orjson.loads(block.removeprefix(b"data: ")) for block in blocks] == [*deltas, done]
