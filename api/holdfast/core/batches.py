"""Many runs at once: put in line together, or told to end.

The runs of a batch are held back until all of them are made. Then it is decided that they are kept, and they
begin. Where one is refused the others are taken away; where who makes them dies on the way, the clock does
either, as it was decided.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime

from uuid_utils.compat import uuid7

from holdfast.core import runs, thread_matches, threads
from holdfast.core.platform import Platform
from holdfast.core.requests import about
from holdfast.errors import HoldfastError, NotFound, RunNotFound, Unavailable
from holdfast.redis import batches, claims, lua
from holdfast.redis.batches import Batch, Fate, Held
from holdfast.redis.records import Caller
from holdfast.redis.timers import SEPARATOR, Timer, clock_ms, move_timer
from holdfast.wire.runs import CancelAction, RunCreateStateless, RunsCancel
from holdfast.wire.threads import ThreadFilter

ACTIVE = (b"pending", b"running")
STATUSES = {"pending": ACTIVE[:1], "running": ACTIVE[1:], "all": ACTIVE}
NONE_FOUND = "No runs found to cancel."
UNDECIDED_MS = 300_000  # longer than anybody waits for a batch to be made
TOO_SLOW = "The batch was taken back, because it took too long to make: try again, with fewer runs at once."


async def create(
    platform: Platform, caller: Caller, asked: Collection[RunCreateStateless]
) -> list[runs.Created]:
    """Puts runs in line, each on a new thread: all of them or none."""
    client, keys, now_ms = platform.client, platform.keys, await clock_ms(platform.client)
    held = [Held(str(uuid7()), str(uuid7()), due_ms(one, now_ms)) for one in asked]
    batch = Batch(str(uuid7()), caller.tenant, held)
    await batches.begin(client, keys, batch, now_ms + UNDECIDED_MS)
    try:
        made = [await hold(platform, caller, run, one) for run, one in zip(held, asked, strict=True)]
    except HoldfastError:
        await settle(platform, batch, "dropped")
        raise
    if await settle(platform, batch, "kept") == "dropped":
        raise Unavailable(TOO_SLOW)
    return made


def due_ms(asked: RunCreateStateless, now_ms: int) -> int:
    return now_ms + round(asked.after_seconds * 1000) if asked.after_seconds else 0


async def hold(platform: Platform, caller: Caller, run: Held, asked: RunCreateStateless) -> runs.Created:
    stamp = {"run_id": run.run_id}
    return await runs.create_stateless(platform, caller, run.thread_id, asked, stamp=stamp, held=True)


async def settle(platform: Platform, batch: Batch, fate: Fate) -> Fate:
    """What becomes of a batch by its maker's word, if that comes first: one that is gone was dropped."""
    decided = await batches.decide(platform.client, platform.keys, batch.batch_id, fate) or "dropped"
    await carry_out(platform, batch, decided)
    return decided


async def carry_out(platform: Platform, batch: Batch, fate: Fate) -> None:
    deal = start if fate == "kept" else drop
    await asyncio.gather(*(deal(platform, batch.tenant, run) for run in batch.runs))
    await batches.forget(platform.client, platform.keys, batch.batch_id)


async def start(platform: Platform, _tenant: str, run: Held) -> None:
    client, keys, lane = platform.client, platform.keys, platform.keys.lane(run.thread_id)
    if run.due_ms:
        await move_timer(client, keys, lane, "run", f"{run.thread_id}{SEPARATOR}{run.run_id}", run.due_ms)
    else:
        await claims.start_one(client, keys, lane, run.thread_id, run.run_id)


async def drop(platform: Platform, tenant: str, run: Held) -> None:
    await threads.remove(platform, run.thread_id, tenant)


async def take_back(platform: Platform, timer: Timer) -> None:
    """What the clock does with a batch that its maker has not settled.

    One that is gone by now was carried out by whoever has forgotten it: its runs may be at work.
    """
    batch = await batches.read(platform.client, platform.keys, timer.id)
    if batch and (fate := await batches.decide(platform.client, platform.keys, batch.batch_id, "dropped")):
        await carry_out(platform, batch, fate)


async def cancel(platform: Platform, caller: Caller, asked: RunsCancel, action: CancelAction) -> None:
    """Asks for the end of all runs that are meant. Raises `RunNotFound` when there is none."""
    ended = 0
    if asked.thread_id:
        for run_id in dict.fromkeys(asked.run_ids or ()):
            ended += await end(platform, caller, asked.thread_id, run_id, action)
    else:
        value = {"status": asked.status, "action": action}
        caller = await platform.rules.admit(caller, "threads", "update", value)
        async for thread_id, run_id in found(platform, caller, STATUSES[asked.status or "all"]):
            ended += await end(platform, caller, thread_id, run_id, action)
    if not ended:
        raise RunNotFound(NONE_FOUND)


async def end(platform: Platform, caller: Caller, thread_id: str, run_id: str, action: CancelAction) -> bool:
    """False for a run that is not there, or that has ended."""
    client, keys, now = platform.client, platform.keys, datetime.now(UTC)
    try:
        asked = about(thread_id, run_id, action=action)
        caller = await threads.admit(platform, caller, thread_id, "update", asked)
        await runs.get(platform, caller, thread_id, run_id)
        await lua.cancel(client, keys, thread_id, caller.tenant, run_id, action, now)
    except NotFound:
        return False
    return True


async def found(
    platform: Platform, caller: Caller, statuses: Collection[bytes]
) -> AsyncIterator[tuple[str, str]]:
    """Thread and run of all runs in one of these states that the caller may use."""
    async for thread in thread_matches.every(platform, caller, ThreadFilter()):
        if thread.status == "busy" or thread.delayed:
            for run_id in await active_runs(platform, thread.thread_id, statuses):
                yield thread.thread_id, run_id


async def active_runs(platform: Platform, thread_id: str, statuses: Collection[bytes] = ACTIVE) -> list[str]:
    """The runs that wait or run, the newest first: so none begins because the one before it was canceled."""
    client, keys = platform.client, platform.keys
    ids = [one.decode() for one in await client.call("ZREVRANGE", keys.run_order(thread_id), 0, -1)]
    fields = [f"{run_id}:status" for run_id in ids]
    stored = await client.call("HMGET", keys.runs(thread_id), *fields) if ids else []
    return [run_id for run_id, status in zip(ids, stored, strict=True) if status in statuses]
