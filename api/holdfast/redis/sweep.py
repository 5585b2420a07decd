"""What has expired: items of the store; ids of threads, and of their requests, on lists that still name them.

Whoever searches threads does so for the lists that it reads; this is for those that nobody reads any more.
"""

from collections.abc import AsyncIterator, Callable
from functools import partial

from holdfast.redis import store
from holdfast.redis.client import Client, Script
from holdfast.redis.keys import Keys
from holdfast.redis.timers import SEPARATOR

SWEEP = Script.load("sweep")
PRUNE = Script.load("prune")

SEARCHED = 1000  # keys looked at in one step, whosever they are
SLICE = 200  # ids looked at in one step
FORGOTTEN_S = 24 * 3600


async def sweep(client: Client, keys: Keys, lane: int) -> AsyncIterator[int]:
    """Goes on with the search through a lane; yields after each step what it removed."""
    by_thread = (("threads", keys.thread), ("failed", keys.thread), ("given-up", keys.thread))
    for kind, key in (*by_thread, ("closed-approvals", partial(approvals_of, keys))):
        indexes: list[bytes] = await client.run(
            SWEEP, [keys.sweep(lane, kind)], [keys.every_index(lane, kind), SEARCHED, FORGOTTEN_S]
        )
        yield 0
        for index in indexes:
            async for removed in prune_index(client, index.decode(), key):
                yield removed
    async for removed in prune_registry(client, keys, lane):
        yield removed
    due = SLICE
    while due == SLICE:
        due = await store.expire(client, keys, lane, SLICE)
        yield due


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


async def prune_registry(client: Client, keys: Keys, lane: int) -> AsyncIterator[int]:
    registry, cursor = keys.registry(lane), 0
    while True:
        cursor, found = await client.call("SSCAN", registry, cursor, "COUNT", SLICE)
        ids = [thread_id.decode() for thread_id in found]
        held = map(keys.checkpoint_index, ids)
        yield await client.run(PRUNE, [registry, *held], ["SREM", *ids]) if ids else 0
        if cursor == 0:
            return
