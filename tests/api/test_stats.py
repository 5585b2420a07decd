"""Figures for staff: what runs and waits now, and what happened today."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from holdfast.core.stats import age
from holdfast.redis.client import Script
from holdfast.redis.stats import AGES, last_days, percentile
from tests.api.approving import APPROVE, REJECT, ask, ask_one, decide, edit, later, settled
from tests.api.test_approval_times import look
from tests.api.wire import Json, new_thread, refusal, streamed
from tests.servers import Live, live, said
from tests.waiting import wait_until


@pytest.fixture
async def alone(redis_url: str) -> AsyncIterator[Live]:
    """A server of the test's own: what is counted stays for days."""
    async with live(redis_url, lanes=3) as running:
        yield running


async def stats(server: Live, **asked: Any) -> Json:
    async with server.http() as http:
        response = await http.get("/stats", params=asked)
    assert response.status_code == 200, response.text
    return response.json()


async def today(server: Live) -> Json:
    return (await stats(server))["days"][-1]


async def run(http: httpx.AsyncClient, graph: str, thread_id: str | None = None, **given: Any) -> str:
    thread_id = thread_id or await new_thread(http)
    body = {"assistant_id": graph, "input": {**said("hi"), **given}}
    await http.post(f"/threads/{thread_id}/runs/wait", json=body)
    return thread_id


async def test_only_staff_see_the_figures_and_only_of_their_tenant(alone: Live) -> None:
    async with alone.http("ann") as ann:
        assert refusal(await ann.get("/stats"))[0] == 403
        await run(ann, "echo")
    foreign = alone.authenticator.sign("kim", ["operator"], "elsewhere")
    async with httpx.AsyncClient(base_url=alone.url, headers={"Authorization": f"Bearer {foreign}"}) as kim:
        found = (await kim.get("/stats")).json()
    assert found["total"]["runs"]["success"] == 0
    assert (await stats(alone))["total"]["runs"]["success"] == 1


async def test_every_day_is_there_the_oldest_first(alone: Live) -> None:
    found = await stats(alone)
    days = [day["day"] for day in found["days"]]
    assert days == [day.isoformat() for day in last_days(14)]
    assert days[-1] == datetime.now(UTC).date().isoformat()
    assert [len((await stats(alone, days=days))["days"]) for days in (1, 31)] == [1, 31]
    nothing = found["total"]
    assert nothing["runs"] == {"success": 0, "error": 0, "timeout": 0, "interrupted": 0, "error_rate": None}
    assert (nothing["handoff_rate"], nothing["ratings"]["average"]) == (None, None)
    assert nothing["duration_ms"] == {"count": 0, "p50": None, "p95": None}
    async with alone.http() as http:
        for wrong in ("0", "32", "x"):
            assert refusal(await http.get("/stats", params={"days": wrong}))[0] == 400


async def test_runs_are_counted_by_how_they_end(alone: Live) -> None:
    async with alone.http("ann") as ann:
        thread_id = await run(ann, "echo")
        await run(ann, "echo", thread_id)
        await run(ann, "fail")
        stopped = await new_thread(ann)
        body = {"assistant_id": "slow_talk", "input": {**said("hi"), "delay": 30}}
        run_id = (await ann.post(f"/threads/{stopped}/runs", json=body)).json()["run_id"]
        await begun(alone)
        assert (await stats(alone))["now"]["running"] == 1
        await ann.post(f"/threads/{stopped}/runs/{run_id}/cancel", params={"wait": "true"})
        await ann.post("/runs/wait", json={"assistant_id": "echo", "input": said("alone")})
    found = await today(alone)
    assert found["runs"] == {"success": 3, "error": 1, "timeout": 0, "interrupted": 1, "error_rate": 0.2}
    assert found["threads"] == 3, "a thread that was made for one run is none of them"
    assert found["duration_ms"]["count"] == 5
    assert (await stats(alone))["total"] == {name: value for name, value in found.items() if name != "day"}


async def begun(server: Live) -> None:
    async def running() -> bool:
        return bool((await stats(server))["now"]["running"])

    await wait_until(running, "a worker has the run")


async def test_what_waits_in_line_and_what_a_worker_has(redis_url: str) -> None:
    async with live(redis_url, worker=False) as idle, idle.http("ann") as ann:
        thread_id = await new_thread(ann)
        for _ in range(3):
            await ann.post(f"/threads/{thread_id}/runs", json={"assistant_id": "echo", "input": said("x")})
        assert (await stats(idle))["now"] | {"waiting": {}} == {"queued": 3, "running": 0, "waiting": {}}


async def test_the_time_to_the_first_text_is_that_of_runs_that_stream_it(alone: Live) -> None:
    async with alone.http("ann") as ann:
        thread_id = await new_thread(ann)
        await run(ann, "modes", thread_id)
        assert (await today(alone))["first_token_ms"]["count"] == 0
        body = {"assistant_id": "modes", "input": said("hi"), "stream_mode": "messages-tuple"}
        began = asyncio.get_running_loop().time()
        await streamed(ann, f"/threads/{thread_id}/runs/stream", **body)
        took_ms = 1000 * (asyncio.get_running_loop().time() - began)
    found = (await today(alone))["first_token_ms"]
    assert found["count"] == 1
    assert 1 <= found["p50"] == found["p95"] <= 1.05 * took_ms + 1


async def test_a_run_that_starts_later_waits_for_nobody(alone: Live) -> None:
    async with alone.http("ann") as ann:
        thread_id = await new_thread(ann)
        body = {"assistant_id": "modes", "input": said("hi"), "stream_mode": "messages-tuple"}
        await ann.post(f"/threads/{thread_id}/runs/wait", json={**body, "after_seconds": 2})
    assert (await today(alone))["first_token_ms"]["p50"] < 2000


async def test_each_decision_is_counted_once(alone: Live) -> None:
    async with alone.http("ann") as ann, alone.http("bob", "chief") as bob:
        _, ids = await ask(ann, "one", "two", "three", "four")
        await asyncio.gather(*(decide(one, ids["one"], APPROVE) for one in (ann, ann)))
        await decide(ann, ids["two"], REJECT)
        await decide(ann, ids["three"], edit("1"))
        votes = await ask_one(ann, roles=["owner", "chief"], deciders=2)
        await decide(ann, votes, APPROVE)
        before = (await today(alone))["decisions"]
        await decide(bob, votes, APPROVE)
        late = await ask_one(ann, expires_at=later(seconds=-1))
        await look(alone, late)
        await settled(ann, late)
    assert before == {"approved": 1, "edited": 1, "rejected": 1, "answered": 0, "expired": 0}
    assert (await today(alone))["decisions"] == before | {"approved": 2, "expired": 1}


async def test_what_waits_is_told_by_its_age(alone: Live) -> None:
    async with alone.http("ann") as ann:
        await ask(ann, "one", "two")
    waiting = {"under_5m": 2, "under_1h": 0, "under_1d": 0, "older": 0}
    assert (await stats(alone))["now"]["waiting"] == waiting
    assert [age(below) for _, below in AGES] == ["under_1h", "under_1d", "older"]
    assert age(timedelta(minutes=5) - timedelta.resolution) == "under_5m"


async def test_a_thread_is_handed_over_once_a_day(alone: Live) -> None:
    async with alone.http("ann") as ann, alone.http("eve", "operator") as eve:
        await run(ann, "echo")
        thread_id = await run(ann, "echo")
        await ann.put(f"/threads/{thread_id}/hold", json={})
        for _ in range(2):
            await eve.put(f"/threads/{thread_id}/hold", json={})
            await eve.request("DELETE", f"/threads/{thread_id}/hold")
        await run(ann, "calling")
        unused = await new_thread(ann)
        await ann.put(f"/threads/{unused}/hold", json={})
    found = await today(alone)
    assert (found["threads"], found["handoffs"], found["handoff_rate"]) == (4, 3, 0.75)


async def test_figures_name_nobody_and_do_not_stay_for_ever(alone: Live) -> None:
    async with alone.http("ann") as ann:
        await run(ann, "echo")
    client, keys = alone.platform.client, alone.platform.keys
    written = [keys.stats(lane, "default", last_days(1)[0]) for lane in range(keys.lanes)]
    [key] = [key for key in written if await client.call("EXISTS", key)]
    assert 34 * 86_400 < await client.call("TTL", key) <= 35 * 86_400
    assert "ann" not in str(await client.call("HGETALL", key))


@pytest.mark.parametrize("ms", [1, 7, 310, 5000, 3_600_000])
async def test_a_percentile_is_within_five_percent(alone: Live, ms: int) -> None:
    """As the script that counts bounds it."""
    client, key = alone.platform.client, f"{alone.platform.keys.prefix}:{uuid.uuid4().hex}:2026-01-01"
    script = Script.load("stats").source + "\ntally_time(KEYS[1], 'x', tonumber(ARGV[1]))"
    await client.call("EVAL", script, 1, key, ms)
    counts = {name.decode(): int(number) for name, number in (await client.call("HGETALL", key)).items()}
    assert ms / 1.05 <= (percentile(counts, "x", 0.5) or 0) <= ms * 1.05 + 0.5


async def test_percentiles_of_many_times() -> None:
    counts = {"x:10": 90, "x:40": 9, "x:50": 1, "xy:99": 1000}
    assert percentile(counts, "x", 0.5) == round(1.1**10.5)
    assert percentile(counts, "x", 0.9) == round(1.1**10.5)
    assert percentile(counts, "x", 0.95) == round(1.1**40.5)
    assert percentile(counts, "y", 0.95) is None
