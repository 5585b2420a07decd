"""What happens at a time: one clock for every kind of it, kept by all workers together."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from holdfast.core import batches, deciding, histories, threads, ticks
from holdfast.core.platform import Platform
from holdfast.redis import claims, timers
from holdfast.redis.client import insist
from holdfast.redis.timers import Timer

logger = logging.getLogger(__name__)

# A timer is in the hands of one worker for so long; if that dies, or fails, somebody tries again afterward.
HELD_MS = 15_000
# What has to be done takes a few round trips: what may take longer is a run.
RING_S = 10.0

Ring = Callable[[Platform, Timer], Awaitable[int | None]]


async def ring(
    platform: Platform,
    lane: int,
    count: int,
    *,
    now_ms: int | None = None,
    kinds: Mapping[str, Ring] | None = None,
) -> int:
    """Deals with up to `count` timers that are due, each in one worker; returns how many."""
    client, keys, rings = platform.client, platform.keys, kinds or KINDS
    now_ms = await timers.clock_ms(client) if now_ms is None else now_ms
    until_ms = now_ms + HELD_MS
    taken = await timers.take(client, keys, lane, rings, now_ms, until_ms=until_ms, count=count)
    done = await asyncio.gather(*(ring_one(platform, rings[timer.kind], timer) for timer in taken))
    settled = {timer: due_ms for timer, (succeeded, due_ms) in zip(taken, done, strict=True) if succeeded}
    await insist(partial(timers.settle, client, keys, lane, settled, until_ms=until_ms))
    return len(taken)


async def ring_one(platform: Platform, deal: Ring, timer: Timer) -> tuple[bool, int | None]:
    """Whether it was done, and when the next time is."""
    try:
        async with asyncio.timeout(RING_S):
            return True, await insist(partial(deal, platform, timer))
    except Exception as error:  # whatever it is: it is tried again, and nothing else is kept from its time
        logger.warning("what was due is put off", extra={"kind": timer.kind, "error": type(error).__name__})
        return False, None


async def start_later(platform: Platform, timer: Timer) -> None:
    """Puts a run in line that was to start later."""
    thread_id, run_id = timer.id.split(timers.SEPARATOR)
    await claims.start_one(platform.client, platform.keys, timer.lane, thread_id, run_id)


async def look_at_approval(platform: Platform, timer: Timer) -> int | None:
    """Reminds of a request that waits, asks others, or ends it."""
    return await deciding.look(platform, *timer.id.split(timers.SEPARATOR))


# Every kind of timer, with what has to be done when its time has come. In rare cases that is done more than
# once, also by two workers at a time, so it must come to the same. It returns the next time (ms), or None
# where there is none, or where it has set the timer itself.
KINDS: Mapping[str, Ring] = {
    "run": start_later,
    "cron": ticks.fire,
    "approval": look_at_approval,
    "batch": batches.take_back,
    threads.PRUNE: histories.compact,
}
