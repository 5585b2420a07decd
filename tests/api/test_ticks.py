"""What the ticks of crons start: one run each, whoever keeps the time, and in whose name."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import Auth
from langgraph_sdk.client import LangGraphClient

from holdfast.core import crons, ticks, timers
from holdfast.core.crons import moment
from holdfast.core.platform import Platform, open_platform
from holdfast.redis import crons as records
from holdfast.redis import timers as bells
from holdfast.redis.timers import Timer
from holdfast.wire.crons import CronPatch
from tests.api.ticking import TICK_MS, YEARLY, make_due, record
from tests.api.wire import Json, has_runs, has_status
from tests.servers import Live, live, said
from tests.waiting import wait_until

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


@asynccontextmanager
async def platforms(server: Live, count: int) -> AsyncIterator[list[Platform]]:
    """So many processes' worth of connections to one installation."""
    async with AsyncExitStack() as stack:
        own = server.platform
        yield [
            await stack.enter_async_context(open_platform(own.settings, own.project, own.redis_url))
            for _ in range(count)
        ]


@pytest.fixture
async def idle(redis_url: str) -> AsyncIterator[Live]:
    """A server whose time stands still: no worker is there to keep it."""
    async with live(redis_url, worker=False, lanes=3) as server:
        yield server


async def ring(platform: Platform, now_ms: int) -> int:
    lanes = range(platform.keys.lanes)
    return sum([await timers.ring(platform, lane, 100, now_ms=now_ms) for lane in lanes])


async def due(server: Live, cron: Json) -> int:
    found = (await record(server, cron)).due_ms
    assert found is not None
    return found


async def listed(sdk: LangGraphClient, thread_id: str) -> list[Json]:
    found: Json = await sdk.runs.list(thread_id, limit=1000)
    return list(found)


async def threads_of(server: Live, subject: str) -> list[str]:
    found: Json = await server.sdk(subject).threads.search(limit=1000, select=["thread_id"])
    return [one["thread_id"] for one in found]


async def test_four_who_keep_the_time_start_one_run_a_tick(idle: Live) -> None:
    sdk, minutes = idle.sdk("ann"), 60
    thread_id = (await sdk.threads.create())["thread_id"]
    on_thread: Json = await sdk.crons.create_for_thread(thread_id, "echo", schedule="* * * * *")
    alone: Json = await sdk.crons.create("echo", schedule="* * * * *", on_run_completed="keep")
    first_ms = await due(idle, on_thread)
    async with platforms(idle, 4) as racing:
        for minute in range(minutes):
            now_ms = first_ms + minute * MINUTE_MS + 300
            await asyncio.gather(*(ring(platform, now_ms) for platform in racing))
            assert await due(idle, on_thread) == await due(idle, alone) == first_ms + (minute + 1) * MINUTE_MS
    assert len(await listed(sdk, thread_id)) == minutes
    assert len(await threads_of(idle, "ann")) == 1 + minutes


async def test_a_tick_that_was_done_is_not_done_again_when_its_run_is_gone(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a worker stood still between reading the cron and starting its run."""
    monkeypatch.setenv("SERVED_NOTES", str(tmp_path / "notes"))
    async with live(redis_url) as server:
        cron: Json = await server.sdk("ann").crons.create("steps", schedule=YEARLY, input={"delay": 0})
        stale = replace(await record(server, cron), due_ms=TICK_MS)
        assert await ticks.start_run(server.platform, stale, TICK_MS)

        async def gone() -> bool:
            return (tmp_path / "notes").exists() and not await threads_of(server, "ann")

        await wait_until(gone, "the run has ended and is gone")
        assert await ticks.start_run(server.platform, stale, TICK_MS)
        assert await threads_of(server, "ann") == []
        assert (tmp_path / "notes").read_text().splitlines() == ["step 0", "step 1", "step 2"]
        assert await ticks.start_run(server.platform, stale, TICK_MS + MINUTE_MS), (
            "another tick is another run"
        )
        await wait_until(gone, "that of the next tick too")


async def test_of_missed_ticks_one_is_made_up_for(idle: Live) -> None:
    sdk = idle.sdk("ann")
    thread_id = (await sdk.threads.create())["thread_id"]
    cron: Json = await sdk.crons.create_for_thread(thread_id, "echo", schedule="* * * * *")
    first_ms = await due(idle, cron)
    await ring(idle.platform, first_ms + 5 * HOUR_MS + 300)
    assert len(await listed(sdk, thread_id)) == 1
    assert await due(idle, cron) == first_ms + 5 * HOUR_MS + MINUTE_MS
    await ring(idle.platform, first_ms + 5 * HOUR_MS + 400)
    assert len(await listed(sdk, thread_id)) == 1


async def test_nothing_is_started_before_its_time(idle: Live) -> None:
    cron: Json = await idle.sdk("ann").crons.create("echo", schedule="* * * * *")
    first_ms = await due(idle, cron)
    assert await ring(idle.platform, first_ms - 1) == 0
    early = Timer(idle.platform.keys.lane(cron["cron_id"]), "cron", cron["cron_id"], first_ms - 1)
    assert await ticks.fire(idle.platform, early) == first_ms, "it rings again at its time"
    assert await threads_of(idle, "ann") == []


async def test_a_cron_that_was_changed_while_it_ticks_keeps_the_change(idle: Live) -> None:
    sdk, platform = idle.sdk("ann"), idle.platform
    cron: Json = await sdk.crons.create("echo", schedule="* * * * *")
    read = await record(idle, cron)
    changed: Json = await sdk.crons.update(cron["cron_id"], schedule=YEARLY)
    assert read.due_ms is not None
    late = replace(read, due_ms=read.due_ms + MINUTE_MS)
    assert not await records.advance(platform.client, platform.keys, late)
    assert await sdk.crons.search() == [changed]
    assert await ring(platform, read.due_ms + HOUR_MS) == 0


async def test_a_change_that_crosses_a_tick_is_made_and_the_tick_too(idle: Live) -> None:
    sdk, platform = idle.sdk("ann"), idle.platform
    thread_id = (await sdk.threads.create())["thread_id"]
    cron: Json = await sdk.crons.create_for_thread(thread_id, "echo", schedule="* * * * *", input={"n": 1})
    first_ms = await due(idle, cron)
    for n in range(20):
        now_ms = first_ms + n * MINUTE_MS + 300
        patch = CronPatch.model_validate({"input": {"n": n}})
        caller = ticks.owner_of(platform, await record(idle, cron))
        await asyncio.gather(
            ring(platform, now_ms),
            crons.update(platform, caller, cron["cron_id"], patch),
            ring(platform, now_ms),
        )
        await ring(platform, now_ms + 1)  # where the change has set the timer once more
        found = await record(idle, cron)
        assert found.payload["input"] == {"n": n}
        assert found.due_ms == first_ms + (n + 1) * MINUTE_MS
    assert len(await listed(sdk, thread_id)) == 20


async def test_the_end_of_a_cron(idle: Live) -> None:
    sdk = idle.sdk("ann")
    thread_id = (await sdk.threads.create())["thread_id"]
    cron: Json = await sdk.crons.create_for_thread(thread_id, "echo", schedule="* * * * *")
    first_ms = await due(idle, cron)
    await sdk.crons.update(cron["cron_id"], end_time=moment(first_ms + MINUTE_MS))
    for minute in range(4):
        await ring(idle.platform, first_ms + minute * MINUTE_MS + 300)
    assert len(await listed(sdk, thread_id)) == 2
    [ended] = await sdk.crons.search()
    assert ended["next_run_date"] is None


async def test_a_run_of_a_cron_is_its_owners(redis_url: str) -> None:
    async with live(redis_url, staff_roles=("operator",)) as server:
        sdk = server.sdk("ann", "reader", "buyer")
        thread_id = (await sdk.threads.create())["thread_id"]
        cron: Json = await sdk.crons.create_for_thread(
            thread_id,
            "whoami",
            schedule=YEARLY,
            input={},
            metadata={"topic": "news"},
            context={"shop": "north"},
        )
        await make_due(server, cron)
        await has_runs(sdk, thread_id, 1)
        [run] = await listed(sdk, thread_id)
        await has_status(sdk, thread_id, run["run_id"], "success")
        thread: Json = await sdk.threads.get(thread_id)
        user = thread["values"]["user"]
        assert user["langgraph_auth_user"]["identity"] == "ann"
        assert user["langgraph_auth_user"]["tenant"] == "default"
        assert user["langgraph_auth_user"]["roles"] == ["reader", "buyer"]
        assert (user["cron_id"], user["shop"]) == (cron["cron_id"], "north")
        told = {key: run["metadata"][key] for key in ("topic", "cron_id")}
        assert told == {"topic": "news", "cron_id": cron["cron_id"]}


@pytest.mark.parametrize(("on_run_completed", "left"), [("delete", 0), ("keep", 1)])
async def test_a_thread_of_its_own_goes_with_its_run_or_stays(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_run_completed: Any, left: int
) -> None:
    monkeypatch.setenv("SERVED_NOTES", str(tmp_path / "notes"))
    async with live(redis_url) as server:
        sdk = server.sdk("ann")
        cron: Json = await sdk.crons.create(
            "steps", schedule=YEARLY, input={"delay": 0}, on_run_completed=on_run_completed
        )
        await make_due(server, cron)

        async def ended() -> bool:
            found = await sdk.threads.search(status="busy")
            return (tmp_path / "notes").exists() and not found

        await wait_until(ended, "the run has ended")
        assert len(await threads_of(server, "ann")) == left


async def test_a_busy_thread_under_reject_lets_a_tick_go(
    idle: Live, caplog: pytest.LogCaptureFixture
) -> None:
    sdk = idle.sdk("ann")
    thread_id = (await sdk.threads.create())["thread_id"]
    await sdk.runs.create(thread_id, "echo", input=said("hi"))
    cron: Json = await sdk.crons.create_for_thread(
        thread_id, "echo", schedule="* * * * *", multitask_strategy="reject"
    )
    first_ms = await due(idle, cron)
    await ring(idle.platform, first_ms)
    assert len(await listed(sdk, thread_id)) == 1
    assert await due(idle, cron) == first_ms + MINUTE_MS
    [line] = [one for one in caplog.records if one.message == "a tick of a cron starts no run"]
    assert vars(line)["error"] == "ThreadBusy"


async def test_while_there_are_too_many_runs_a_tick_waits(redis_url: str) -> None:
    async with live(redis_url, worker=False, max_runs=1) as server:
        sdk = server.sdk("ann")
        thread_id = (await sdk.threads.create())["thread_id"]
        run = await sdk.runs.create(thread_id, "echo", input=said("hi"))
        cron: Json = await sdk.crons.create_for_thread(thread_id, "echo", schedule="* * * * *")
        first_ms = await due(server, cron)
        await ring(server.platform, first_ms)
        assert await due(server, cron) == first_ms
        await sdk.runs.cancel(thread_id, run["run_id"])
        await ring(server.platform, first_ms + timers.HELD_MS)
        assert len(await listed(sdk, thread_id)) == 2
        assert await due(server, cron) == first_ms + MINUTE_MS


async def test_what_fails_is_put_off_and_keeps_nobody_from_his_time(
    idle: Live, caplog: pytest.LogCaptureFixture
) -> None:
    platform, rung = idle.platform, []

    async def broken(platform: Platform, timer: Timer) -> int | None:
        raise ValueError("a secret")

    async def sound(platform: Platform, timer: Timer) -> int | None:
        rung.append(timer.now_ms)
        return timer.now_ms + 10 if len(rung) < 3 else None

    for kind in ("broken", "sound"):
        await bells.set_timer(platform.client, platform.keys, 0, kind, "x", 100)
    kinds = {"broken": broken, "sound": sound}
    for now_ms in (100, 105, 110, 120, 130):
        await timers.ring(platform, 0, 10, now_ms=now_ms, kinds=kinds)
    assert rung == [100, 110, 120]
    left = await platform.client.call("ZRANGE", platform.keys.timers(0), 0, -1, "WITHSCORES")
    assert left == [b"broken\x1fx", str(100 + timers.HELD_MS).encode()]
    [line] = [one for one in caplog.records if one.message == "what was due is put off"]
    assert (vars(line)["kind"], vars(line)["error"]) == ("broken", "ValueError")
    assert "secret" not in str(vars(line))


# threads and their crons


async def test_with_its_thread_a_cron_goes(idle: Live) -> None:
    sdk, platform = idle.sdk("ann"), idle.platform
    thread_id = (await sdk.threads.create())["thread_id"]
    staff = idle.sdk("chief", "operator")
    made: Json = await sdk.crons.create_for_thread(thread_id, "echo", schedule=YEARLY)
    for client in (sdk, sdk, staff):
        await client.crons.create_for_thread(thread_id, "echo", schedule=YEARLY)
    await sdk.crons.delete(made["cron_id"])
    other: Json = await sdk.crons.create("echo", schedule=YEARLY)
    await sdk.threads.delete(thread_id)
    assert [one["cron_id"] for one in await staff.crons.search()] == [other["cron_id"]]
    await sdk.crons.delete(other["cron_id"])
    found = [key.decode() async for key in platform.client.redis.scan_iter(f"{platform.keys.prefix}:*")]
    assert set(found) == {platform.keys.installation(), platform.keys.secret("dev")}


async def test_a_cron_whose_thread_has_vanished_goes_at_its_next_tick(idle: Live) -> None:
    sdk, platform = idle.sdk("ann"), idle.platform
    thread_id = (await sdk.threads.create())["thread_id"]
    cron: Json = await sdk.crons.create_for_thread(thread_id, "echo", schedule="* * * * *")
    await platform.client.call("DEL", platform.keys.thread(thread_id))
    await ring(platform, await due(idle, cron))
    assert await sdk.crons.search() == []
    lane = platform.keys.lane(thread_id)
    index, timers_key = platform.keys.crons(lane, "default", "ann"), platform.keys.timers(lane)
    assert await platform.client.call("EXISTS", index, timers_key) == 0


async def test_a_thread_with_a_cron_does_not_expire(redis_url: str) -> None:
    async with live(redis_url) as server:
        sdk, platform = server.sdk("ann"), server.platform
        thread_id = (await sdk.threads.create(ttl=1))["thread_id"]
        key = platform.keys.thread(thread_id)
        assert await platform.client.call("TTL", key) > 0
        one: Json = await sdk.crons.create_for_thread(thread_id, "echo", schedule=YEARLY)
        two: Json = await sdk.crons.create_for_thread(thread_id, "echo", schedule=YEARLY)
        assert await platform.client.call("TTL", key) == -1
        await sdk.runs.wait(thread_id, "echo", input=said("hi"))
        assert await platform.client.call("TTL", key) == -1
        assert await platform.client.call("TTL", platform.keys.events(thread_id)) > 0, "its log goes as ever"
        await sdk.crons.delete(one["cron_id"])
        assert await platform.client.call("TTL", key) == -1
        await sdk.crons.delete(two["cron_id"])
        for kept in (key, platform.keys.runs(thread_id), platform.keys.checkpoints(thread_id)):
            assert 0 < await platform.client.call("TTL", kept) <= 60


async def test_a_thread_that_was_made_for_one_run_stays_for_its_cron(redis_url: str) -> None:
    async with live(redis_url) as server, server.http("ann") as http:
        body = {"assistant_id": "steps", "input": {"delay": 0.3}}
        run = (await http.post("/runs", json=body)).json()
        thread = f"/threads/{run['thread_id']}"
        cron = {"assistant_id": "echo", "schedule": YEARLY}
        assert (await http.post(f"{thread}/runs/crons", json=cron)).status_code == 200
        await http.get(f"{thread}/runs/{run['run_id']}/join")
        assert (await http.get(thread)).json()["status"] == "idle"


# the project's rules


async def test_the_rules_are_asked_at_each_tick(redis_url: str) -> None:
    auth, allowed = Auth(), [True]

    @auth.on.threads.create_run
    async def run(ctx: Auth.types.AuthContext, value: Any) -> bool:
        value["metadata"]["seen"] = ctx.user.identity
        return allowed[0]

    async with live(redis_url, worker=False, rules=auth) as server:
        sdk = server.sdk("ann")
        thread_id = (await sdk.threads.create())["thread_id"]
        cron: Json = await sdk.crons.create_for_thread(thread_id, "echo", schedule="* * * * *")
        first_ms = await due(server, cron)
        await ring(server.platform, first_ms)
        allowed[0] = False
        await ring(server.platform, first_ms + MINUTE_MS)
        assert await due(server, cron) == first_ms + 2 * MINUTE_MS
        [made] = await listed(sdk, thread_id)
        assert made["metadata"]["seen"] == "ann"


async def test_a_graph_that_is_gone_lets_ticks_go(idle: Live, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    sdk, own = idle.sdk("ann"), idle.platform
    cron: Json = await sdk.crons.create("echo", schedule="* * * * *")
    graphs = {name: spec for name, spec in own.project.graphs.items() if name != "echo"}
    first_ms = await due(idle, cron)
    async with open_platform(own.settings, replace(own.project, graphs=graphs), own.redis_url) as newer:
        await ring(newer, first_ms)
    assert await due(idle, cron) == first_ms + MINUTE_MS
    assert await threads_of(idle, "ann") == []
    assert "a tick of a cron starts no run" in caplog.messages
