"""Redis goes away in each of its ways: new work is refused, running work waits and goes on by itself."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from langgraph_sdk.schema import StreamPart

from holdfast.redis.checks import check_installation
from tests.faults.conftest import (
    ANSWER_S,
    RECOVERY_S,
    STUCK,
    Valkey,
    begin,
    ended,
    reached,
    ready_again,
    refused,
    streaming,
    works,
)
from tests.faults.proxy import Proxy
from tests.servers import Live, live, said
from tests.waiting import wait_until


async def counts(server: Live, thread_id: str, run_id: str) -> list[int]:
    """[attempts, attempts that counted as failures]"""
    platform = server.platform
    fields = (f"{run_id}:attempt", f"{run_id}:failures")
    return [int(n) for n in await platform.client.call("HMGET", platform.keys.runs(thread_id), *fields)]


async def crowd(server: Live) -> None:
    """A hundred callers at once are all answered in time: they do not wait for each other."""
    async with server.http() as http:
        asked = time.monotonic()
        answers = await asyncio.gather(*(http.post("/threads", json={}) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {503}
    assert time.monotonic() - asked < ANSWER_S


async def test_killed_and_started_again(holdfast_behind: Live, valkey: Valkey, tmp_path: Path) -> None:
    server = holdfast_behind
    run = await begin(server, delay=0.4)
    async with streaming(server, run) as events:
        await reached(tmp_path / "notes", 1)
        await server.platform.client.call("WAITAOF", 1, 0, 5000)  # a slow disk may lag behind by seconds
        valkey.kill()
        assert (await refused(server))["reason"] == "unreachable"
        valkey.start()
        await valkey.ready()
        await ended(server, run, RECOVERY_S)
        assert contiguous(await asyncio.wait_for(events, RECOVERY_S))
    assert (await counts(server, run.thread_id, run.run_id))[1] == 1, "no attempt counts as a failure"
    await works(server)


async def test_cut_off_for_a_moment_an_attempt_goes_on(
    holdfast_behind: Live, proxy: Proxy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = holdfast_behind
    run = await begin(server, delay=0.4)
    await reached(tmp_path / "notes", 1)
    proxy.refusing = True
    proxy.cut()
    await waiting(caplog)
    proxy.refusing = False
    await ended(server, run, RECOVERY_S)
    assert await counts(server, run.thread_id, run.run_id) == [1, 1], "the attempt waited in place"
    assert (tmp_path / "notes").read_text().splitlines() == ["step 0", "step 1", "step 2"]


async def test_cut_off_while_it_speaks_a_run_loses_no_word(
    proxy: Proxy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with live(proxy.url, config=STUCK, lease_s=4) as server:
        sdk = server.sdk()
        thread_id = (await sdk.threads.create())["thread_id"]
        stream = sdk.runs.stream(
            thread_id, "talk", input={"notes": str(tmp_path / "notes")}, stream_mode="custom"
        )
        heard = asyncio.create_task(collect(stream))
        await reached(tmp_path / "notes", 1)
        proxy.refusing = True
        proxy.cut()
        await waiting(caplog)
        proxy.refusing = False
        assert [part.data for part in await asyncio.wait_for(heard, 20) if part.event == "custom"] == [
            *range(50)
        ]
        [run] = await sdk.runs.list(thread_id)
        assert await counts(server, thread_id, run["run_id"]) == [1, 1]


async def collect(stream: AsyncIterator[StreamPart]) -> list[StreamPart]:
    return [part async for part in stream]


async def waiting(caplog: pytest.LogCaptureFixture) -> None:
    async def logged() -> bool:
        return "work waits for Redis" in caplog.text

    await wait_until(logged, "the run waits")


async def test_swallowed_by_the_network(holdfast_behind: Live, proxy: Proxy, tmp_path: Path) -> None:
    """Connections that were open stay silent for ever: each must be given up by itself."""
    server = holdfast_behind
    run = await begin(server, delay=0.4)
    await reached(tmp_path / "notes", 1)
    proxy.swallow()
    why, _ = await asyncio.gather(refused(server), crowd(server))
    assert why["reason"] == "unreachable"
    proxy.black_hole = False
    await ended(server, run, RECOVERY_S)
    await ready_again(server)
    await works(server)


async def test_half_a_second_late(holdfast_behind: Live, proxy: Proxy) -> None:
    proxy.delay_s = 0.5
    await ready_again(holdfast_behind)
    sdk = holdfast_behind.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    run = await sdk.runs.create(thread_id, "echo", input=said("hi"))
    await asyncio.wait_for(sdk.runs.join(thread_id, run["run_id"]), 20)
    proxy.delay_s = 0
    assert await counts(holdfast_behind, thread_id, run["run_id"]) == [1, 1]


async def test_replies_that_are_lost(holdfast_behind: Live, proxy: Proxy, tmp_path: Path) -> None:
    """Each script may have been carried out though nobody was told: a repetition changes nothing."""
    server = holdfast_behind
    await ended(server, await begin(server, delay=0), RECOVERY_S)  # the server knows each script now
    proxy.losing = True
    sdk = server.sdk()
    thread = await sdk.threads.create()
    run = await sdk.runs.create(thread["thread_id"], "steps", input={"delay": 0.0})
    values = await asyncio.wait_for(sdk.runs.join(thread["thread_id"], run["run_id"]), 20)
    assert isinstance(values, dict)
    assert values["log"] == ["step 0", "step 1", "step 2"]
    assert len(proxy.lost) >= len(("create", "submit", "claim", "append", "put", "put_writes", "finish"))
    assert len(await sdk.runs.list(thread["thread_id"])) == 1
    assert (tmp_path / "notes").read_text().splitlines() == ["step 0", "step 1", "step 2"] * 2


async def test_memory_is_full(holdfast_behind: Live, valkey: Valkey, tmp_path: Path) -> None:
    server = holdfast_behind
    old = await begin(server, delay=0)
    await ended(server, old, RECOVERY_S)
    run = await begin(server, delay=0.3)
    await reached(tmp_path / "notes", 4)
    await valkey.command("CONFIG", "SET", "maxmemory", 1)
    try:
        assert (await refused(server))["reason"] == "out_of_memory"
        async with server.http() as http:
            for path in (
                "",
                "/state",
                "/history",
                "/runs",
                f"/runs/{old.run_id}",
                f"/runs/{old.run_id}/join",
            ):
                answer = await http.get(f"/threads/{old.thread_id}{path}")
                assert answer.status_code == 200, (path, answer.text)
            assert (await http.post("/threads/search", json={})).status_code == 200
        assert (await server.sdk().runs.get(run.thread_id, run.run_id))["status"] == "running"
    finally:
        await valkey.command("CONFIG", "SET", "maxmemory", 0)
    await ended(server, run, RECOVERY_S)
    assert await counts(server, run.thread_id, run.run_id) == [1, 1]
    await works(server)


async def test_read_only(holdfast_behind: Live, valkey: Valkey, tmp_path: Path) -> None:
    server = holdfast_behind
    old = await begin(server, delay=0)
    await ended(server, old, RECOVERY_S)
    run = await begin(server, delay=0.3)
    await reached(tmp_path / "notes", 4)
    await valkey.command("REPLICAOF", "127.0.0.1", 1)
    try:
        assert (await refused(server))["reason"] == "read_only"
        async with server.http() as http:
            for path in ("", "/state", "/history", "/runs"):
                answer = await http.get(f"/threads/{old.thread_id}{path}")
                assert answer.status_code == 200, (path, answer.text)
    finally:
        await valkey.command("REPLICAOF", "NO", "ONE")
    await ended(server, run, RECOVERY_S)
    await works(server)


async def test_loading_its_data(holdfast_behind: Live, valkey: Valkey, tmp_path: Path) -> None:
    server = holdfast_behind
    run = await begin(server, delay=0.3)
    async with streaming(server, run) as events:
        await reached(tmp_path / "notes", 1)
        await valkey.seed(1500)
        await valkey.rewritten()
        valkey.kill()
        valkey.start("--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024")
        assert (await refused(server))["reason"] == "loading"
        # A process that starts now waits for it.
        await check_installation(server.platform.client, server.platform.keys)
        await ended(server, run, RECOVERY_S)
        assert contiguous(await asyncio.wait_for(events, RECOVERY_S))
    await works(server)


def contiguous(ids: list[str]) -> bool:
    """Whether the ids of a stream count each event of its thread, from the first one on."""
    return [int(id.partition("-")[2]) for id in ids] == list(range(1, len(ids) + 1)) and len(ids) > 0


async def test_scripts_are_forgotten(holdfast_behind: Live, valkey: Valkey, tmp_path: Path) -> None:
    server = holdfast_behind
    run = await begin(server, delay=0.3)
    await reached(tmp_path / "notes", 1)
    await valkey.command("SCRIPT", "FLUSH")
    await ended(server, run, RECOVERY_S)
    assert await counts(server, run.thread_id, run.run_id) == [1, 1]


async def test_everything_is_gone(holdfast_behind: Live, valkey: Valkey) -> None:
    """What was kept is lost, but nobody has to start anything again."""
    await works(holdfast_behind)
    await valkey.command("FLUSHALL")
    await asyncio.wait_for(works(holdfast_behind), 2 * RECOVERY_S)
