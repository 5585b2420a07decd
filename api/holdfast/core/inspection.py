"""Threads as an operator looks at them: whoever's they are, and without the rules for callers."""

import asyncio
from collections.abc import Iterable

from holdfast.core.platform import Platform
from holdfast.errors import ThreadNotFound
from holdfast.redis.records import RunRecord, ThreadRecord, read_run, read_thread, run_fields
from holdfast.wire.common import canonical

PAGE = 200  # records read at once


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
    found: list[ThreadRecord] = []
    ids = await listed(platform, tenant, owner)
    for start in range(0, len(ids), PAGE):
        records = await asyncio.gather(*(find(platform, one) for one in ids[start : start + PAGE]))
        found += [one for one in records if one and status in (None, one.status)]
        if len(found) >= limit:
            break
    return found[:limit]


async def listed(platform: Platform, tenant: str, owner: str) -> list[str]:
    """The ids on the list of an owner, or of the tenant, over all lanes, newest first."""
    indexes = [platform.keys.threads(lane, tenant, owner) for lane in range(platform.keys.lanes)]
    lanes = await asyncio.gather(
        *(platform.client.call("ZRANGE", index, 0, -1, "WITHSCORES") for index in indexes)
    )
    entries = [(float(of[i + 1]), of[i].decode()) for of in lanes for i in range(0, len(of), 2)]
    return [thread_id for _, thread_id in sorted(entries, reverse=True)]


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
