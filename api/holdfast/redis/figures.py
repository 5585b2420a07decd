"""What all processes have before them together: read from each lane in one call, whatever stands in it."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from holdfast.redis.client import Client, Script
from holdfast.redis.keys import Keys
from holdfast.redis.stats import AGES, OLDER
from holdfast.telemetry.fleet import Fleet

FIGURES = Script.load("figures")
SECOND = timedelta(seconds=1)


async def read_fleet(client: Client, keys: Keys) -> Fleet:
    """Raises `Unavailable`."""
    lanes = await asyncio.gather(*(read_lane(client, keys, lane) for lane in range(keys.lanes)))
    return Fleet(
        depth=sum(one.depth for one in lanes),
        oldest_s=max(one.oldest_s for one in lanes),
        running=sum(one.running for one in lanes),
        unfinished=sum(one.unfinished for one in lanes),
        approvals={age: sum(one.approvals[age] for one in lanes) for age in (*dict(AGES), OLDER)},
        letters=sum(one.letters for one in lanes),
        dead_letters=sum(one.dead_letters for one in lanes),
    )


async def read_lane(client: Client, keys: Keys, lane: int) -> Fleet:
    reply: Any = await client.run(
        FIGURES,
        [
            keys.ready(lane),
            keys.waiting(lane),
            keys.queued(lane),
            keys.outbox(lane),
            keys.dead(lane),
            keys.asked(lane),
        ],
        [below // SECOND for _, below in AGES],
    )
    depth, since_ms, thread, running, unfinished, letters, dead, now_ms, *younger = reply
    if thread:
        since_ms = max(since_ms, await waited_ms(client, keys, thread.decode(), now_ms))
    counts = [younger[0], *(more - fewer for fewer, more in pairwise(younger))]
    ages = dict(zip((*dict(AGES), OLDER), counts, strict=True))
    return Fleet(depth, since_ms / 1000, running, unfinished, ages, letters, dead)


async def waited_ms(client: Client, keys: Keys, thread_id: str, now_ms: int) -> int:
    """Since when the first run of a thread is there, by its id; one that was to start later is older."""
    first = await client.call("LINDEX", keys.queue(thread_id), 0)
    return max(0, now_ms - (UUID(first.decode()).int >> 80)) if first else 0
