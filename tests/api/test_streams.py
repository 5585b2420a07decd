"""The SSE wire: headers, frames, order of events, and the data of each mode."""

from typing import Any

import httpx
import pytest

from holdfast.routes import following, sse
from tests.api.wire import Json, Sent, has_status, names, new_thread, read_stream, streamed
from tests.servers import Live, said

MODES = ["values", "updates", "messages", "messages-tuple", "custom", "tasks", "checkpoints", "debug"]


async def run_modes(
    server: Live, graph: str, mode: str | list[str], *, subgraphs: bool = False
) -> list[Sent]:
    async with server.http() as http:
        thread_id = await new_thread(http)
        events = await streamed(
            http,
            f"/threads/{thread_id}/runs/stream",
            assistant_id=graph,
            input=said("hi"),
            stream_mode=mode,
            stream_subgraphs=subgraphs,
        )
    assert (events[0].name, events[0].data["attempt"]) == ("metadata", 1)
    assert all(event.id is None for event in events)  # not asked to be resumable
    return events[1:]


async def test_a_stream_says_what_it_is_and_where_it_can_be_taken_up(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        path = f"/threads/{thread_id}/runs/stream"
        response = await http.post(path, json={"assistant_id": "echo", "input": said("hi")})
        [run] = (await http.get(f"/threads/{thread_id}/runs")).json()
    place = f"/threads/{thread_id}/runs/{run['run_id']}"
    assert response.status_code == 200
    for name, value in {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
        "location": f"{place}/stream",
        "content-location": place,
    }.items():
        assert response.headers[name] == value
    events = read_stream(response.text)
    assert events[0].data == {"run_id": run["run_id"], "attempt": 1}
    assert names(events) == ["metadata", "values", "values"]  # and no end event


async def test_a_new_run_is_followed_without_a_look_at_the_log(server: Live) -> None:
    """All of it is pushed to a reader who was there before it."""
    redis = server.platform.client.redis

    async def looks() -> int:
        told: dict[str, Any] = await redis.info("commandstats")
        return int(told.get("cmdstat_xrange", {"calls": 0})["calls"])

    async with server.http() as http:
        thread_id = await new_thread(http)
        before = await looks()
        events = await streamed(
            http, f"/threads/{thread_id}/runs/stream", assistant_id="echo", input=said("hi")
        )
    assert names(events) == ["metadata", "values", "values"]
    assert await looks() == before


async def test_events_come_in_the_order_in_which_things_happen(server: Live) -> None:
    events = await run_modes(server, "modes", ["values", "updates", "custom"])
    assert names(events) == ["values", "custom", "updates", "values", "updates", "values"]
    first, custom, spoke, _, stepped, last = (event.data for event in events)
    assert [message["content"] for message in first["messages"]] == ["hi"]
    assert custom == {"progress": 1}
    assert list(spoke) == ["speak"]
    assert stepped == {"first": {"log": ["step 0"]}}
    assert last["log"] == ["step 0"]


async def test_messages_as_tuples(server: Live) -> None:
    events = await run_modes(server, "modes", "messages-tuple")
    assert set(names(events)) == {"messages"}
    chunks = [event.data[0] for event in events]
    assert "".join(chunk["content"] for chunk in chunks) == "one two three"
    assert {chunk["type"] for chunk in chunks} == {"AIMessageChunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert [chunk["chunk_position"] for chunk in chunks] == [None] * (len(chunks) - 1) + ["last"]
    meta = events[0].data[1]
    assert (meta["langgraph_node"], meta["langgraph_step"]) == ("speak", 1)
    assert {"langgraph_checkpoint_ns", "thread_id", "run_id"} <= set(meta)


async def test_messages_as_they_grow(server: Live) -> None:
    events = await run_modes(server, "modes", "messages")
    assert names(events) == ["messages/metadata", *["messages/partial"] * (len(events) - 1)]
    [[message_id, about]] = events[0].data.items()
    assert about["metadata"]["langgraph_node"] == "speak"
    grown = [event.data[0] for event in events[1:]]
    assert [message["content"] for message in grown][-3:] == ["one two", "one two ", "one two three"]
    assert {(message["type"], message["id"]) for message in grown} == {("ai", message_id)}


async def test_a_message_that_was_not_streamed_is_complete(server: Live) -> None:
    events = await run_modes(server, "echo", "messages")
    assert names(events) == ["messages/metadata", "messages/complete"]
    [message] = events[1].data
    assert (message["type"], message["content"]) == ("ai", "echo: hi")


async def test_tasks(server: Live) -> None:
    events = await run_modes(server, "modes", "tasks")
    assert names(events) == ["tasks"] * 4
    start, result = events[2].data, events[3].data
    assert set(start) == {"id", "name", "input", "triggers", "metadata"}
    assert result == {
        "id": start["id"],
        "name": "first",
        "error": None,
        "result": {"log": ["step 0"]},
        "interrupts": [],
    }


async def test_checkpoints_and_debug(server: Live) -> None:
    events = await run_modes(server, "echo", ["checkpoints", "debug"])
    plain = [event.data for event in events if event.name == "checkpoints"]
    debug = [event.data for event in events if event.name == "debug"]
    keys = {"config", "parent_config", "values", "metadata", "next", "tasks", "checkpoint"}
    assert all(keys | {"parent_checkpoint"} == set(one) for one in plain)
    assert [one["next"] for one in plain] == [["__start__"], ["reply"], []]
    assert [one["type"] for one in debug] == ["checkpoint", "checkpoint", "task", "task_result", "checkpoint"]
    assert all(set(one) == {"step", "timestamp", "type", "payload"} for one in debug)
    last, before = debug[-1]["payload"], debug[1]["payload"]
    assert last["parent_checkpoint"] == before["checkpoint"]
    assert set(last["checkpoint"]) == {"checkpoint_id", "thread_id", "checkpoint_ns"}
    configurable = last["config"]["configurable"]
    assert configurable["checkpoint_id"] == last["checkpoint"]["checkpoint_id"]
    assert not [key for key in configurable if key.startswith("__")]  # nothing of LangGraph's inside


@pytest.mark.parametrize("subgraphs", [False, True])
async def test_the_events_of_callbacks_come_between_those_of_the_graph(
    server: Live, *, subgraphs: bool
) -> None:
    events = await run_modes(server, "modes", ["values", "events"], subgraphs=subgraphs)
    told = [event.data for event in events if event.name == "events"]
    first, last = told[0], told[-1]
    assert (first["event"], first["parent_ids"]) == ("on_chain_start", [])
    assert (last["event"], last["run_id"]) == ("on_chain_end", first["run_id"])
    pieces = [one["data"]["chunk"] for one in told if one["event"] == "on_chat_model_stream"]
    assert "".join(piece["content"] for piece in pieces) == "one two three"
    nodes = [one["name"] for one in told if one["event"] == "on_chain_start"]
    assert [name for name in nodes if name in ("speak", "first")] == ["speak", "first"]
    values = [event.data for event in events if event.name == "values"]
    assert [len(one.get("log") or ()) for one in values] == [0, 0, 1]
    assert values[-1] == last["data"]["output"]
    assert names(events)[0] == names(events)[-1] == "events"


async def test_a_run_among_events_pauses_fails_and_is_told_again_as_any(server: Live) -> None:
    asked: Json = {"stream_mode": ["values", "events"], "stream_resumable": True}
    async with server.http() as http:
        thread_id = await new_thread(http)
        path = f"/threads/{thread_id}/runs/stream"
        response = await http.post(path, json={"assistant_id": "ask", "input": {"log": ["x"]}, **asked})
        paused = read_stream(response.text)
        headers = {"Last-Event-ID": "-1"}
        again = await http.get(response.headers["location"], headers=headers)
        assert read_stream(again.text) == paused
        [waiting] = [event.data for event in paused if event.name == "values"][-1]["__interrupt__"]
        assert waiting["value"] == {"question": "go on?"}
        resumed = await streamed(http, path, assistant_id="ask", command={"resume": "yes"}, **asked)
        done = [event.data for event in resumed if event.name == "values"][-1]
        assert (done["answer"], done["log"]) == ("yes", ["x", "did yes"])
        failed = await streamed(http, path, assistant_id="fail", input={}, **asked)
        assert failed[-1].data == {"error": "ValueError", "message": "boom"}


async def test_subgraphs_are_named_in_the_event(server: Live) -> None:
    modes = ["values", "updates", "custom", "tasks", "messages-tuple"]
    events = await run_modes(server, "nested", modes, subgraphs=True)
    [namespace] = {event.name.partition("|")[2] for event in events} - {""}
    assert namespace.startswith("child:")
    inside = [event.name.partition("|")[0] for event in events if "|" in event.name]
    assert set(inside) == set(modes) - {"messages-tuple"} | {"messages"}
    assert names(events)[-1] == "values"
    without = await run_modes(server, "nested", modes)
    assert not [event for event in without if "|" in event.name]
    assert "".join(event.data[0]["content"] for event in without if event.name == "messages")


async def test_growing_messages_of_subgraphs_bear_no_namespace(server: Live) -> None:
    events = await run_modes(server, "nested", "messages", subgraphs=True)
    assert set(names(events)) == {"messages/metadata", "messages/partial"}


async def test_only_what_was_asked_is_sent(server: Live) -> None:
    for mode in MODES:
        sent = await run_modes(server, "modes", mode)
        assert {event.name.partition("/")[0] for event in sent} == {mode.removesuffix("-tuple")}


async def test_a_failure_is_the_last_event(server: Live) -> None:
    events = await run_modes(server, "fail", ["updates", "values"])
    assert names(events) == ["values", "updates", "values", "error"]
    assert events[-1].data == {"error": "ValueError", "message": "boom"}


async def test_nothing_to_say_is_an_empty_stream(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        body = {"assistant_id": "ask", "input": {}, "stream_mode": "messages-tuple"}
        events = await streamed(http, f"/threads/{thread_id}/runs/stream", **body)
    assert names(events) == ["metadata"]


# taking a stream up again


async def finished(http: httpx.AsyncClient, *, resumable: bool) -> tuple[str, list[Sent]]:
    thread_id = await new_thread(http)
    body = {"assistant_id": "echo", "input": said("hi"), "stream_resumable": resumable}
    events = await streamed(http, f"/threads/{thread_id}/runs/stream", **body)
    return f"/threads/{thread_id}/runs/{events[0].data['run_id']}/stream", events


async def take_up(http: httpx.AsyncClient, path: str, after: str | None) -> list[Sent]:
    response = await http.get(path, headers={} if after is None else {"Last-Event-ID": after}, timeout=5)
    assert response.status_code == 200, response.text
    assert response.headers["location"] == path
    return read_stream(response.text)


async def test_a_resumable_stream_goes_on_after_any_event(server: Live) -> None:
    async with server.http() as http:
        path, events = await finished(http, resumable=True)
        ids = [event.id or "" for event in events]
        assert ids == [f"1-{n}" for n in range(1, len(events) + 1)]
        for n, last in enumerate(ids, 1):
            assert await take_up(http, path, last) == events[n:]


@pytest.mark.parametrize("start", ["-1", "-", "0", "0-0"])
async def test_a_resumable_stream_is_replayed_whole(server: Live, start: str) -> None:
    async with server.http() as http:
        path, events = await finished(http, resumable=True)
        assert await take_up(http, path, start) == events


@pytest.mark.parametrize(
    "after",
    [None, "", "zz", "5", "1-2-3", "-5-1", "1-999", "999-1", "9" * 30 + "-1", "1-" + "9" * 30, "1-1\u00e9"],
)
async def test_nothing_comes_after_a_place_that_is_none(server: Live, after: str | None) -> None:
    async with server.http() as http:
        path, _ = await finished(http, resumable=True)
        headers = httpx.Headers({} if after is None else {"Last-Event-ID": after}, encoding="utf-8")
        response = await http.get(path, headers=headers, timeout=5)
    assert (response.status_code, response.text) == (200, "")


async def test_a_run_that_is_not_resumable_has_no_past(server: Live) -> None:
    async with server.http() as http:
        path, _ = await finished(http, resumable=False)
        for after in ("-1", "1-1", None):
            assert await take_up(http, path, after) == []


async def test_a_log_that_has_gone_is_an_empty_stream(server: Live) -> None:
    async with server.http() as http:
        path, _ = await finished(http, resumable=True)
        thread_id = path.split("/")[2]
        await server.platform.client.call("DEL", server.platform.keys.events(thread_id))
        assert await take_up(http, path, "-1") == []


@pytest.mark.parametrize(
    "query", ["stream_mode=updates", 'stream_mode=["updates"]', "stream_mode=updates&stream_mode=tasks"]
)
async def test_a_replay_shows_the_modes_it_asks_for(server: Live, query: str) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        body = {
            "assistant_id": "echo",
            "input": said("hi"),
            "stream_resumable": True,
            "stream_mode": ["values", "updates"],
        }
        [first, *_] = await streamed(http, f"/threads/{thread_id}/runs/stream", **body)
        path = f"/threads/{thread_id}/runs/{first.data['run_id']}/stream?{query}"
        replayed = await http.get(path, headers={"Last-Event-ID": "-1"})
    assert names(read_stream(replayed.text)) == ["metadata", "updates"]


@pytest.mark.parametrize("after", [None, "999-999"])
async def test_a_running_run_is_joined_live(server: Live, after: str | None) -> None:
    sdk = server.sdk()
    async with server.http() as http:
        thread_id = await new_thread(http)
        run = await sdk.runs.create(
            thread_id, "steps", input={"delay": 0.3}, stream_mode="values", stream_resumable=True
        )
        await has_status(sdk, thread_id, run["run_id"], "running")
        path = f"/threads/{thread_id}/runs/{run['run_id']}/stream"
        events = await take_up(http, path, after)
    assert events[-1].data["log"] == ["step 0", "step 1", "step 2"]
    assert len(events) < 5


async def test_the_sdk_joins_a_stream(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    run = await sdk.runs.create(
        thread_id, "echo", input=said("hi"), stream_mode="values", stream_resumable=True
    )
    await sdk.runs.join(thread_id, run["run_id"])
    parts: list[Any] = [
        part async for part in sdk.runs.join_stream(thread_id, run["run_id"], last_event_id="-1")
    ]
    assert [part.event for part in parts] == ["metadata", "values", "values"]


async def test_a_silent_stream_is_kept_alive(server: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sse, following):
        monkeypatch.setattr(module, "PING_S", 0.05)
    async with server.http() as http:
        thread_id = await new_thread(http)
        body = {"assistant_id": "steps", "input": {"delay": 0.2}, "stream_mode": "updates"}
        text = (await http.post(f"/threads/{thread_id}/runs/stream", json=body)).text
        wait = await http.post(f"/threads/{thread_id}/runs/wait", json=body)
    assert text.count(": heartbeat\r\n") >= 3
    assert names(read_stream(text)) == ["metadata", "updates", "updates", "updates"]
    blanks, values = wait.text[: wait.text.index("{")], wait.json()
    assert set(blanks) == {"\n"}
    assert len(values["log"]) == 6


async def test_frames_survive_whatever_a_graph_says(server: Live) -> None:
    odd = "a\r\nevent: error\r\n\r\nb\u2028c\x1f\x1e\0d"
    async with server.http() as http:
        thread_id = await new_thread(http)
        body: Json = {"assistant_id": "echo", "input": said(odd), "stream_mode": "messages"}
        events = await streamed(http, f"/threads/{thread_id}/runs/stream", **body)
    assert names(events) == ["metadata", "messages/metadata", "messages/complete"]
    assert events[-1].data[0]["content"] == f"echo: {odd}"
