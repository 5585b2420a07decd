"""The scripts that count what callers and tenants use, as typed functions; they go by the server's clock."""

import asyncio
import math
from collections.abc import Sequence
from typing import NamedTuple

from holdfast.redis.client import Argument, Client, Script
from holdfast.redis.keys import Keys

TAKE = Script.load("take")
OPEN_STREAM = Script.load("open_stream")
RENEW_STREAMS = Script.load("renew_streams")

SECOND_US = 1_000_000


class Bucket(NamedTuple):
    """Tokens that come back at so many a second, up to `burst`."""

    key: str
    rate: float
    burst: int


class Lack(NamedTuple):
    """A bucket without a token, and in how many seconds it will have one."""

    bucket: Bucket
    wait_s: float


async def take(client: Client, buckets: Sequence[Bucket]) -> Lack | None:
    """Takes a token out of each bucket, or none and says what is lacking; they must lie in one slot.

    Not idempotent: a call whose reply was lost, and that is repeated, may take twice.
    """
    arguments: list[Argument] = []
    for bucket in buckets:
        token_us = SECOND_US / bucket.rate
        arguments += (token_us, token_us * bucket.burst)
    lacking, wait_us = await client.run(TAKE, [bucket.key for bucket in buckets], arguments)
    return Lack(buckets[lacking - 1], wait_us / SECOND_US) if lacking else None


class Bound(NamedTuple):
    """How many streams may be open at once among those that a key counts."""

    key: str
    most: int


async def open_stream(client: Client, stream: str, bounds: Sequence[Bound], lease_s: float) -> Bound | None:
    """Counts a stream under each bound, or under none and says which was met; they must lie in one slot."""
    full = await client.run(
        OPEN_STREAM,
        [bound.key for bound in bounds],
        [stream, round(lease_s * 1000), *(bound.most for bound in bounds)],
    )
    return bounds[full - 1] if full else None


async def renew_streams(client: Client, streams: Sequence[tuple[str, str]], lease_s: float) -> None:
    """Renews the leases of streams, given as (key, stream); the keys must lie in one slot."""
    keys, names = [key for key, _ in streams], [name for _, name in streams]
    await client.run(RENEW_STREAMS, keys, [round(lease_s * 1000), *names])


async def close_stream(client: Client, stream: str, keys: Sequence[str]) -> None:
    await asyncio.gather(*(client.call("ZREM", key, stream) for key in keys))


async def spent(client: Client, keys: Keys, tenant: str, subject: str) -> tuple[int, int]:
    """How many tokens a caller has used today, and in how many seconds the day ends."""
    counts = [keys.tokens(lane, tenant, subject) for lane in range(keys.lanes)]
    used = asyncio.gather(*(client.call("GET", key) for key in counts))
    left_ms = asyncio.gather(*(client.call("PTTL", key) for key in counts))
    return sum(int(one or 0) for one in await used), math.ceil(max(1, *await left_ms) / 1000)
