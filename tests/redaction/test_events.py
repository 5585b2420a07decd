"""What the log of a server holds that takes out card numbers and addresses, and what it tells."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.protocols import CHANNELS, new_id, watching
from tests.api.test_replay import replayed
from tests.api.wire import Json, Sent, new_thread, read_stream
from tests.servers import Live, live, said
from tests.waiting import wait_until

TELLING = Path(__file__).parent / "served" / "langgraph.json"
CARD, ADDRESS = "4111 1111 1111 1111", "joe.doe@example.com"
TEXT = f"pay with {CARD} for {ADDRESS} please"
LEFT = "pay with [card] for [email] please"
NUMBER = 5105105105105100
MODES = ["values", "updates", "messages-tuple", "messages", "custom", "tasks", "checkpoints", "debug"]
LEAK = re.compile(r"4111 1|1111 1111|joe\.doe|@example|510510510")  # ids hold a few digits by chance


@pytest.fixture(scope="module")
async def redacting(redis_url: str) -> AsyncIterator[Live]:
    async with live(redis_url, config=TELLING, redact="cards,emails") as running:
        yield running


async def run(
    server: Live, graph: str = "tell", text: str = TEXT, **given: Any
) -> tuple[str, str, list[Sent]]:
    """Path of the run's stream, the stream as it came, and its events."""
    async with server.http() as http:
        thread_id = await new_thread(http)
        body = {
            "assistant_id": graph,
            "input": {**said(text), "note": NUMBER, **given},
            "stream_mode": MODES,
            "stream_resumable": True,
            "stream_subgraphs": True,
        }
        answer = await http.post(f"/threads/{thread_id}/runs/stream", json=body)
    return answer.headers["location"], answer.text, read_stream(answer.text)


async def logs(server: Live) -> list[str]:
    """The keys of the event logs of the server's threads."""
    redis, keys = server.platform.client.redis, server.platform.keys
    found = [key.decode() async for key in redis.scan_iter(match=f"{keys.prefix}:*", _type="stream")]
    return [key for key in found if key not in {keys.ready(lane) for lane in range(keys.lanes)}]


async def logged(server: Live) -> str:
    """All that they hold."""
    redis = server.platform.client.redis
    rows: Json = [row for key in await logs(server) for _, row in await redis.xrange(key) or ()]
    return b"".join(value for row in rows for value in row.values()).decode()


@pytest.mark.parametrize("graph", ["tell", "outer"])
@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("way", ["speak", "ask", "fail"])
async def test_nothing_is_logged_or_streamed_in_any_mode(
    redacting: Live, graph: str, size: int, way: str
) -> None:
    path, text, events = await run(redacting, graph, size=size, way=way)
    kinds = {event.name.partition("|")[0] for event in events}
    assert {"metadata", "values", "custom", "tasks", "checkpoints", "debug"} <= kinds
    assert way != "speak" or {"updates", "messages", "messages/partial"} <= kinds
    assert not LEAK.search(text)
    assert LEFT in text
    log = await logged(redacting)
    assert not LEAK.search(log)
    assert LEFT in log
    async with redacting.http() as http:
        assert await replayed(http, path) == events, "a replay is what was streamed"


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_what_the_model_says_piece_by_piece_is_whole_again(redacting: Live, size: int) -> None:
    _, _, events = await run(redacting, size=size)
    chunks = [
        event.data[0]
        for event in events
        if event.name == "messages" and event.data[0]["type"] == "AIMessageChunk"
    ]
    assert "".join(chunk["content"] for chunk in chunks) == LEFT
    args = "".join(call["args"] for chunk in chunks for call in chunk["tool_call_chunks"])
    assert args == f'{{"order": "{LEFT}"}}'
    partial = [event.data[0] for event in events if event.name == "messages/partial"]
    assert partial[-1]["content"] == LEFT
    assert partial[-1]["tool_calls"][0]["args"] == {"order": LEFT}
    assert [event.data for event in events if event.name == "values"][-1]["messages"][-1]["content"] == LEFT
    if size < 7:
        assert len(chunks) > len(TEXT) / size / 2, "it is still a stream"


async def test_so_it_is_on_protocol_v3_live_late_and_in_a_snapshot(redacting: Live) -> None:
    thread_id = new_id()
    params = {"assistant_id": "tell", "input": {**said(TEXT), "note": NUMBER, "size": 2}}
    async with redacting.http() as http:
        async with watching(http, thread_id, channels=CHANNELS) as watch:
            await http.post(
                f"/threads/{thread_id}/commands", json={"id": 1, "method": "run.start", "params": params}
            )
            await watch.until_phases("running", "completed")
        async with watching(http, thread_id, channels=CHANNELS) as later:
            await later.until_phases("running", "completed")
        assert later.frames == watch.frames
        assert not LEAK.search(str(watch.frames))
        assert {frame["method"] for frame in watch.frames} >= {
            "values",
            "updates",
            "messages",
            "tools",
            "custom",
        }
        finished = [one["content"] for one in watch.of("messages") if one["event"] == "content-block-finish"]
        assert [one.get("text") or one["args"]["order"] for one in finished] == [LEFT, LEFT]
        await redacting.platform.client.call("DEL", redacting.platform.keys.events(thread_id))
        async with watching(http, thread_id, channels=CHANNELS) as snapshot:
            await snapshot.until(lambda: snapshot.of("values"), "a snapshot")
        assert not LEAK.search(str(snapshot.frames))
        assert LEFT in str(snapshot.frames)


@pytest.mark.parametrize("way", ["ask", "fail"])
async def test_so_is_what_waits_and_why_it_failed(redacting: Live, way: str) -> None:
    thread_id = new_id()
    params = {"assistant_id": "tell", "input": {**said(TEXT), "way": way}}
    phases = ("running", "interrupted" if way == "ask" else "failed")
    async with redacting.http() as http:
        async with watching(http, thread_id, channels=CHANNELS) as watch:
            await http.post(
                f"/threads/{thread_id}/commands", json={"id": 1, "method": "run.start", "params": params}
            )
            await watch.until_phases(*phases)
        await redacting.platform.client.call("DEL", redacting.platform.keys.events(thread_id))
        async with watching(http, thread_id, channels=CHANNELS) as snapshot:
            await snapshot.until(lambda: len(snapshot.frames) >= 2, "a snapshot")
    for frames in (watch.frames, snapshot.frames):
        assert not LEAK.search(str(frames))
        assert LEFT in str([frame for frame in frames if frame["method"] in ("input.requested", "lifecycle")])


@pytest.mark.parametrize("way", ["speak", "ask", "fail"])
async def test_so_are_the_answers_that_stand_for_the_log(redacting: Live, way: str) -> None:
    body = {"assistant_id": "tell", "input": {**said(TEXT), "note": NUMBER, "way": way}}
    async with redacting.http() as http:
        thread_id = await new_thread(http)
        waited = await http.post(f"/threads/{thread_id}/runs/wait", json=body)
        joined = await http.get(f"{waited.headers['content-location']}/join")
    for answer in (waited, joined):
        assert not LEAK.search(answer.text)
        assert LEFT in answer.text
    assert joined.json() == waited.json()


async def test_so_is_the_short_door(redacting: Live) -> None:
    async with redacting.http() as http:
        asked = await http.post("/chat", json={"message": TEXT, "session_id": "one"})
        streamed = await http.post("/chat/stream", json={"message": TEXT, "session_id": "two"})
        task = (await http.post("/chat/async", json={"message": TEXT, "session_id": "three"})).json()[
            "task_id"
        ]
        result = await done(http, task)
        await redacting.platform.client.call("DEL", *await logs(redacting))
        late = await done(http, task)
    for text in (asked.text, streamed.text, str(result), str(late)):
        assert not LEAK.search(text)
        assert "[card]" in text
    assert late == result


async def done(http: httpx.AsyncClient, task: str) -> Json:
    found: Json = {}

    async def ended() -> bool:
        nonlocal found
        found = (await http.get(f"/chat/result/{task}")).json()
        return bool(found["status"] != "running")

    await wait_until(ended, "the task is done")
    return found


async def test_the_state_itself_is_what_it_is(redacting: Live) -> None:
    path, _, _ = await run(redacting)
    async with redacting.http() as http:
        state = (await http.get(f"/threads/{path.split('/')[2]}/state")).json()
    assert state["values"]["messages"][-1]["content"] == TEXT
    assert state["values"]["note"] == NUMBER


async def test_one_kind_alone(redis_url: str) -> None:
    async with live(redis_url, config=TELLING, redact="cards") as server:
        _, text, _ = await run(server, size=2)
    assert "4111" not in text
    assert ADDRESS in text


async def test_nothing_is_taken_out_and_nothing_called_unless_it_is_asked_for(redis_url: str) -> None:
    async with live(redis_url, config=TELLING) as server:
        assert server.platform.redactor is None
        path, text, events = await run(server, size=2)
        chunks = [event.data[0] for event in events if event.name == "messages"]
        assert "[card]" not in text
        assert [chunk["content"] for chunk in chunks if chunk["content"]][:3] == ["pa", "y ", "wi"]
        async with server.http() as http:
            assert await replayed(http, path) == events


async def test_nothing_is_told_by_the_events_of_callbacks(redacting: Live) -> None:
    async with redacting.http() as http:
        thread_id = await new_thread(http)
        body = {"assistant_id": "tell", "input": {**said(TEXT), "note": NUMBER}, "stream_mode": "events"}
        answer = await http.post(f"/threads/{thread_id}/runs/stream", json=body)
    assert not LEAK.search(answer.text)
    told = [event.data["event"] for event in read_stream(answer.text)[1:]]
    assert {"on_chat_model_start", "on_chat_model_end"} <= set(told)
    assert "on_chat_model_stream" not in told  # in its pieces nothing can be found
