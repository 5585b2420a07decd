"""Ids of expired threads go off every list that names them, though nobody reads the list."""

import asyncio
import time
import uuid

import pytest

from holdfast import worker
from holdfast.redis import lua
from holdfast.redis import sweep as sweeping
from holdfast.redis.client import Client
from holdfast.redis.keys import Keys
from holdfast.redis.records import Caller
from holdfast.redis.sweep import sweep
from holdfast.redis.thread_index import Part, scope_of, thread_of
from tests.engine.conftest import now
from tests.servers import live, valkey
from tests.waiting import wait_until

OWNERS = ("ann", "bob", "ann: of the {north}")


async def make(client: Client, keys: Keys, owner: str) -> str:
    thread_id = str(uuid.uuid4())
    caller = Caller(owner, "here")
    await lua.create_thread(
        client, keys, thread_id, caller, now=now(), metadata={}, ttl_minutes=None, default_ttl_s=60
    )
    lane = keys.lane(thread_id)
    await client.call("SADD", keys.registry(lane), thread_id)
    await client.call("ZADD", keys.checkpoint_index(thread_id), 0, "c")
    return thread_id


async def expire(client: Client, keys: Keys, thread_id: str) -> None:
    await client.call("DEL", keys.thread(thread_id), keys.checkpoint_index(thread_id))


async def listed(client: Client, keys: Keys) -> list[str]:
    """The ids on all lists, as often as they are named."""
    found = []
    for lane in range(keys.lanes):
        found += await client.call("SMEMBERS", keys.registry(lane))
        for owner in ("", *OWNERS):
            part = Part(client, keys, lane, scope_of("here", owner))
            found += [thread_of(entry).encode() async for page in part.every() for entry in page]
    return sorted(one.decode() for one in found)


async def searched(client: Client, keys: Keys) -> int:
    """Goes on until each lane has been searched once; returns what was removed."""
    removed = 0
    for lane in range(keys.lanes):
        for _ in range(1000):
            removed += sum([one async for one in sweep(client, keys, lane)])
            if await client.call("GET", keys.sweep(lane, "thread-updates")) == b"0":
                break
        else:
            pytest.fail("the search comes to no end")
    return removed


@pytest.mark.parametrize(("searched_at_once", "slice_of"), [(1000, 200), (7, 3)])
async def test_what_expired_goes_off_every_list(
    client: Client, monkeypatch: pytest.MonkeyPatch, searched_at_once: int, slice_of: int
) -> None:
    monkeypatch.setattr(sweeping, "SEARCHED", searched_at_once)
    monkeypatch.setattr(sweeping, "SLICE", slice_of)
    keys = Keys(f"t{uuid.uuid4().hex[:8]}", lanes=3)
    threads = [await make(client, keys, owner) for owner in OWNERS for _ in range(10)]
    for gone in threads[::3]:
        await expire(client, keys, gone)
    assert await searched(client, keys) == 3 * len(threads[::3])
    left = [thread_id for thread_id in threads if thread_id not in threads[::3]]
    assert await listed(client, keys) == sorted(left * 3)
    assert await searched(client, keys) == 0
    lives = [await client.call("TTL", keys.sweep(lane, "thread-updates")) for lane in range(keys.lanes)]
    assert all(0 < life <= sweeping.FORGOTTEN_S for life in lives)


async def test_two_workers_share_the_search(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "COMPARED", 1)
    keys = Keys(f"t{uuid.uuid4().hex[:8]}")
    for _ in range(20):
        await make(client, keys, "ann")
    cursors = []
    for _ in range(3):
        await anext(sweep(client, keys, 0))
        cursors.append(await client.call("GET", keys.sweep(0, "thread")))
    assert len(set(cursors)) == 3, "each goes on where the last one was"


async def test_an_idle_worker_sweeps_and_asks_little_of_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    with valkey() as url:
        monkeypatch.setattr(worker, "SWEEP_S", 0.01)
        async with live(url) as server:
            client, keys = server.platform.client, server.platform.keys
            await expire(client, keys, await make(client, keys, "ann"))

            async def swept() -> bool:
                return not await listed(client, keys)

            await wait_until(swept, "the expired thread is on no list")
        monkeypatch.undo()
        async with live(url, lease_s=4) as server:
            client = server.platform.client
            await asyncio.sleep(1)  # what a start asks for is no part of it
            before, begun = await commands(client), time.monotonic()
            await asyncio.sleep(5)
            assert (await commands(client) - before - 1) / (time.monotonic() - begun) < 10


async def commands(client: Client) -> int:
    """How many commands the server has carried out, those of scripts too."""
    return int((await client.redis.info("stats"))["total_commands_processed"])
