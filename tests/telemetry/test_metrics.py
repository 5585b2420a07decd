"""What is counted, as a scraper reads it: each figure moves with what happens, and is in the documents."""

import asyncio
import re
import uuid
from dataclasses import replace
from functools import partial

import pytest
from prometheus_client.parser import text_string_to_metric_families

from holdfast.errors import Fenced
from holdfast.redis import claims
from holdfast.redis.claims import Claim
from holdfast.telemetry import metrics
from holdfast.telemetry.metrics import FleetCollector, Metrics
from tests.api.approving import APPROVE, REJECT, ask, decide
from tests.faults.proxy import proxied
from tests.servers import live, said
from tests.telemetry.conftest import Watched, watched
from tests.telemetry.documented import DOCUMENTED
from tests.waiting import wait_until


async def test_what_happens_to_a_run_is_counted(holdfast: Watched) -> None:
    before = await holdfast.scrape()
    sdk = holdfast.server.sdk()
    async for _ in sdk.runs.stream(None, "modes", input=said("hi"), stream_mode="messages-tuple"):
        pass
    await sdk.runs.wait(None, "fail", input={}, raise_error=False)
    after = await holdfast.scrape()

    def moved(name: str, **labels: str) -> float:
        return after.value(name, **labels) - before.value(name, **labels)

    for graph, status in (("modes", "success"), ("fail", "error")):
        assert moved("claims_total", graph=graph) == 1
        assert moved("queue_wait_seconds_count", graph=graph) == 1
        assert moved("attempts_total", graph=graph, ending="ended") == 1
        assert moved("runs_total", graph=graph, status=status) == 1
        assert moved("run_duration_seconds_count", graph=graph) == 1
    assert moved("time_to_first_token_seconds_count", graph="modes") == 1
    assert moved("time_to_first_event_seconds_count") == 1, "the other one was not streamed"
    route = {"method": "POST", "route": "/runs/stream", "status": "2xx"}
    assert moved("http_request_seconds_count", **route) == 1
    assert 0 < moved("redis_round_trip_seconds_count") <= moved("redis_commands_total")
    assert after.value("worker_slots") == holdfast.server.platform.settings.concurrency
    assert after.value("event_loop_delay_seconds") < 1


async def test_a_stream_that_is_open_and_a_run_that_works_are_seen(holdfast: Watched) -> None:
    body = {"assistant_id": "steps", "input": {"delay": 30}, "on_disconnect": "cancel"}
    async with holdfast.server.http() as http, http.stream("POST", "/runs/stream", json=body) as stream:
        chunks = stream.aiter_bytes()  # which ends the stream when nobody has it any more
        await anext(chunks)
        await wait_until(partial(are_seen, holdfast, 1), "stream and run are seen", every_s=0.1)
    await wait_until(partial(are_seen, holdfast, 0), "stream and run are over", every_s=0.1)


async def are_seen(holdfast: Watched, count: int) -> bool:
    now = await holdfast.scrape()
    runs = [now.value(name) for name in ("worker_runs", "runs_running", "runs_unfinished")]
    return [now.value("open_streams", kind="sse"), *runs] == [count] * 4


async def test_approvals_are_counted_by_age_and_by_what_became_of_them(holdfast: Watched) -> None:
    async with holdfast.server.http() as http:
        thread_id, asked = await ask(http, "one", "two", "three")
        assert (await holdfast.scrape()).value("approvals_open", age="under_5m") == 3
        keys = holdfast.server.platform.keys
        [member, *_] = await holdfast.server.platform.client.call("ZRANGE", keys.asked(0), 0, 0)
        await holdfast.server.platform.client.call("ZINCRBY", keys.asked(0), -2 * 3600 * 1_000_000, member)
        older = await holdfast.scrape()
        assert older.value("approvals_open", age="under_5m") == 2
        assert older.value("approvals_open", age="under_1d") == 1
        await decide(http, asked["one"], APPROVE)
        await decide(http, asked["two"], REJECT)
        decided = await holdfast.scrape()
        assert decided.value("approval_decisions_total", outcome="approved") == 1
        assert decided.value("approval_decisions_total", outcome="rejected") == 1
        await http.delete(f"/threads/{thread_id}")
        gone = await holdfast.scrape()
    assert [gone.value("approvals_open", age=age) for age in ("under_5m", "under_1d")] == [0, 0]


async def test_the_queue_is_seen_also_where_nobody_works(redis_url: str) -> None:
    async with watched(redis_url, worker=False, lanes=2) as idle, idle.server.http() as http:
        for _ in range(5):
            body = {"assistant_id": "echo", "input": said("hi"), "if_not_exists": "create"}
            await http.post(f"/threads/{uuid.uuid4()}/runs", json=body)
        await http.post("/runs", json={"assistant_id": "echo", "input": said("later"), "after_seconds": 600})
        waiting = await idle.scrape()
        assert waiting.value("queue_depth") == 5
        assert waiting.value("runs_unfinished") == 6
        assert waiting.value("runs_running") == 0
        assert 0 < waiting.value("queue_oldest_seconds") < 60


async def test_a_lease_that_is_lost_and_a_write_that_comes_too_late_are_counted(redis_url: str) -> None:
    where = redis_url.removeprefix("unix://")
    async with proxied(partial(asyncio.open_unix_connection, where)) as proxy, watched(proxy.url) as one:
        sdk = one.server.sdk()
        thread = await sdk.threads.create()
        await sdk.runs.create(thread["thread_id"], "steps", input={"delay": 30})

        async def at_work() -> bool:
            return (await one.scrape()).value("worker_runs") == 1

        await wait_until(at_work, "the run has begun", every_s=0.1)
        proxy.refusing = True
        proxy.cut()

        async def lost() -> bool:
            return (await one.scrape()).value("lease_losses_total") == 1

        await wait_until(lost, "the lease is lost", every_s=0.1)
        away = await one.scrape()
        assert away.value("redis_up") == 0
        assert "holdfast_queue_depth" not in away.types, "nothing is said that is not known"
        proxy.refusing = False

        async def counted() -> bool:
            return (await one.scrape()).value("redis_failures_total", reason="unreachable") > 0

        await wait_until(counted, "it was noticed that Redis was away", every_s=0.1)
        refused = "fenced_writes_refused_total"
        before = (await one.scrape()).value(refused, write="append")  # the lost attempt may have been, too
        stale = await claim_of_another(one, thread["thread_id"])
        with pytest.raises(Fenced):
            await claims.append(one.server.platform.client, one.server.platform.keys, stale, 0, [b"{}"])
        assert (await one.scrape()).value(refused, write="append") > before
        [run] = await sdk.runs.list(thread["thread_id"])
        await sdk.runs.cancel(thread["thread_id"], run["run_id"], wait=True)


async def claim_of_another(one: Watched, thread_id: str) -> Claim:
    """A claim on a thread that has passed to somebody else."""
    claim = Claim(thread_id, "", 0, "", "0:stale", 1, 0, {}, "", "", "")
    return replace(claim, lane=one.server.platform.keys.lane(thread_id))


def test_redis_is_asked_once_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "FLEET_KEEP_S", 60.0)
    asked: list[int] = []
    collector = FleetCollector(lambda: asked.append(1))
    for _ in range(3):
        assert [metric.name for metric in collector.collect()] == ["holdfast_redis_up"]
    assert len(asked) == 1


async def test_every_metric_is_documented_and_every_documented_one_is_served(holdfast: Watched) -> None:
    text = (await holdfast.get("/metrics")).text
    served = {family.name: family.type for family in text_string_to_metric_families(text)}
    assert served == {name: kind for name, (kind, _) in DOCUMENTED.items()}
    for name, labels in (await holdfast.scrape()).labels:
        family = re.sub(r"_(total|bucket|sum|count)$", "", name)
        known = DOCUMENTED.get(name) or DOCUMENTED[family]
        assert labels - {"le"} == known[1], name


async def test_a_scraper_that_speaks_openmetrics_gets_it(holdfast: Watched) -> None:
    answer = await holdfast.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


async def test_two_of_them_live_in_one_process(redis_url: str) -> None:
    one, other = Metrics("1"), Metrics("2")
    one.lease_lost()
    values = [each.registry.get_sample_value("holdfast_lease_losses_total") for each in (one, other)]
    assert values == [1, 0]


async def test_nobody_can_make_a_series_of_his_own(holdfast: Watched) -> None:
    async with holdfast.server.http() as http:
        for word in ("/nowhere/s3cr3t", f"/threads/{uuid.uuid4()}"):
            await http.get(word)
            await http.request("PROPFIND", word)
    text = (await holdfast.get("/metrics")).text
    assert "s3cr3t" not in text.lower()
    assert 'method="other"' in text


async def test_without_a_port_nothing_is_counted(redis_url: str) -> None:
    async with live(redis_url, worker=False) as quiet:
        assert not isinstance(quiet.platform.recorder, Metrics)
