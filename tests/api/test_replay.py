"""The log keeps no values that a checkpoint holds, and what is read from it is what was streamed."""

from typing import Any

import httpx
import orjson
import pytest

from holdfast.events import dump
from holdfast.redis.stream import START
from tests.api.protocols import finished, watching
from tests.api.wire import Json, Sent, names, new_thread, read_stream, streamed
from tests.servers import Live, said

MODES = ["values", "updates", "custom", "messages-tuple"]
LARGE = "x" * 20_000


async def run(http: httpx.AsyncClient, thread_id: str, graph: str, **asked: Any) -> tuple[str, list[Sent]]:
    body = {"assistant_id": graph, "stream_mode": MODES, "stream_resumable": True, **asked}
    events = await streamed(http, f"/threads/{thread_id}/runs/stream", **body)
    run_id: str = events[0].data["run_id"]
    return f"/threads/{thread_id}/runs/{run_id}/stream", events


async def replayed(http: httpx.AsyncClient, path: str, after: str = "-1") -> list[Sent]:
    return read_stream((await http.get(path, headers={"Last-Event-ID": after})).text)


async def references(server: Live, thread_id: str) -> list[Json]:
    """Of the values in the log: where they are, or None for those that the log holds itself."""
    pages = server.platform.hub.pages(thread_id, START)
    events = [stored.event async for page in pages for stored in page]
    return [
        orjson.loads(event.reference) if event.reference else None
        for event in events
        if event.mode == "values"
    ]


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
@pytest.mark.parametrize("subgraphs", [False, True])
@pytest.mark.parametrize(
    ("graph", "given"),
    [
        ("echo", said("hi")),
        ("modes", said("hi")),
        ("steps", {}),
        ("nested", said("hi")),
        ("ask", {}),
        ("inner", {}),
        ("half", said("hi")),
        ("pair", {"questions": ["a", "b"]}),
        ("approve", {"questions": ["a", "b"]}),
        ("fail", {}),
        ("secretive", {}),
    ],
)
async def test_a_replay_is_what_was_streamed(
    server: Live, graph: str, given: Json, durability: str, *, subgraphs: bool
) -> None:
    asked = {"durability": durability, "stream_subgraphs": subgraphs}
    async with server.http() as http:
        thread_id = await new_thread(http)
        path, events = await run(http, thread_id, graph, input=given, **asked)
        assert await replayed(http, path) == events
        for number, event in enumerate(events):
            assert event.id
            assert await replayed(http, path, event.id) == events[number + 1 :]


@pytest.mark.parametrize("command", [{"resume": "yes"}, {"resume": "yes", "update": {"log": ["told"]}}])
async def test_so_it_is_when_a_run_is_resumed(server: Live, command: Json) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        await run(http, thread_id, "ask", input=said("hi"))
        path, events = await run(http, thread_id, "ask", command=command)
        assert await replayed(http, path) == events
        state = (await http.get(f"/threads/{thread_id}/state")).json()
        path, events = await run(http, thread_id, "steps", input={}, checkpoint=state["checkpoint"])
        assert await replayed(http, path) == events


async def test_what_a_checkpoint_holds_is_kept_once(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        path, events = await run(http, thread_id, "steps", input=said(LARGE))
        again = await replayed(http, path)
    assert all(await references(server, thread_id))
    assert sum(len(dump(event.data)) for event in again) > 4 * len(LARGE)
    redis, keys = server.platform.client.redis, server.platform.keys
    assert (await redis.memory_usage(keys.events(thread_id)) or 0) < len(LARGE) / 4
    assert again == events


async def test_what_no_checkpoint_holds_is_kept_in_the_log(server: Live) -> None:
    async with server.http() as http:
        half, secret = await new_thread(http), await new_thread(http)
        await run(http, half, "half", input=said("hi"))
        await run(http, secret, "secretive", input={})
        at_exit = await new_thread(http)
        await run(http, at_exit, "steps", input={}, durability="exit")
    entered, asking, with_writes = await references(server, half)
    assert asking["checkpoint_id"] == entered["checkpoint_id"]
    assert [one["value"] for one in asking["interrupts"]] == [{"question": "go on?"}]
    assert with_writes is None
    for thread_id in (secret, at_exit):
        assert not any(await references(server, thread_id))


async def test_a_run_that_takes_its_thread_with_it_leaves_its_values_in_the_log(server: Live) -> None:
    async with server.http() as http:
        body = {"assistant_id": "steps", "input": {}, "stream_mode": "values"}
        reply = await http.post("/runs/stream", json=body)
        thread_id = reply.headers["content-location"].split("/")[2]
        assert (await http.get(f"/threads/{thread_id}")).status_code == 404
    found = await references(server, thread_id)
    assert found
    assert not any(found)


async def test_who_joins_while_the_run_works_gets_its_last_values(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    made = await sdk.runs.create(thread_id, "steps", input={"delay": 0.2})
    values: Any = await sdk.runs.join(thread_id, made["run_id"])
    assert values["log"] == ["step 0", "step 1", "step 2"]


async def test_values_whose_checkpoint_is_gone_are_left_out(server: Live) -> None:
    async with server.http() as http:
        thread_id, watch = await finished(http, "steps", {})
        [made] = (await http.get(f"/threads/{thread_id}/runs")).json()
        path = f"/threads/{thread_id}/runs/{made['run_id']}/stream"
        whole = await replayed(http, path)
        await server.platform.checkpointer.forget_run(thread_id, made["run_id"])
        async with watching(http, thread_id) as later:
            await later.until_phases("running", "completed")
        left = await replayed(http, path)
    assert [event for event in whole if event.name != "values"] == left
    assert "values" in names(whole)
    rest = [frame for frame in watch.frames if frame["method"] != "values"]
    assert later.frames == rest
