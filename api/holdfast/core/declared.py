"""The crons of langgraph.json: made when a worker starts, by whichever comes first."""

import secrets
from dataclasses import replace
from datetime import datetime
from functools import partial
from uuid import UUID, uuid5

from holdfast.auth import TENANT
from holdfast.auth.callers import SERVICE
from holdfast.core import crons
from holdfast.core.platform import Platform
from holdfast.core.racing import again
from holdfast.errors import Conflict
from holdfast.project import DeclaredCron
from holdfast.redis import crons as records
from holdfast.redis.crons import CronRecord
from holdfast.redis.lua import Raced

CRONS = UUID("4f0a6a52-6f0e-5d0b-8a55-3f6f1f0b7f5e")  # any constant will do: it sets these ids apart
UNBOUNDED = 2**31


async def declare(platform: Platform) -> None:
    """Makes the crons that the project asks for, changes those that differ, and removes the others."""
    client, key = platform.client, platform.keys.declared_crons()
    wanted = {cron.name: cron for cron in platform.project.crons}
    for name, cron_id in (await client.call("HGETALL", key)).items():
        if name.decode() not in wanted:
            await forget(platform, cron_id.decode())
            await client.call("HDEL", key, name)
    for name, cron in wanted.items():
        cron_id = str(uuid5(CRONS, name))
        await client.call("HSET", key, name, cron_id)
        await again(partial(put, platform, cron_id, cron))  # another worker may start at the same time


async def forget(platform: Platform, cron_id: str) -> None:
    if record := await records.load(platform.client, platform.keys, cron_id):
        await crons.remove(platform, record)


async def put(platform: Platform, cron_id: str, cron: DeclaredCron) -> None:
    """Raises `Raced` when somebody else has done something to it meanwhile."""
    client, keys, now = platform.client, platform.keys, await crons.clock(platform)
    found = await records.load(client, keys, cron_id)
    if found and found.tenant != tenant(platform):
        await crons.remove(platform, found)
        found = None
    record = asked(platform, cron, found or new(platform, cron_id, cron, now))
    if found is None:
        try:
            await records.create(client, keys, crons.planned(record, now), most=UNBOUNDED)
        except Conflict:
            raise Raced from None
        return
    if record == found:
        return
    if (record.schedule, record.timezone) != (found.schedule, found.timezone):
        record = crons.planned(record, now)
    if not await records.change(client, keys, replace(record, updated_at=now)):
        raise Raced


def tenant(platform: Platform) -> str:
    return platform.settings.default_tenant or TENANT


def new(platform: Platform, cron_id: str, cron: DeclaredCron, now: datetime) -> CronRecord:
    return CronRecord(
        cron_id=cron_id,
        owner=SERVICE,
        tenant=tenant(platform),
        thread_id=None,
        seed=secrets.token_hex(16),
        created_at=now,
        updated_at=now,
        assistant_id="",
        schedule="",
        on_run_completed="delete",
        metadata={"name": cron.name},
        name=cron.name,
    )


def asked(platform: Platform, cron: DeclaredCron, record: CronRecord) -> CronRecord:
    """The record as the project wants it."""
    return replace(
        record,
        assistant_id=platform.project.graph(cron.graph).assistant_id,
        schedule=cron.schedule,
        timezone=cron.timezone,
        payload={"input": cron.input},
    )
