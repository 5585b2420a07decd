"""Whose entry it is: a worker that comes late, comes twice, or comes by a stale entry gets no run."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from holdfast.errors import Fenced
from holdfast.redis import claims, lua
from holdfast.redis.claims import Claim
from holdfast.redis.queue import Queue, open_queue
from tests.engine.conftest import Engine, now
from tests.waiting import wait_until


@pytest.fixture
async def other(redis_url: str, engine: Engine) -> AsyncIterator[Queue]:
    """The queue as a second worker sees it."""
    async with open_queue(redis_url, engine.keys, "worker-2", 0.5) as queue:
        yield queue


async def reclaim(queue: Queue, count: int = 1) -> list[str]:
    """The entries whose lease has run out by and by."""
    found: list[str] = []

    async def there() -> bool:
        found.extend(entry.id for entry in await queue.reclaim(0, count))
        return len(found) >= count

    await wait_until(there, f"{count} leases have run out")
    return found


async def renew(engine: Engine, claim: Claim) -> bytes:
    keys = [engine.keys.thread(claim.thread_id), engine.keys.runs(claim.thread_id), engine.keys.ready(0)]
    found: bytes = await engine.client.run(
        claims.RENEW, keys, [claim.token, claim.entry, "worker-1", claim.run_id, ""]
    )
    return found


async def test_a_worker_that_wakes_up_with_an_entry_that_is_done_takes_no_run(
    engine: Engine, other: Queue
) -> None:
    await engine.submit("a")
    await engine.submit("b")
    [late] = await engine.queue.take(0, 1)
    assert await reclaim(other) == [late.id]
    first = await engine.claim_entry(late.id, worker="worker-2")
    assert first is not None
    await engine.finish(first)
    assert await engine.claim_entry(late.id) is None, "no run is started under an entry that is gone"
    second = await engine.claimed()
    assert await engine.claim_entry(late.id) is None, "no run is taken from its worker"
    await engine.finish(second)
    assert await engine.ready() == 0


async def test_a_worker_whose_entry_has_passed_on_takes_no_run(engine: Engine, other: Queue) -> None:
    await engine.submit("a")
    [late] = await engine.queue.take(0, 1)
    await reclaim(other)
    assert await engine.claim_entry(late.id) is None
    assert await engine.claim_entry(late.id, worker="worker-2") is not None


async def test_a_lease_renewed_at_the_last_moment_stays(engine: Engine, other: Queue) -> None:
    await engine.submit("a")
    claim = await engine.claimed()
    [taken] = await reclaim(other)
    assert await renew(engine, claim) == b"held"
    assert await engine.claim_entry(taken, worker="worker-2") is None
    await engine.finish(claim)


async def test_an_entry_left_by_a_cancelled_run_leads_to_no_second_worker(
    engine: Engine, other: Queue
) -> None:
    await engine.submit("a")
    await lua.cancel(engine.client, engine.keys, engine.thread_id, "here", "a", "interrupt", now())
    await engine.submit("b")
    [one] = await engine.queue.take(0, 1)
    [two] = await other.take(0, 1)
    claim = await engine.claim_entry(one.id)
    assert claim is not None
    assert await engine.claim_entry(two.id, worker="worker-2") is None
    await engine.finish(claim)
    assert await engine.ready() == 0


async def test_a_claim_begins_a_whole_lease(engine: Engine, other: Queue) -> None:
    await engine.submit("a")
    [entry] = await engine.queue.take(0, 1)
    await asyncio.sleep(0.4)  # of 0.5 s
    claim = await engine.claim_entry(entry.id)
    assert claim is not None
    await asyncio.sleep(0.2)
    assert await other.reclaim(0, 10) == []


async def test_a_dead_workers_run_is_found_behind_many_live_ones(engine: Engine, other: Queue) -> None:
    threads = [replace(engine, thread_id=str(uuid.uuid4())) for _ in range(60)]
    for thread in threads:
        await thread.submit("a")
    held = [
        await replace(engine, thread_id=entry.thread_id).claim_entry(entry.id)
        for entry in await engine.queue.take(0, 60)
    ]
    *live, dead = [claim for claim in held if claim]

    async def found() -> bool:
        await asyncio.gather(*(renew(engine, claim) for claim in live))
        return dead.entry in [entry.id for entry in await other.reclaim(0, 1)]

    await wait_until(found, "the one lease that was not renewed has run out")
    claim = await replace(engine, thread_id=dead.thread_id).claim_entry(dead.entry, worker="worker-2")
    assert claim is not None
    with pytest.raises(Fenced):
        await engine.finish(dead)
