"""Open pages are told who has a thread, at once and on both wires; those who come later, too."""

from typing import Any

import pytest

from tests.api.protocols import new_id, start, watching
from tests.api.test_holds import put, release
from tests.api.thread_streams import EVERYTHING, hearing
from tests.api.wire import Json, new_thread
from tests.servers import Live, live, said


def payloads(frames: list[Json]) -> list[Json]:
    assert {frame["name"] for frame in frames} <= {"hold"}
    return [frame["payload"] for frame in frames]


async def forget_log(server: Live, thread_id: str) -> None:
    await server.platform.client.call("DEL", server.platform.keys.events(thread_id))


async def test_both_wires_tell_at_once(twins: tuple[Live, Live]) -> None:
    one, other = twins
    async with one.http("ann") as ann, other.http("eve", "operator") as eve:
        thread_id = await new_thread(ann)
        async with (
            watching(ann, thread_id, channels=["custom:hold"]) as page,
            hearing(eve, thread_id) as desk,
            hearing(ann, thread_id, stream_modes="lifecycle") as narrow,
            hearing(ann, thread_id, stream_modes="state_update") as deaf,
        ):
            asked = await put(ann, thread_id)
            taken = await put(eve, thread_id)
            assert (await release(eve, thread_id, note="for the graph only")).status_code == 204
            await page.until_count(3)
            await desk.until_count(3)
            await narrow.until_count(3)
            assert deaf.events == []
    *_, released = heard = desk.of("hold")
    assert heard[:2] == [{"hold": asked}, {"hold": taken}]
    assert released == {"hold": None, "released": {"by": "eve", "at": released["released"]["at"]}}
    assert narrow.of("hold") == payloads(page.of("custom")) == heard


async def test_a_wish_of_the_graph_is_told_while_it_runs(server: Live) -> None:
    async with server.http("ann") as ann:
        thread_id = new_id()
        async with watching(ann, thread_id) as page:
            await start(ann, thread_id, "calling", {})
            await page.until_phases("running", "completed")
        asked = (await ann.get(f"/threads/{thread_id}")).json()["hold"]
        written, told = page.of("custom")
        assert written == {"payload": {"holdfast_hold": {"role": "helper"}}}
        assert told == {"name": "hold", "payload": {"hold": asked}}
        async with hearing(ann, thread_id, EVERYTHING) as heard:
            await heard.until_done()
        assert heard.of("hold") == [{"hold": asked}]
        assert heard.names.index("hold") < heard.names.index("run_done")


async def test_the_stream_of_a_run_is_not_disturbed(server: Live) -> None:
    async with server.http("ann") as ann:
        thread_id = await new_thread(ann)
        body = {"assistant_id": "calling", "input": {}, "stream_mode": ["values"]}
        text = (await ann.post(f"/threads/{thread_id}/runs/stream", json=body)).text
    assert "event: hold" not in text
    assert "event: custom" not in text


@pytest.mark.parametrize("started", [True, False])
async def test_who_comes_when_the_log_has_gone_is_told_too(server: Live, started: bool) -> None:
    async with server.http("ann") as ann, server.http("eve", "operator") as eve:
        thread_id = await new_thread(ann)
        if started:
            body = {"assistant_id": "echo", "input": said("hi")}
            await ann.post(f"/threads/{thread_id}/runs/wait", json=body)
        async with watching(ann, thread_id) as page:
            taken = await put(eve, thread_id)
            await page.until(lambda: page.of("custom"), "that it was taken")
        await forget_log(server, thread_id)

        async def fresh(**asked: Any) -> list[Json]:
            async with watching(ann, thread_id, channels=["custom:hold", "values"], **asked) as watch:
                await watch.until(lambda: watch.of("custom"), "who has it")
            return payloads(watch.of("custom"))

        assert await fresh() == [{"hold": taken}]
        async with hearing(ann, thread_id, "0-0") as heard:
            await heard.until(lambda: heard.of("hold"), "who has it")
        assert heard.of("hold") == [{"hold": taken}]
        await release(eve, thread_id)
        await forget_log(server, thread_id)
        assert await fresh(since=page.seqs[-1]) == [{"hold": None}]
        async with hearing(ann, thread_id, "0-0") as heard:
            await heard.until(lambda: heard.of("hold"), "that nobody has it")
        assert heard.of("hold") == [{"hold": None}]


async def test_names_are_taken_out_of_what_is_told_where_that_is_asked_for(redis_url: str) -> None:
    async with (
        live(redis_url, redact="emails") as server,
        server.http("ann") as ann,
        server.http("eve@shop.example", "operator") as eve,
    ):
        thread_id = await new_thread(ann)
        async with hearing(ann, thread_id) as heard:
            await put(eve, thread_id)
            await heard.until_count(1)
    assert "eve@" not in str(heard.events[0].data)


async def test_a_thread_at_rest_keeps_no_log_for_ever(server: Live) -> None:
    client, keys = server.platform.client, server.platform.keys
    async with server.http() as http:
        thread_id = await new_thread(http)
        await put(http, thread_id)

        assert 0 < await client.call("TTL", keys.events(thread_id)) <= 600
        await release(http, thread_id)
        assert 0 < await client.call("TTL", keys.events(thread_id)) <= 600
