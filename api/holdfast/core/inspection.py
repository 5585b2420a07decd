"""Threads as an operator looks at them: whoever's they are, and without the rules for callers."""

import asyncio
from collections.abc import Iterable
from heapq import merge
from itertools import islice

from holdfast.core.platform import Platform
from holdfast.errors import ThreadNotFound
from holdfast.redis.records import RunRecord, ThreadRecord, read_run, read_thread, run_fields
from holdfast.redis.thread_index import EVERY, Part, lapse, scope_of, thread_of
from holdfast.wire.common import canonical


async def find(platform: Platform, thread_id: str) -> ThreadRecord | None:
    stored = await platform.client.call("HGETALL", platform.keys.thread(thread_id))
    return read_thread(thread_id, stored) if stored else None


async def get(platform: Platform, thread_id: str) -> ThreadRecord:
    """Raises `ThreadNotFound`, also for what is no thread's id."""
    try:
        found = await find(platform, canonical(thread_id))
    except ValueError:
        found = None
    if found is None:
        raise ThreadNotFound(f"There is no thread {thread_id} here: `holdfast threads ls` lists them.")
    return found


async def newest(
    platform: Platform, tenant: str, *, owner: str = "", status: str | None = None, limit: int
) -> list[ThreadRecord]:
    """The threads that were made last, of everybody in the tenant or of one owner, newest first."""
    client, keys, scope = platform.client, platform.keys, scope_of(tenant, owner)
    for lane in range(keys.lanes):
        await lapse(client, keys, lane)
    parts = [Part(client, keys, lane, scope) for lane in range(keys.lanes)]
    lanes = await asyncio.gather(*(part.first(status or EVERY, limit, newest=True) for part in parts))
    entries = islice(merge(*lanes, reverse=True), limit)
    records = await asyncio.gather(*(find(platform, thread_of(entry)) for entry in entries))
    return [one for one in records if one and status in (None, one.status)]


async def runs(platform: Platform, thread_id: str) -> list[RunRecord]:
    """All runs of a thread, newest first."""
    client, keys = platform.client, platform.keys
    ids = [one.decode() for one in await client.call("ZREVRANGE", keys.run_order(thread_id), 0, -1)]
    stored = await asyncio.gather(
        *(client.call("HMGET", keys.runs(thread_id), *run_fields(run_id)) for run_id in ids)
    )
    found = [read_run(thread_id, run_id, values) for run_id, values in zip(ids, stored, strict=True)]
    return [run for run in found if run]


async def count_runs(platform: Platform, thread_ids: Iterable[str]) -> list[int]:
    counts = (platform.client.call("ZCARD", platform.keys.run_order(one)) for one in thread_ids)
    return list(await asyncio.gather(*counts))


async def expires_in_s(platform: Platform, thread_id: str) -> int | None:
    """None when the thread does not expire as things are now."""
    left: int = await platform.client.call("TTL", platform.keys.thread(thread_id))
    return left if left >= 0 else None
