"""What happened, counted by tenant and UTC day: written by the scripts that make it happen, read here."""

import asyncio
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from holdfast.redis.client import Client
from holdfast.redis.keys import Keys

DecisionKind = Literal["approved", "edited", "rejected", "answered", "expired"]

# How long requests have waited, in the words of figures.
AGES = (
    ("under_5m", timedelta(minutes=5)),
    ("under_1h", timedelta(hours=1)),
    ("under_1d", timedelta(days=1)),
)
OLDER = "older"

GROWTH = 1.1  # from one bound of times to the next, as in stats.lua


def today() -> date:
    return datetime.now(UTC).date()


def last_days(count: int) -> list[date]:
    """So many days up to today, the oldest first."""
    last = today()
    return [last - timedelta(days=back) for back in reversed(range(count))]


async def read_days(client: Client, keys: Keys, tenant: str, days: Sequence[date]) -> list[Counter[str]]:
    """The counts of each day, over all lanes."""
    return list(await asyncio.gather(*(read_day(client, keys, tenant, day) for day in days)))


async def read_day(client: Client, keys: Keys, tenant: str, day: date) -> Counter[str]:
    lanes = [client.call("HGETALL", keys.stats(lane, tenant, day)) for lane in range(keys.lanes)]
    total: Counter[str] = Counter()
    for stored in await asyncio.gather(*lanes):
        total.update({name.decode(): int(number) for name, number in stored.items()})
    return total


async def read_active(client: Client, keys: Keys, tenant: str) -> tuple[int, int]:
    """How many runs of a tenant have not ended, and how many of those a worker has."""
    names = tenant, f"\x1f{tenant}"
    lanes = [client.call("HMGET", keys.queued(lane), *names) for lane in range(keys.lanes)]
    found = await asyncio.gather(*lanes)
    return sum(int(of[0] or 0) for of in found), sum(int(of[1] or 0) for of in found)


def percentile(counts: Mapping[str, int], name: str, share: float) -> int | None:
    """The time (ms) that so large a share of the times under a name does not exceed, within 5 %."""
    bounds = sorted((int(of.partition(":")[2]), number) for of, number in counts.items() if is_of(of, name))
    left = math.ceil(share * sum(number for _, number in bounds))
    for bound, number in bounds:
        left -= number
        if left <= 0:
            return max(1, round(math.pow(GROWTH, bound + 0.5)))
    return None


def is_of(field: str, name: str) -> bool:
    return field.partition(":")[0] == name
