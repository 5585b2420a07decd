"""Whose turn it is, what starts later, and how much is taken in."""

import uuid
from dataclasses import replace

import pytest

from holdfast.errors import TooManyRuns
from holdfast.redis import claims, lua, timers
from holdfast.redis.lua import Most
from holdfast.redis.records import Caller
from holdfast.redis.stats import today
from tests.engine.conftest import Engine, now

READY = 100  # what schedule.lua keeps ready


def someone(tenant: str) -> Caller:
    return Caller("me", tenant)


async def submit_threads(engine: Engine, tenant: str, count: int) -> list[str]:
    """One run on each of so many new threads of a tenant."""
    made = []
    for _ in range(count):
        other = replace(engine, thread_id=str(uuid.uuid4()))
        await other.submit(f"run-{other.thread_id}", caller=someone(tenant))
        made.append(other.thread_id)
    return made


async def run_all(engine: Engine, count: int) -> list[str]:
    """Claims and ends runs as a worker would; the threads in the order they came."""
    order: list[str] = []
    while len(order) < count:
        for entry in await engine.queue.take(0, 10):
            one = replace(engine, thread_id=entry.thread_id)
            claim = await one.claim_entry(entry.id)
            assert claim is not None
            await one.finish(claim)
            order.append(entry.thread_id)
    return order


async def counted(engine: Engine) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = await engine.client.call("HGETALL", engine.keys.queued(0))
    return found


async def test_a_tenant_with_many_threads_does_not_keep_another_waiting(engine: Engine) -> None:
    many = await submit_threads(engine, "many", READY + 200)
    few = await submit_threads(engine, "few", 3)
    assert await engine.ready() == READY
    order = await run_all(engine, len(many) + len(few))
    assert sorted(order) == sorted(many + few), "each thread runs once"
    places = [order.index(thread_id) for thread_id in few]
    # What was ready when they came goes first; from then on the tenants alternate.
    assert max(places) < READY + 3 * 2 + 10
    assert [thread for thread in order if thread in set(many)] == many, (
        "a tenant's own threads keep their order"
    )


async def test_nothing_is_left_of_a_schedule_that_is_done(engine: Engine) -> None:
    threads = await submit_threads(engine, "a", READY + 20)
    await run_all(engine, len(threads))
    for thread_id in threads:
        await lua.delete_thread(engine.client, engine.keys, thread_id, "a")
    found = await engine.client.call("KEYS", f"{engine.keys.prefix}:*")
    counted_for_weeks = engine.keys.stats(0, "a", today())
    assert set(found) == {engine.keys.ready(0).encode(), counted_for_weeks.encode()}


async def test_a_deleted_thread_does_not_wait_any_more(engine: Engine) -> None:
    threads = await submit_threads(engine, "a", READY + 2)
    await lua.delete_thread(engine.client, engine.keys, threads[-1], "a")
    await lua.delete_thread(engine.client, engine.keys, threads[-1], "a")
    assert (await counted(engine))[b"a"] == str(READY + 1).encode()
    assert set(await run_all(engine, READY + 1)) == set(threads[:-1])
    assert await counted(engine) == {}


async def test_a_run_that_starts_later_waits_for_its_time_and_starts_once(engine: Engine) -> None:
    await engine.submit("later", delay_ms=60_000)
    assert (await engine.thread()).status == "idle"
    await engine.submit("first")
    await engine.finish(await engine.claimed())
    assert await start(engine) == 0
    assert await engine.ready() == 0
    await make_due(engine)
    assert [await start(engine), await start(engine)] == [1, 0]
    claim = await engine.claimed()
    assert claim.run_id == "later"
    await engine.finish(claim)
    assert await counted(engine) == {}


async def test_a_thread_does_not_expire_before_its_later_run(engine: Engine) -> None:
    await engine.submit("later", delay_ms=60_000)
    await engine.submit("first")
    outcome = claims.Outcome("success", "idle", {}, None, 100)
    await engine.finish(await engine.claimed(), 0, outcome)
    assert await engine.client.call("TTL", engine.keys.thread(engine.thread_id)) == -1
    await make_due(engine)
    await start(engine)
    await engine.finish(await engine.claimed(), 0, outcome)
    assert await engine.client.call("TTL", engine.keys.thread(engine.thread_id)) > 0


async def test_a_later_run_can_be_cancelled_or_go_with_its_thread(engine: Engine) -> None:
    await engine.submit("a", delay_ms=60_000)
    assert (
        await lua.cancel(engine.client, engine.keys, engine.thread_id, "here", "a", "interrupt", now())
        is True
    )
    await make_due(engine)
    assert await start(engine) == 0
    await engine.submit("b", delay_ms=60_000)
    await lua.delete_thread(engine.client, engine.keys, engine.thread_id, "here")
    assert await engine.client.call("EXISTS", engine.keys.timers(0), engine.keys.queued(0)) == 0
    assert await start(engine) == 0


async def test_what_is_too_much_is_refused_and_nothing_half_done(engine: Engine) -> None:
    bounds = Most(in_all=3, of_tenant=2)
    one, two, other = (replace(engine, thread_id=str(uuid.uuid4())) for _ in range(3))
    await one.submit("a", caller=someone("x"), most=bounds)
    await one.submit("b", caller=someone("x"), most=bounds)
    with pytest.raises(TooManyRuns):
        await two.submit("c", caller=someone("x"), most=bounds)
    assert await engine.client.call("EXISTS", engine.keys.thread(two.thread_id)) == 0
    await other.submit("d", caller=someone("y"), most=bounds)
    with pytest.raises(TooManyRuns):
        await two.submit("e", caller=someone("z"), most=bounds)
    await lua.cancel(engine.client, engine.keys, one.thread_id, "here", "b", "interrupt", now())
    await two.submit("c", caller=someone("x"), most=bounds)
    assert await counted(engine) == {b"": b"3", b"x": b"2", b"x\x1fme": b"2", b"y": b"1", b"y\x1fme": b"1"}


async def make_due(engine: Engine) -> None:
    """Lets a minute pass for the runs that start later."""
    due = engine.keys.timers(0)
    for member in await engine.client.call("ZRANGE", due, 0, -1):
        await engine.client.call("ZINCRBY", due, -60_000, member)


async def start(engine: Engine) -> int:
    client, keys = engine.client, engine.keys
    now_ms = await timers.clock_ms(client)
    taken = await timers.take(client, keys, 0, {"run"}, now_ms, until_ms=now_ms + 1000, count=10)
    ids = [timer.id.split(timers.SEPARATOR) for timer in taken]
    return sum([await claims.start_one(client, keys, 0, *one) for one in ids])
