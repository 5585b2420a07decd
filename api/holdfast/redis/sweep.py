"""What has expired: items of the store; ids of threads, and of their requests, on lists that still name them.

Whoever searches threads takes out of their index what has expired; this is for those that nobody searches.
It also brings the index in step with threads that processes of an earlier version have made or changed.
"""

import time
from collections.abc import AsyncIterator, Callable
from functools import partial

from holdfast.redis import store, thread_index
from holdfast.redis.client import Client, Script
from holdfast.redis.keys import Keys
from holdfast.redis.timers import SEPARATOR

SWEEP = Script.load("sweep")
PRUNE = Script.load("prune")

SEARCHED = 1000  # keys looked at in one step, whosever they are
SLICE = 200  # ids looked at in one step
COMPARED = 100  # keys looked at in one step for threads that the index is compared with
FORGOTTEN_S = 24 * 3600


async def sweep(client: Client, keys: Keys, lane: int) -> AsyncIterator[int]:
    """Goes on with the search through a lane; yields after each step what it removed."""
    async for removed in steps(client, keys, lane):
        due = await client.call("ZCOUNT", keys.thread_expiry(lane), "-inf", int(time.time() * 1000))
        yield removed + (await thread_index.lapse(client, keys, lane) if due else 0)


async def steps(client: Client, keys: Keys, lane: int) -> AsyncIterator[int]:
    await compare(client, keys, lane)
    yield 0
    async for removed in prune_threads(client, keys, lane):
        yield removed
    for kind, key in (
        ("thread-updates", partial(thread_of, keys)),
        ("failed", keys.thread),
        ("given-up", keys.thread),
        ("closed-approvals", partial(approvals_of, keys)),
    ):
        indexes = await search(client, keys, lane, kind, "zset", SEARCHED)
        yield 0
        for index in indexes:
            async for removed in prune_index(client, index, key):
                yield removed
    async for removed in prune_registry(client, keys, lane):
        yield removed
    due = SLICE
    while due == SLICE:
        due = await store.expire(client, keys, lane, SLICE)
        yield due


async def search(client: Client, keys: Keys, lane: int, kind: str, of_type: str, count: int) -> list[str]:
    """The next keys of a kind, of about `count` that are looked at."""
    found: list[bytes] = await client.run(
        SWEEP,
        [keys.sweep(lane, kind)],
        [keys.every_index(lane, kind), count, of_type, FORGOTTEN_S],
    )
    return [key.decode() for key in found]


async def compare(client: Client, keys: Keys, lane: int) -> None:
    """Brings the index in step with some of the lane's threads."""
    found = await search(client, keys, lane, "thread", "hash", COMPARED)
    await thread_index.reindex_all(client, keys, [key.rpartition(":")[2] for key in found])


def thread_of(keys: Keys, member: str) -> str:
    return keys.thread(member.partition(" ")[2])


def approvals_of(keys: Keys, member: str) -> str:
    return keys.approvals(member.partition(SEPARATOR)[0])


async def prune_index(client: Client, index: str, key: Callable[[str], str]) -> AsyncIterator[int]:
    """Takes off an index what has gone: what `key` makes of its name is there no more."""
    start = 0
    while True:
        found = await client.call("ZRANGE", index, start, start + SLICE - 1)
        ids = [member.decode() for member in found]
        removed: int = await client.run(PRUNE, [index, *map(key, ids)], ["ZREM", *ids]) if ids else 0
        yield removed
        if len(ids) < SLICE:
            return
        start += SLICE - removed


async def prune_threads(client: Client, keys: Keys, lane: int) -> AsyncIterator[int]:
    """Takes threads out of the index that have gone without a word of when they would."""
    cursor = 0
    while True:
        cursor, found = await client.call("HSCAN", keys.thread_terms(lane), cursor, "COUNT", SLICE)
        yield await thread_index.take_out(client, keys, lane, [one.decode() for one in found])
        if cursor == 0:
            return


async def prune_registry(client: Client, keys: Keys, lane: int) -> AsyncIterator[int]:
    registry, cursor = keys.registry(lane), 0
    while True:
        cursor, found = await client.call("SSCAN", registry, cursor, "COUNT", SLICE)
        ids = [thread_id.decode() for thread_id in found]
        held = map(keys.checkpoint_index, ids)
        yield await client.run(PRUNE, [registry, *held], ["SREM", *ids]) if ids else 0
        if cursor == 0:
            return
