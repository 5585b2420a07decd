"""The ticks of crons: each starts one run, whoever keeps the time."""

import logging
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from http import HTTPStatus
from uuid import UUID

from holdfast.core import crons, runs
from holdfast.core.platform import Platform
from holdfast.errors import HoldfastError, ThreadNotFound, TooMany
from holdfast.redis import crons as records
from holdfast.redis import lua
from holdfast.redis.crons import CronRecord
from holdfast.redis.records import Caller
from holdfast.redis.timers import Timer
from holdfast.schedules import Schedule

logger = logging.getLogger(__name__)

# How long it is known that a tick had its run, when that has ended and is gone: far longer than it may take
# until the next tick is set.
REMEMBERED_S = 3600

# Where a UUID says its version and variant, and what it says there (RFC 9562).
VERSION_MASK = 0xF << 76 | 0b11 << 62
VERSION_7 = 7 << 76 | 0b10 << 62


async def fire(platform: Platform, timer: Timer) -> int | None:
    """Starts the run of a tick, once, and then sets the next tick.

    In this order, so that no tick is lost when its worker dies in between: then it is done again, and finds
    its run made. Of the ticks that were missed while no worker was there, one is made up for.
    """
    record = await records.load(platform.client, platform.keys, timer.id)
    if record is None or record.due_ms is None:
        return None
    if record.due_ms > timer.now_ms:
        return record.due_ms
    if not await start_run(platform, record, record.due_ms):
        await crons.remove(platform, record)
        return None
    schedule = Schedule(record.schedule, record.timezone)
    due_ms = crons.next_ms(record, schedule, crons.moment(timer.now_ms))
    # If it was changed meanwhile, whoever did so has set its timer.
    await records.advance(platform.client, platform.keys, replace(record, due_ms=due_ms))
    return None


async def start_run(platform: Platform, record: CronRecord, tick_ms: int) -> bool:
    """False when the cron's thread is gone. What is refused for good is left out; raises what may pass."""
    try:
        await submit(platform, record, tick_ms)
    except HoldfastError as error:
        if isinstance(error, TooMany) or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
        if isinstance(error, ThreadNotFound) and not await has_thread(platform, record):
            return False
        told = {"cron_id": record.cron_id, "error": type(error).__name__}
        logger.warning("a tick of a cron starts no run", extra=told)
    return True


async def has_thread(platform: Platform, record: CronRecord) -> bool:
    key = platform.keys.thread(record.thread_id) if record.thread_id else None
    return key is None or bool(await platform.client.call("EXISTS", key))


async def submit(platform: Platform, record: CronRecord, tick_ms: int) -> None:
    caller = owner_of(platform, record)
    thread_id = record.thread_id or id_of_tick(record, tick_ms, "thread")
    name = sha256(f"{record.seed}\0{tick_ms}".encode()).hexdigest()
    with suppress(lua.AlreadyMade):
        await runs.submit(
            platform,
            caller,
            thread_id,
            crons.check_run(record),
            create_thread=record.thread_id is None,
            once=lua.Once(f"{caller.digest}.{name}", name, REMEMBERED_S),
            stamp={"run_id": id_of_tick(record, tick_ms, "run"), "cron_id": record.cron_id},
        )


def owner_of(platform: Platform, record: CronRecord) -> Caller:
    staff = not set(platform.settings.staff_roles).isdisjoint(record.roles)
    return Caller(record.owner, record.tenant, record.roles, staff, user=record.user)


def id_of_tick(record: CronRecord, tick_ms: int, what: str) -> str:
    """Always the same UUID for a tick. It is one of version 7: runs are listed in the order of their ids."""
    chance = sha256(f"{record.seed}\0{tick_ms}\0{what}".encode()).digest()
    id = int.from_bytes(tick_ms.to_bytes(6) + chance[:10])
    return str(UUID(int=id & ~VERSION_MASK | VERSION_7))
