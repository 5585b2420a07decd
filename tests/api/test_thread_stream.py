"""The classic stream of a thread: all its runs, one after the other."""

import re
from collections import defaultdict
from typing import Any

import httpx
import pytest

from holdfast.redis.stream import parse_place
from tests.api.protocols import watching
from tests.api.thread_streams import EVERYTHING, hearing
from tests.api.wire import Json, has_logged, has_runs, new_thread, refusal, streamed
from tests.servers import Live, said
from tests.waiting import wait_until


async def run(http: httpx.AsyncClient, thread_id: str, graph: str, given: Json, **more: Any) -> Json:
    body = {"assistant_id": graph, "input": given, **more}
    return (await http.post(f"/threads/{thread_id}/runs/wait", json=body)).json()


async def begin(http: httpx.AsyncClient, thread_id: str, graph: str, given: Json, **more: Any) -> str:
    body = {"assistant_id": graph, "input": given, **more}
    run_id: str = (await http.post(f"/threads/{thread_id}/runs", json=body)).json()["run_id"]
    return run_id


async def cancel(http: httpx.AsyncClient, thread_id: str, run_id: str, action: str = "interrupt") -> None:
    path = f"/threads/{thread_id}/runs/{run_id}/cancel?wait=1&action={action}"
    assert (await http.post(path)).status_code == 200


# what is told


async def test_every_run_is_shown_as_its_own_stream_shows_it_and_its_end(server: Live) -> None:
    modes: list[Json] = ["values", ["updates", "custom"], ["messages-tuple"], ["messages", "tasks"]]
    async with server.http() as http:
        thread_id = await new_thread(http)
        # A reader of protocol v3 has runs log more than they were asked for.
        async with watching(http, thread_id), hearing(http, thread_id) as heard:
            expected = []
            for mode in modes:
                body = {"assistant_id": "modes", "input": said("hi"), "stream_mode": mode}
                sent = await streamed(http, f"/threads/{thread_id}/runs/stream", **body)
                expected += [(event.name, event.data) for event in sent]
                run_id = sent[0].data["run_id"]
                expected.append(("metadata", {"status": "run_done", "run_id": run_id}))
            await heard.until_done(len(modes))
        assert [(event.name, event.data) for event in heard.events] == expected
        places = [parse_place(event.id or "") for event in heard.events]
        assert places == sorted(set(places))


async def test_a_run_with_graphs_inside_shows_them_when_it_was_asked_to(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        async with hearing(http, thread_id) as heard:
            await run(http, thread_id, "nested", said("hi"), stream_mode=["updates"], stream_subgraphs=True)
            await heard.until_done()
        assert any(name.startswith("updates|child:") for name in heard.names)


async def test_ends_of_every_kind_are_told(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        async with hearing(http, thread_id) as heard:
            await run(http, thread_id, "fail", {})
            await run(http, thread_id, "ask", {})
            first = await begin(http, thread_id, "steps", {"delay": 0.5})
            await heard.until(lambda: heard.names.count("metadata") == 3, "a third run")
            dropped = await begin(http, thread_id, "echo", said("hi"))
            await cancel(http, thread_id, dropped)
            await cancel(http, thread_id, first)
            await heard.until_done(4)
        told: dict[str, list[str]] = defaultdict(list)
        runs = [event.data["run_id"] for event in heard.events if event.name == "metadata"]
        for event, name in zip(heard.events, heard.names, strict=True):
            if "run_id" in event.data:
                told[event.data["run_id"]].append(name)
        assert told[dropped] == ["run_done"]
        assert all(told[run_id] == ["metadata", "run_done"] for run_id in set(runs) - {dropped})
        assert heard.of("error") == [{"error": "ValueError", "message": "boom"}]
        [paused] = [values for values in heard.of("values") if "__interrupt__" in values]
        assert paused["__interrupt__"][0]["value"] == {"question": "go on?"}


async def test_lifecycle_is_the_beginnings_and_ends(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        async with hearing(http, thread_id, stream_modes="lifecycle") as heard:
            await run(http, thread_id, "steps", {})
            await http.post(f"/threads/{thread_id}/state", json={"values": {"log": ["by hand"]}})
            await run(http, thread_id, "fail", {})
            await heard.until_done(2)
        runs = [one["run_id"] for one in (await http.get(f"/threads/{thread_id}/runs")).json()[::-1]]
        assert [event.data for event in heard.events] == [
            told
            for run_id in runs
            for told in ({"run_id": run_id, "attempt": 1}, {"status": "run_done", "run_id": run_id})
        ]


async def test_a_state_written_by_hand_is_told_to_who_asked_for_it(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        path = f"/threads/{thread_id}/state"
        async with (
            hearing(http, thread_id, stream_modes="state_update") as heard,
            hearing(http, thread_id) as runs,
        ):
            await run(http, thread_id, "ask", {})
            await http.post(path, json={"values": {"answer": "by hand"}, "as_node": "question"})
            await heard.until_count(1)
            state = (await http.get(path)).json()
            await run(http, thread_id, "steps", {})
            await runs.until_done(2)
        assert [(event.name, event.data) for event in heard.events] == [
            ("state_update", {"state": state, "thread_id": thread_id})
        ]
        assert set(runs.names) == {"metadata", "values", "run_done"}
        async with hearing(http, thread_id, EVERYTHING, stream_modes="state_update") as later:
            await later.until_count(1)
        assert later.events == heard.events


async def test_a_run_that_is_rolled_back_ends_with_the_state_as_it_is_then(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        before = await run(http, thread_id, "steps", {})
        async with hearing(http, thread_id) as heard:
            run_id = await begin(http, thread_id, "steps", {"delay": 0.3})
            await has_logged(server.sdk(), thread_id, 4)
            await cancel(http, thread_id, run_id, "rollback")
            await heard.until_done()
        assert heard.names[-2:] == ["values", "run_done"]
        assert heard.of("values")[-1] == before
        assert len(heard.of("values")[-2]["log"]) > 3, "the run had shown more"
        async with hearing(http, thread_id, EVERYTHING) as later:
            await later.until_done(2)
        assert later.events[-2:] == heard.events[-2:], "whatever is left of what the run had shown"


async def test_a_rollback_that_brings_a_question_back_says_so(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        before = await run(http, thread_id, "slow_ask", {"delay": 0})
        async with hearing(http, thread_id) as heard:
            run_id = await begin(http, thread_id, "slow_ask", {"delay": 0.5})
            await heard.until(lambda: "values" in heard.names, "the new input")
            await cancel(http, thread_id, run_id, "rollback")
            await heard.until_done()
        assert heard.of("values")[-1] == before


# which modes


@pytest.mark.parametrize(
    "query",
    [
        {"stream_modes": ["lifecycle", "state_update"]},
        {"stream_modes": "lifecycle,state_update"},
        {"stream_modes": '["lifecycle","state_update"]'},
        {"stream_mode": ["lifecycle", "state_update"]},
        {"stream_mode": '["lifecycle", "state_update"]'},
        {"stream_mode": "lifecycle", "stream_modes": "state_update"},
    ],
)
async def test_modes_come_in_many_forms(server: Live, query: Json) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        async with hearing(http, thread_id, **query) as heard:
            await run(http, thread_id, "steps", {})
            await http.post(f"/threads/{thread_id}/state", json={"values": {"log": ["by hand"]}})
            await heard.until_count(3)
        assert heard.names == ["metadata", "run_done", "state_update"]


@pytest.mark.parametrize("query", [{}, {"stream_modes": ""}, {"stream_mode": "run_modes"}])
async def test_without_a_mode_it_is_the_runs(server: Live, query: Json) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        async with hearing(http, thread_id, **query) as heard:
            await run(http, thread_id, "echo", said("hi"))
            await heard.until_done()
        assert heard.names == ["metadata", "values", "values", "run_done"]


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ({"stream_modes": "zzz"}, {}),
        ({"stream_mode": "values"}, {}),
        ({"stream_modes": "lifecycle,zzz"}, {}),
        ({}, {"Last-Event-ID": "zzz"}),
        ({}, {"Last-Event-ID": "1-"}),
        ({}, {"Last-Event-ID": "5"}),
        ({}, {"Last-Event-ID": "1-2-3"}),
        ({}, {"Last-Event-ID": "1" * 20 + "-0"}),
    ],
)
async def test_what_is_malformed_is_refused(server: Live, query: Json, headers: Json) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        refused = await http.get(f"/threads/{thread_id}/stream", params=query, headers=headers)
        assert refusal(refused)[0] == 422


# whose thread


async def test_a_foreign_thread_reads_like_a_missing_one(server: Live) -> None:
    async with server.http("ann") as ann, server.http("eve") as eve:
        thread_id = await new_thread(ann)
        foreign = await eve.get(f"/threads/{thread_id}/stream")
        missing = await ann.get("/threads/00000000-0000-7000-8000-000000000000/stream")
        assert refusal(foreign)[0] == refusal(missing)[0] == 404
        assert refusal(foreign)[1] == f"Thread with ID {thread_id} not found"
        assert refusal(await ann.get("/threads/no-uuid/stream"))[0] == 422
        await ann.delete(f"/threads/{thread_id}")


async def test_a_thread_that_somebody_else_makes_again_is_silent(server: Live) -> None:
    async with server.http("ann") as ann, server.http("eve") as eve:
        thread_id = await new_thread(eve)
        everything = {"stream_modes": "run_modes,lifecycle,state_update"}
        async with hearing(eve, thread_id, **everything) as stolen:
            await eve.delete(f"/threads/{thread_id}")
            await new_thread(ann, thread_id=thread_id)
            async with hearing(ann, thread_id, **everything) as own:
                await run(ann, thread_id, "echo", said("a secret"))
                await ann.post(f"/threads/{thread_id}/state", json={"values": {"log": ["a secret"]}})
                await run(ann, thread_id, "echo", said("a secret"))
                await own.until_done(2)
            await ann.delete(f"/threads/{thread_id}")
            await new_thread(eve, thread_id=thread_id)
            await run(eve, thread_id, "echo", said("mine"))
            await stolen.until_done()
        assert "a secret" not in str(stolen.events)
        assert [name for name in stolen.names if name != "gap"] == [
            "metadata",
            "values",
            "values",
            "run_done",
        ]
        await eve.delete(f"/threads/{thread_id}")


async def test_whose_thread_it_is_counts_with_every_event_of_the_thread_itself(server: Live) -> None:
    async with server.http("ann") as ann, server.http("eve") as eve:
        thread_id = await new_thread(eve, metadata={"graph_id": "steps"})
        async with hearing(eve, thread_id, stream_modes="state_update") as heard:
            for owner, http in (("eve", eve), ("ann", ann), ("eve", eve)):
                record = server.platform.keys.thread(thread_id)
                await server.platform.client.call("HSET", record, "owner", owner)
                body = {"values": {"log": [f"of {owner}"]}, "as_node": "third"}
                assert (await http.post(f"/threads/{thread_id}/state", json=body)).status_code == 200
                if owner == "eve":
                    await heard.until(lambda: heard.of("state_update")[-1:], "what is hers")
            await heard.until_count(2)
        assert [told["state"]["values"]["log"][-1] for told in heard.of("state_update")] == ["of eve"] * 2
        await eve.delete(f"/threads/{thread_id}")


# the stream itself


async def test_headers(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        path = f"/threads/{thread_id}/stream"
        async with hearing(http, thread_id) as plain:
            pass
        async with hearing(http, thread_id, stream_mode=["lifecycle", "state_update"]) as asked:
            pass
        assert plain.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert (plain.headers["cache-control"], plain.headers["x-accel-buffering"]) == ("no-store", "no")
        place = plain.headers["location"].removeprefix(f"{path}?")
        assert re.fullmatch(r"after=0-0&made=\d+", place)
        modes = "stream_mode=lifecycle&stream_mode=state_update"
        assert asked.headers["location"] == f"{path}?{modes}&{place}"
        async with http.stream("GET", asked.headers["location"]) as again:
            assert again.headers["location"] == asked.headers["location"]


async def test_an_idle_stream_is_kept_open_by_pings_and_leaves_nothing_behind(server: Live) -> None:
    platform = server.platform
    async with server.http() as http:
        thread_id = await new_thread(http)
        async with hearing(http, thread_id) as heard:
            await heard.until(lambda: heard.pings, "a ping")
        assert heard.events == []

        async def left() -> bool:
            channel = platform.keys.events(thread_id)
            return int((await platform.client.call("PUBSUB", "SHARDNUMSUB", channel))[1]) == 0

        await wait_until(left, "no subscription")


async def test_the_end_of_a_busy_thread_is_told(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        async with hearing(http, thread_id) as heard:
            await begin(http, thread_id, "steps", {"delay": 0.5})
            await begin(http, thread_id, "steps", {"delay": 0.5})
            await has_runs(server.sdk(), thread_id, 2)
            await heard.until(lambda: "values" in heard.names, "the first run")
            await http.delete(f"/threads/{thread_id}")
            await heard.until_done()
        assert heard.names[-2:] == ["error", "run_done"]
        assert heard.of("error") == [{"error": "ThreadNotFound", "message": "The thread was deleted."}]
        assert (
            await http.get(f"/threads/{thread_id}/stream", headers={"Last-Event-ID": "1-1"})
        ).status_code == 404
