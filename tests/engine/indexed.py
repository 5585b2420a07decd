"""What the index of threads has to say, by the records alone."""

from typing import Any

from holdfast.redis.client import Client
from holdfast.redis.keys import Keys
from holdfast.redis.records import ThreadRecord, read_thread, timestamp_us
from holdfast.redis.terms import terms_of
from holdfast.redis.thread_index import EVERY, WIDE, scope_of

Index = dict[str, Any]


def members(thread: ThreadRecord) -> set[str]:
    values = terms_of(thread.metadata).found
    terms = {EVERY, thread.status, *(values if len(values) <= 64 else {WIDE})}
    if thread.hold:
        terms |= {"held", "taken" if thread.hold.by else "asked"}
    place = f"{timestamp_us(thread.created_at):016} {thread.thread_id}"
    scopes = scope_of(thread.tenant), scope_of(thread.tenant, thread.owner)
    return {f"{scope}{term} {place}" for scope in scopes for term in terms}


async def expected(client: Client, keys: Keys) -> Index:
    """The index as it should be, of all threads that there are."""
    index: Index = {"terms": set(), "kept": set(), "expiry": {}, "updates": {}}
    async for key in client.redis.scan_iter(match=keys.every("thread"), count=1000):
        thread_id = key.decode().rpartition(":")[2]
        thread = read_thread(thread_id, await client.call("HGETALL", key))
        index["terms"] |= members(thread)
        index["kept"].add(thread_id)
        updated_at = timestamp_us(thread.updated_at)
        index["updates"][f"{timestamp_us(thread.created_at):016} {thread_id}"] = updated_at
        if (due := await client.call("PEXPIRETIME", key)) > 0:
            index["expiry"][thread_id] = due
    return index


async def actual(client: Client, keys: Keys, *tenants: str) -> Index:
    """The index as it is, over all lanes."""
    index: Index = {"terms": set(), "kept": set(), "expiry": {}, "updates": {}}
    for lane in range(keys.lanes):
        index["terms"] |= {one.decode() for one in await client.call("ZRANGE", keys.threads(lane), 0, -1)}
        index["kept"] |= {one.decode() for one in await client.call("HKEYS", keys.thread_terms(lane))}
        index["expiry"] |= await scores(client, keys.thread_expiry(lane))
        for tenant in tenants:
            index["updates"] |= await scores(client, keys.thread_updates(lane, tenant))
    return index


async def scores(client: Client, key: str) -> dict[str, float]:
    flat = await client.call("ZRANGE", key, 0, -1, "WITHSCORES")
    return {flat[i].decode(): float(flat[i + 1]) for i in range(0, len(flat), 2)}


async def check(client: Client, keys: Keys, *tenants: str) -> None:
    assert await actual(client, keys, *tenants) == await expected(client, keys)
