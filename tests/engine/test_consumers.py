"""The names of workers in the queue's consumer group: a dead one goes, and never takes an entry with it."""

import asyncio
import signal
import uuid
from dataclasses import replace

import pytest

from holdfast import worker
from holdfast.redis import consumers
from holdfast.redis.client import Client
from holdfast.redis.keys import Keys
from holdfast.redis.queue import open_queue
from tests.engine.conftest import Engine
from tests.servers import SERVED, Live, holdfast, live
from tests.waiting import wait_until

ENTRIES = 60


async def names(client: Client, keys: Keys) -> set[str]:
    found = await client.call("XINFO", "CONSUMERS", keys.ready(0), "workers")
    return {fields[1].decode() for fields in found}


async def reads(engine: Engine, redis_url: str, name: str) -> None:
    """A worker looks for work, and is heard of no more."""
    async with open_queue(redis_url, engine.keys, name, 0.5) as queue:
        await queue.reclaim(0, 1)
        await engine.client.call("XREADGROUP", "GROUP", "workers", name, "STREAMS", engine.keys.ready(0), ">")


async def test_a_worker_that_leaves_takes_its_name_with_it(engine: Engine, redis_url: str) -> None:
    for name in ("worker-1", "worker-2"):
        await reads(engine, redis_url, name)
    assert await consumers.forget(engine.client, engine.keys, 0, "worker-2") is True
    assert await consumers.forget(engine.client, engine.keys, 0, "worker-2") is False
    assert await names(engine.client, engine.keys) == {"worker-1"}


async def test_a_worker_with_an_entry_stays_until_somebody_has_taken_it_over(
    engine: Engine, redis_url: str
) -> None:
    await engine.submit("a")
    await engine.claimed()
    assert await consumers.forget(engine.client, engine.keys, 0, "worker-1") is False
    assert await consumers.forget_silent(engine.client, engine.keys, 0, 0) == 0
    async with open_queue(redis_url, engine.keys, "worker-2", 0.5) as other:

        async def taken_over() -> bool:
            return bool(await other.reclaim(0, 1))

        await wait_until(taken_over, "the entry is found")
    assert await consumers.forget(engine.client, engine.keys, 0, "worker-1") is True
    ready = engine.keys.ready(0)
    [held] = await engine.client.redis.xpending_range(ready, "workers", "-", "+", 10)
    assert held["consumer"] == b"worker-2"


async def test_only_who_was_silent_for_long_is_forgotten(engine: Engine, redis_url: str) -> None:
    await reads(engine, redis_url, "dead")
    assert await consumers.forget_silent(engine.client, engine.keys, 0, 60) == 0

    async def forgotten() -> bool:
        await reads(engine, redis_url, "alive")
        await consumers.forget_silent(engine.client, engine.keys, 0, 0.3)
        return await names(engine.client, engine.keys) == {"alive"}

    await wait_until(forgotten, "the dead worker's name is gone")


async def test_where_there_is_no_group_nobody_is_forgotten(client: Client) -> None:
    keys = Keys(f"t{uuid.uuid4().hex[:8]}")
    assert await consumers.forget_silent(client, keys, 0, 0) == 0
    assert await client.call("EXISTS", keys.ready(0)) == 0


async def test_no_entry_is_lost_to_a_search_in_its_midst(engine: Engine) -> None:
    """All that is taken is ended, whenever the taker is forgotten: at the very moment of its claim, too."""
    threads = {str(uuid.uuid4()) for _ in range(ENTRIES)}
    for thread_id in threads:
        await replace(engine, thread_id=thread_id).submit("a")
    done: set[str] = set()

    async def search() -> None:
        while done < threads:
            await consumers.forget_silent(engine.client, engine.keys, 0, 0)

    async def work() -> None:
        while done < threads:
            for entry in await engine.queue.take(0, 5):
                one = replace(engine, thread_id=entry.thread_id)
                claim = await one.claim_entry(entry.id)
                assert claim is not None, "the entry was lost"
                await one.finish(claim)
                done.add(entry.thread_id)

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:  # where one fails, the other ends too
        group.create_task(work())
        group.create_task(search())
    assert await engine.ready() == 0


async def test_a_worker_leaves_no_name_and_forgets_those_of_the_dead(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "FORGET_S", 0.2)
    monkeypatch.setattr(worker, "SILENT_S", 3.0)  # a worker that waits is heard of every two seconds
    async with live(redis_url, worker=False) as api:
        client, keys = api.platform.client, api.platform.keys
        environment = {"REDIS_URL": redis_url, "HOLDFAST_PREFIX": keys.prefix}
        async with holdfast("worker", "--config", str(SERVED), **environment) as process:
            dead = await appeared(api, set())
            process.send_signal(signal.SIGKILL)
            await process.wait()
        async with live(redis_url, prefix=keys.prefix) as running:
            [living] = await appeared(running, dead)

            async def forgotten() -> bool:
                return await names(client, keys) == {living}

            await wait_until(forgotten, "the name of the dead worker is gone")
        assert await names(client, keys) == set()


async def appeared(running: Live, known: set[str]) -> set[str]:
    """The names of workers that were not known before."""
    client, keys = running.platform.client, running.platform.keys

    async def there() -> bool:
        found = await client.call("EXISTS", keys.ready(0))
        return bool(found) and bool(await names(client, keys) - known)

    await wait_until(there, "a worker waits for work", 30)
    return await names(client, keys) - known
