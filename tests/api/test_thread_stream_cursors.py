"""Where a reader of a thread's stream goes on, at any replica, and what stands in for a log that is gone."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client

from tests.api.thread_streams import EVERYTHING, Heard, hearing
from tests.api.wire import Json, new_thread
from tests.faults.proxy import Proxy, proxied
from tests.servers import Live, said

Twins = tuple[Live, Live]


async def run(http: httpx.AsyncClient, thread_id: str, graph: str, given: Json) -> Json:
    body = {"assistant_id": graph, "input": given}
    return (await http.post(f"/threads/{thread_id}/runs/wait", json=body)).json()


async def write(http: httpx.AsyncClient, thread_id: str, line: str) -> None:
    response = await http.post(f"/threads/{thread_id}/state", json={"values": {"log": [line]}})
    assert response.status_code == 200


async def ran(
    server: Live, http: httpx.AsyncClient, graph: str = "steps", given: Json = None
) -> tuple[str, Heard]:
    """A thread with one run that has ended, and all events of it."""
    thread_id = await new_thread(http)
    async with hearing(http, thread_id) as heard:
        await run(http, thread_id, graph, given or {})
        await heard.until_done()
    return thread_id, heard


async def forget_log(server: Live, thread_id: str) -> None:
    """What happens some minutes after the last run has ended."""
    await server.platform.client.redis.delete(server.platform.keys.events(thread_id))


# a log that is there


async def test_a_reader_goes_on_after_any_event_at_any_replica(twins: Twins) -> None:
    one, other = twins
    async with one.http() as here, other.http() as there:
        thread_id = await new_thread(here)
        query = {"stream_modes": "run_modes,state_update"}
        async with hearing(here, thread_id, **query) as whole:
            await run(here, thread_id, "modes", said("hi"))
            await write(there, thread_id, "by hand")
            await run(there, thread_id, "fail", {})
            await whole.until_done(2)
        for http in (here, there):
            for number, id in enumerate(whole.ids[:-1], 1):
                async with hearing(http, thread_id, id, **query) as rest:
                    await rest.until_count(len(whole.events) - number)
                assert rest.events == whole.events[number:]


@pytest.mark.parametrize("place", ["-", "-1", "0", "0-0"])
async def test_all_that_the_log_holds(server: Live, place: str) -> None:
    async with server.http() as http:
        thread_id, whole = await ran(server, http)
        async with hearing(http, thread_id, place) as again:
            await again.until_done()
        assert again.events == whole.events


@pytest.mark.parametrize("place", [None, ""])
async def test_without_a_place_it_is_what_comes_from_now_on(server: Live, place: str | None) -> None:
    async with server.http() as http:
        thread_id, before = await ran(server, http)
        async with hearing(http, thread_id, place) as heard:
            await run(http, thread_id, "echo", said("hi"))
            await heard.until_done()
        assert heard.names == ["metadata", "values", "values", "run_done"]
        async with hearing(http, thread_id, before.ids[-1]) as resumed:
            await resumed.until_done()
        assert resumed.events == heard.events


async def test_a_reader_that_comes_in_mid_run_is_shown_what_that_run_was_asked_for(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        body = {"assistant_id": "steps", "input": {"delay": 0.2}, "stream_mode": ["updates"]}
        async with hearing(http, thread_id) as whole:
            await http.post(f"/threads/{thread_id}/runs", json=body)
            await whole.until(lambda: "updates" in whole.names, "the first step")
            async with hearing(http, thread_id) as late:
                await late.until_done()
            await whole.until_done()
        assert "values" not in late.names
        assert late.events == whole.events[-len(late.events) :]


async def test_a_reader_that_comes_and_goes_misses_and_doubles_nothing(twins: Twins) -> None:
    one, other = twins
    async with one.http() as here, other.http() as there:
        thread_id = await new_thread(here)
        query = {"stream_modes": "run_modes,state_update"}
        async with hearing(here, thread_id, **query) as whole:
            work = asyncio.create_task(do_much(here, there, thread_id))
            got: list[Any] = []
            for http in itertools.cycle((there, here)):
                async with hearing(http, thread_id, got[-1].id if got else EVERYTHING, **query) as some:
                    await some.until_count(1)
                    got += some.events
                if [event.data.get("status") for event in got].count("run_done") == 5:
                    break
            await work
            await whole.until_done(5)
    assert got == whole.events


async def do_much(here: httpx.AsyncClient, there: httpx.AsyncClient, thread_id: str) -> None:
    await run(here, thread_id, "steps", {"delay": 0.05})
    await write(there, thread_id, "by hand")
    body = {"assistant_id": "steps", "input": {"delay": 0.3}}
    running = (await there.post(f"/threads/{thread_id}/runs", json=body)).json()["run_id"]
    await run(here, thread_id, "ask", {})
    await here.post(f"/threads/{thread_id}/runs/{running}/cancel?wait=1")
    for http in (here, there):
        await run(http, thread_id, "modes", said("hi"))


# a log that is gone


async def test_a_place_before_the_log_is_told_of_the_gap_and_of_the_state(twins: Twins) -> None:
    one, other = twins
    async with one.http() as here, other.http() as there:
        thread_id, first = await ran(one, here)
        await forget_log(one, thread_id)
        values = (await here.get(f"/threads/{thread_id}/state")).json()["values"]
        since, through = first.ids[2], first.ids[-1]
        for http in (here, there):
            async with hearing(http, thread_id, since) as heard:
                await heard.until_count(2)
            assert [(event.name, event.data) for event in heard.events] == [
                ("gap", {"since": since, "through": through}),
                ("values", values),
            ]
            # Cut after the gap, the snapshot is needed again; after the snapshot, nothing is.
            assert heard.ids == [since, through]
        async with hearing(here, thread_id, since) as before, hearing(there, thread_id, through) as after:
            await run(here, thread_id, "echo", said("hi"))
            await after.until_done()
            await before.until_done()
        assert after.names == ["metadata", "values", "values", "run_done"]
        assert before.names == ["gap", "values", *after.names]
        assert before.events[2:] == after.events


async def test_a_snapshot_comes_in_the_form_that_was_asked_for(server: Live) -> None:
    async with server.http() as http:
        thread_id, first = await ran(server, http, "ask")
        await forget_log(server, thread_id)
        for modes, names in (
            ("lifecycle", ["gap"]),
            ("state_update", ["gap", "state_update"]),
            ("run_modes,state_update", ["gap", "values", "state_update"]),
        ):
            async with hearing(http, thread_id, first.ids[0], stream_modes=modes) as heard:
                await heard.until_count(len(names))
            assert heard.names == names
            assert heard.ids == [first.ids[0]] * (len(names) - 1) + [first.ids[-1]]
        assert heard.of("values") == first.of("values")[-1:], "with the question that waits"
        state = (await http.get(f"/threads/{thread_id}/state")).json()
        assert heard.of("state_update") == [{"state": state, "thread_id": thread_id}]


async def test_a_log_that_was_trimmed(server: Live) -> None:
    async with server.http() as http:
        thread_id, first = await ran(server, http)
        key = server.platform.keys.events(thread_id)
        await server.platform.client.redis.xtrim(key, minid=first.ids[3], approximate=False)
        for since in first.ids[:2]:
            async with hearing(http, thread_id, since) as heard:
                await heard.until_done()
            assert heard.names[:2] == ["gap", "values"]
            assert heard.of("gap") == [{"since": since, "through": first.ids[2]}]
            assert heard.events[2:] == first.events[3:]
        for place in (first.ids[2], EVERYTHING):
            async with hearing(http, thread_id, place) as rest:
                await rest.until_done()
            assert rest.events == first.events[3:]


async def test_the_last_place_of_a_log_that_is_gone_has_missed_nothing(server: Live) -> None:
    async with server.http() as http:
        thread_id, first = await ran(server, http)
        await forget_log(server, thread_id)
        for _ in range(2):
            async with hearing(http, thread_id, first.ids[-1]) as heard:
                await run(http, thread_id, "echo", said("hi"))
                await heard.until_done()
            assert heard.names[0] == "metadata"


@pytest.mark.parametrize("place", ["1-1000", "9-3", "1795600857044-0"])
async def test_a_place_that_the_log_never_had_is_a_gap(server: Live, place: str) -> None:
    async with server.http() as http:
        thread_id, first = await ran(server, http)
        async with hearing(http, thread_id, place) as heard:
            await heard.until_done()
        assert heard.of("gap") == [{"since": place, "through": "1-0"}]
        assert heard.events[2:] == first.events
        async with hearing(http, thread_id, "1-0") as all_of_it:
            await all_of_it.until_done()
        assert all_of_it.events == first.events


async def test_a_thread_that_never_ran_has_no_state_to_show(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        async with hearing(http, thread_id, "1-7") as heard:
            await heard.until_count(1)
            await run(http, thread_id, "echo", said("hi"))
            await heard.until_done()
        assert heard.names == ["gap", "metadata", "values", "values", "run_done"]
        assert heard.of("gap") == [{"since": "1-7", "through": "0-0"}]


async def test_a_log_that_went_while_the_stream_was_open(server: Live) -> None:
    async with server.http() as http:
        thread_id, _ = await ran(server, http)
        async with hearing(http, thread_id, EVERYTHING) as heard:
            await heard.until_done()
            before = len(heard.events)
            # Events of which neither a push nor the log is left.
            await forget_log(server, thread_id)
            await server.platform.client.redis.hincrby(server.platform.keys.thread(thread_id), "seq", 40)
            await run(http, thread_id, "echo", said("hi"))
            await heard.until_done(2)
        assert heard.names[before:] == ["gap", "values", "metadata", "values", "values", "run_done"]
        gap = heard.events[before]
        assert gap.data["since"] == gap.id == heard.ids[before - 1]
        assert gap.data["through"] == heard.ids[before + 1]


# a thread that is gone


async def test_a_thread_that_is_made_again_is_followed_on(twins: Twins) -> None:
    one, other = twins
    async with one.http() as here, other.http() as there:
        thread_id, first = await ran(one, here)
        async with hearing(there, thread_id, EVERYTHING) as heard:
            await heard.until_done()
            assert (await here.delete(f"/threads/{thread_id}")).status_code == 204
            await new_thread(here, thread_id=thread_id, metadata={"graph_id": "steps"})
            await write(here, thread_id, "by hand")
            await run(here, thread_id, "echo", said("hi"))
            await heard.until_done(2)
        after = heard.events[len(first.events) :]
        assert [event.name for event in after] == ["gap", "metadata", "values", "values", "metadata"]
        assert after[0].data == {"since": first.ids[-1], "through": "0-0"}
        assert set(first.ids) & {event.id for event in after[1:]}, (
            "ids that say nothing of which thread they mean"
        )
        made = first.headers["location"].partition("made=")[2]
        async with hearing(here, thread_id, first.ids[2], made=made) as resumed:
            await resumed.until_done()
        assert resumed.names[:2] == ["gap", "values"]
        assert resumed.events[2:] == after[1:]


# the official client


@pytest.fixture
async def doors(twins: Twins) -> AsyncIterator[Proxy]:
    """A proxy that leads to one of two replicas and then to the other, connection by connection."""
    ports = itertools.cycle([int(server.url.rpartition(":")[2]) for server in twins])

    async def target() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", next(ports))

    async with proxied(target) as proxy:
        yield proxy


@pytest.mark.parametrize(
    ("modes", "names"),
    [
        ("run_modes", ["metadata", "values", "values", "values", "values", "metadata"]),
        (["lifecycle", "state_update"], ["metadata", "metadata", "state_update"]),
    ],
)
async def test_the_official_client_goes_on_elsewhere(
    twins: Twins, doors: Proxy, modes: Any, names: list[str]
) -> None:
    one, _ = twins
    async with one.http() as http, get_client(url=f"http://127.0.0.1:{doors.port}") as sdk:
        thread_id = await new_thread(http)
        async with hearing(http, thread_id, stream_mode=modes) as whole:
            stream: Any = await sdk.threads.join_stream(thread_id, last_event_id="-", stream_mode=modes)
            got: list[Any] = []
            for _ in range(3):
                await run(http, thread_id, "steps", {"delay": 0})
                await write(http, thread_id, "by hand")
                got += [await asyncio.wait_for(anext(stream), 20) for _ in names]
                doors.cut()
            await whole.until_count(len(got))
        assert [part.event for part in got] == names * 3
        assert [(part.event, part.data, part.id) for part in got] == [
            (event.name, event.data, event.id) for event in whole.events
        ]
        await stream.aclose()


async def test_the_official_client_misses_nothing_before_its_first_event(twins: Twins, doors: Proxy) -> None:
    one, _ = twins
    async with one.http() as http, get_client(url=f"http://127.0.0.1:{doors.port}") as sdk:
        thread_id = await new_thread(http)
        opened = asyncio.Event()

        async def answered(_: httpx.Response) -> None:
            opened.set()

        sdk.http.client.event_hooks = {"response": [answered]}
        stream: Any = await sdk.threads.join_stream(thread_id)
        first = asyncio.create_task(anext(stream))
        await asyncio.wait_for(opened.wait(), 10)
        doors.refusing = True
        doors.cut()
        async with hearing(http, thread_id) as whole:
            await run(http, thread_id, "steps", {"delay": 0})
            await whole.until_done()
        doors.refusing = False
        with pytest.warns(UserWarning, match="Reconnecting without a Last-Event-ID"):
            got = [await asyncio.wait_for(first, 20)]
        got += [await asyncio.wait_for(anext(stream), 20) for _ in whole.events[1:]]
        await stream.aclose()
    assert [(part.data, part.id) for part in got] == [(event.data, event.id) for event in whole.events]


async def test_the_official_client_is_told_that_the_thread_is_another_one(twins: Twins, doors: Proxy) -> None:
    one, _ = twins
    async with one.http() as http, get_client(url=f"http://127.0.0.1:{doors.port}") as sdk:
        thread_id, first = await ran(one, http)
        stream: Any = await sdk.threads.join_stream(thread_id, last_event_id=first.ids[1] or "")
        before = [await asyncio.wait_for(anext(stream), 20) for _ in first.events[2:]]
        doors.refusing = True
        doors.cut()
        await http.delete(f"/threads/{thread_id}")
        await new_thread(http, thread_id=thread_id)
        async with hearing(http, thread_id) as second:
            await run(http, thread_id, "steps", {"delay": 0})
            await second.until_done()
        doors.refusing = False
        after = [await asyncio.wait_for(anext(stream), 20) for _ in range(2 + len(second.events))]
        await stream.aclose()
    assert [part.id for part in before] == first.ids[2:]
    assert [part.event for part in after[:2]] == ["gap", "values"]
    assert [(part.data, part.id) for part in after[2:]] == [(event.data, event.id) for event in second.events]
