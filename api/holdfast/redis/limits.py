"""The scripts that count what callers and tenants use, as typed functions; they go by the server's clock."""

from collections.abc import Sequence
from typing import NamedTuple

from holdfast.redis.client import Argument, Client, Script

TAKE = Script.load("take")

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
