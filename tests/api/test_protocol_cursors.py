"""Where a reader of protocol v3 goes on, and what stands in for a log that is gone."""

from holdfast.redis.lua import Place
from holdfast.redis.stream import START, Span
from tests.api.protocols import Json, finished, new_id, start, watching
from tests.api.wire import has_status
from tests.servers import Live, said


async def forget_log(server: Live, thread_id: str) -> None:
    """What happens some minutes after the last run has ended."""
    await server.platform.client.redis.delete(server.platform.keys.events(thread_id))


async def test_a_reader_goes_on_after_any_frame(server: Live) -> None:
    async with server.http() as http:
        thread_id, all_of_it = await finished(http, "modes", said("hi"))
        for number, seq in enumerate(all_of_it.seqs[:-1], 1):
            rest = all_of_it.frames[number:]
            for place in (
                {"since": seq},
                {"headers": {"Last-Event-ID": str(seq)}},
                {"since_event_id": str(seq)},
            ):
                async with watching(http, thread_id, **place) as watch:
                    await watch.until(lambda w=watch, r=rest: len(w.frames) >= len(r), "the rest")  # type: ignore[misc]
                assert watch.frames == rest


async def test_a_reader_that_comes_and_goes_during_a_run_misses_and_doubles_nothing(server: Live) -> None:
    async with server.http() as http:
        thread_id = new_id()
        got: list[Json] = []
        async with watching(http, thread_id) as whole:
            await start(http, thread_id, "steps", {"delay": 0.1})
            while not got or got[-1]["params"]["data"].get("event") != "completed":
                since = got[-1]["seq"] if got else 0
                async with watching(http, thread_id, since=since) as watch:
                    await watch.until_count(1)
                    got += watch.frames
            await whole.until_phases("running", "completed")
    assert got == whole.frames


async def test_two_readers_see_the_same(server: Live) -> None:
    async with server.http() as http:
        thread_id = new_id()
        async with watching(http, thread_id) as one, watching(http, thread_id) as other:
            await start(http, thread_id, "modes", said("hi"))
            for watch in (one, other):
                await watch.until_phases("running", "completed")
    assert one.frames == other.frames


async def test_the_cursor_of_a_command_shows_all_that_it_causes(server: Live) -> None:
    async with server.http() as http:
        thread_id, _ = await finished(http, "echo", said("hi"))
        reply = await start(http, thread_id, "echo", said("again"))
        async with watching(http, thread_id, since=reply["meta"]["applied_through_seq"]) as watch:
            await watch.until_phases("running", "completed")
    assert watch.of("values")[0]["messages"][-1]["content"] == "again"


# a log that is gone


async def test_without_a_log_a_new_reader_gets_the_state_as_it_is(server: Live) -> None:
    async with server.http() as http:
        thread_id, _ = await finished(http, "echo", said("hi"))
        await forget_log(server, thread_id)
        async with watching(http, thread_id) as watch:
            await watch.until_count(1)
            await start(http, thread_id, "echo", said("again"))
            await watch.until_phases("running", "completed")
    assert [message["content"] for message in watch.of("values")[0]["messages"]] == ["hi", "echo: hi"]
    assert watch.of("gap") == []
    assert watch.seqs == sorted(set(watch.seqs))


async def test_without_a_log_a_new_reader_is_told_what_waits(server: Live) -> None:
    async with server.http() as http:
        thread_id, before = await finished(http, "approve", {})
        await forget_log(server, thread_id)
        async with watching(http, thread_id) as watch:
            await watch.until_phases("interrupted")
    assert watch.of("input.requested") == before.of("input.requested")
    assert [frame["method"] for frame in watch.frames] == ["values", "input.requested", "lifecycle"]


async def test_a_cursor_older_than_the_log_is_told_of_the_gap(server: Live) -> None:
    async with server.http() as http:
        thread_id, first = await finished(http, "echo", said("hi"))
        await forget_log(server, thread_id)
        reply = await start(http, thread_id, "echo", said("again"))
        await has_status(server.sdk(), thread_id, reply["result"]["run_id"], "success")
        place = first.seqs[2]
        async with watching(http, thread_id, since=place) as watch:
            await watch.until_phases("running", "completed")
    through = reply["meta"]["applied_through_seq"]
    assert watch.of("gap") == [{"since": place, "through": through}]
    assert [frame["method"] for frame in watch.frames[:3]] == ["gap", "values", "lifecycle"]
    assert watch.of("values")[-1]["messages"][-1]["content"] == "echo: again"
    assert watch.seqs[:2] == [through - 1, through]
    assert watch.seqs == sorted(set(watch.seqs))


async def test_a_snapshot_that_was_cut_short_comes_again(server: Live) -> None:
    async with server.http() as http:
        thread_id, before = await finished(http, "approve", {})
        await forget_log(server, thread_id)
        async with watching(http, thread_id) as whole:
            await whole.until_phases("interrupted")
        for seq in whole.seqs[:-1]:
            async with watching(http, thread_id, since=seq) as again:
                await again.until_phases("interrupted")
            methods = [frame["method"] for frame in again.frames]
            assert methods == ["gap", "values", "input.requested", "lifecycle"]
        async with watching(http, thread_id, since=whole.seqs[-1]) as watch:
            await start(http, thread_id, "approve", {})
            await watch.until(lambda: watch.frames, "a frame")
    assert watch.frames[0]["method"] == "lifecycle"
    assert before.seqs[-1] == whole.seqs[-1]


async def test_a_cursor_at_the_end_of_a_log_that_is_gone_has_missed_nothing(server: Live) -> None:
    async with server.http() as http:
        thread_id, first = await finished(http, "echo", said("hi"))
        await forget_log(server, thread_id)
        async with watching(http, thread_id, since=first.seqs[-1]) as watch:
            await start(http, thread_id, "echo", said("again"))
            await watch.until_phases("running", "completed")
    assert (watch.of("gap"), watch.frames[0]["method"]) == ([], "lifecycle")


async def test_a_cursor_of_a_thread_that_is_gone_is_told_and_starts_anew(server: Live) -> None:
    async with server.http() as http:
        thread_id = new_id()
        async with watching(http, thread_id, since=123_456) as watch:
            await watch.until(lambda: watch.of("gap"), "the gap")
            await start(http, thread_id, "echo", said("hi"))
            await watch.until_phases("running", "completed")
        async with watching(http, thread_id, since=123_456) as later:
            await later.until_phases("running", "completed")
    assert [watch.of("gap"), later.of("gap")] == [[{"since": 123_456, "through": 0}]] * 2


async def test_a_log_is_read_back_to_the_run_of_the_cursor(server: Live) -> None:
    async with server.http() as http:
        thread_id, first = await finished(http, "steps", {})
        events = first.seqs[-1] // 1000
        for _ in range(2):
            await server.sdk().runs.wait(thread_id, "steps", input={})
    hub = server.platform.hub
    log = [stored async for page in hub.pages(thread_id, START) for stored in page]
    assert [stored.place.seq for stored in log] == list(range(1, 3 * events + 1))

    for step in (1, 3, 1000):
        assert await hub.span(thread_id, 0, step) == Span(Place(1, 0), log[-1].place)
        for seq in (events + 1, events + 3, 2 * events):
            assert await hub.span(thread_id, seq, step) == Span(Place(2, events), log[-1].place)
        assert await hub.span(thread_id, len(log), step) == Span(Place(3, 2 * events), log[-1].place)


async def test_a_thread_that_is_deleted_and_made_anew_is_followed_on(server: Live) -> None:
    async with server.http() as http:
        thread_id = new_id()
        async with watching(http, thread_id) as watch:
            await start(http, thread_id, "steps", {})
            await watch.until_phases("running", "completed")
            before = len(watch.frames)
            assert (await http.delete(f"/threads/{thread_id}")).status_code == 204
            await start(http, thread_id, "echo", said("hi"))
            await watch.until_phases("running", "completed", "running", "completed")
            after = watch.frames[before:]
        async with watching(http, thread_id) as fresh:
            await fresh.until_phases("running", "completed")
    assert after[0]["method"] == "gap"
    assert after[1:] == fresh.frames
