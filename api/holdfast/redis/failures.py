"""Threads whose last run failed, as the script that ends a run lists them.

A thread is taken off by the next run of it that ends well, with the thread, or by who has seen it.
"""

import asyncio
from typing import Literal, NamedTuple

from holdfast.redis.client import Client
from holdfast.redis.keys import Keys

Kind = Literal["failed", "given_up"]  # the second those alone whose run has no attempt left


class Failed(NamedTuple):
    at_us: int
    thread_id: str


async def count(client: Client, keys: Keys, tenant: str, kind: Kind) -> int:
    """How many there are; one that has expired counts until it is swept."""
    return sum(await asyncio.gather(*(client.call("ZCARD", index) for index in indexes(keys, tenant, kind))))


async def newest(client: Client, keys: Keys, tenant: str, kind: Kind, limit: int) -> list[Failed]:
    """Those that failed last, the newest first."""
    lanes = await asyncio.gather(
        *(
            client.call("ZRANGE", index, 0, limit - 1, "REV", "WITHSCORES")
            for index in indexes(keys, tenant, kind)
        )
    )
    found = [Failed(int(float(of[i + 1])), of[i].decode()) for of in lanes for i in range(0, len(of), 2)]
    return sorted(found, reverse=True)[:limit]


async def drop(client: Client, keys: Keys, tenant: str, thread_id: str) -> bool:
    """Takes a thread off both lists; False when it was on none."""
    lane = keys.lane(thread_id)
    listed = (keys.failed(lane, tenant), keys.given_up(lane, tenant))
    return any(await asyncio.gather(*(client.call("ZREM", index, thread_id) for index in listed)))


def indexes(keys: Keys, tenant: str, kind: Kind) -> list[str]:
    key = keys.failed if kind == "failed" else keys.given_up
    return [key(lane, tenant) for lane in range(keys.lanes)]
