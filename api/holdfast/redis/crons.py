"""Crons as Redis keeps them. A cron of a thread lives in the lane of its thread: see `Keys.cron`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from holdfast.errors import Conflict, ThreadNotFound, TooMany
from holdfast.events import dump
from holdfast.redis.client import Argument, Client, Script
from holdfast.redis.keys import Keys
from holdfast.redis.records import Caller, fields_of, moment, timestamp_us
from holdfast.redis.thread_index import INDEXED
from holdfast.redis.timers import member

READ = Script.load("thread", "read_thread")  # a cron is found, or not, as a thread is
CREATE = Script.load(*INDEXED, "timers", "cron_create")
CHANGE = Script.load("thread", "timers", "cron_change")
DELETE = Script.load(*INDEXED, "cron_delete")

KIND = "cron"
FULL = "There are too many crons: delete some, or have HOLDFAST_MAX_CRONS_OF_TENANT raised."


@dataclass(frozen=True, slots=True)
class CronRecord:
    """A cron: whose it is, when it is due, and what is run then.

    `roles` and `user` are the owner's as of the owner's last change. `payload` is the run as it was asked
    for. From `seed`, which nobody is told, the ids of its runs follow. `due_ms` is the time of the next run,
    None when none is to come; `name` is that of a cron of langgraph.json.
    """

    cron_id: str
    owner: str
    tenant: str
    thread_id: str | None
    seed: str
    created_at: datetime
    updated_at: datetime
    assistant_id: str
    schedule: str
    timezone: str | None = None
    end_time: datetime | None = None
    enabled: bool = True
    on_run_completed: str | None = None
    payload: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    roles: tuple[str, ...] = ()
    user: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    due_ms: int | None = None
    revision: int = 0


def new_fields(record: CronRecord) -> list[Argument]:
    """What never changes of a record, and what may."""
    fixed = {"seed": record.seed, "thread_id": record.thread_id, "name": record.name}
    return ["owner", record.owner, "tenant", record.tenant, "fixed", dump(fixed), *fields(record)]


def fields(record: CronRecord) -> list[Argument]:
    told = {
        "assistant_id": record.assistant_id,
        "schedule": record.schedule,
        "timezone": record.timezone,
        "enabled": record.enabled,
        "on_run_completed": record.on_run_completed,
        "payload": record.payload,
        "metadata": record.metadata,
        "roles": record.roles,
        "user": dict(record.user),
        "end_time": record.end_time,
    }
    return ["told", dump(told), "updated_at", timestamp_us(record.updated_at)]


def read_record(cron_id: str, stored: Mapping[bytes, bytes]) -> CronRecord:
    told = orjson.loads(stored[b"told"])
    end_time, due = told.pop("end_time"), stored[b"due"]
    return CronRecord(
        cron_id=cron_id,
        owner=stored[b"owner"].decode(),
        tenant=stored[b"tenant"].decode(),
        created_at=moment(stored[b"created_at"]),
        updated_at=moment(stored[b"updated_at"]),
        end_time=datetime.fromisoformat(end_time) if end_time else None,
        due_ms=int(due) if due else None,
        revision=int(stored[b"revision"]),
        roles=tuple(told.pop("roles")),
        **orjson.loads(stored[b"fixed"]),
        **told,
    )


async def read(client: Client, keys: Keys, cron_id: str, caller: Caller) -> CronRecord | None:
    """The cron, if it is there and the caller may use it."""
    flat = await client.run(READ, [keys.cron(cron_id)], [caller.tenant, caller.owner_filter])
    return read_record(cron_id, fields_of(flat)) if flat else None


async def load(client: Client, keys: Keys, cron_id: str) -> CronRecord | None:
    """The cron, whoever's it is."""
    stored = await client.call("HGETALL", keys.cron(cron_id))
    return read_record(cron_id, stored) if stored else None


async def listed(client: Client, keys: Keys, tenant: str, owner: str = "") -> list[str]:
    """Ids of the crons of an owner or, without one, of the tenant, over all lanes."""
    found = []
    for lane in range(keys.lanes):
        found += [one.decode() for one in await client.call("ZRANGE", keys.crons(lane, tenant, owner), 0, -1)]
    return found


async def create(
    client: Client, keys: Keys, record: CronRecord, *, thread_owner: str = "", most: int
) -> None:
    """Makes a cron, on a thread that is still `thread_owner`'s where it has one.

    Raises `ThreadNotFound`, `TooMany` past `most` crons of the tenant, and `Conflict` when the id is taken.
    """
    reply = await client.run(
        CREATE,
        keys_of(keys, record),
        [
            record.cron_id,
            timestamp_us(record.created_at),
            member(KIND, record.cron_id),
            due(record),
            -(-most // keys.lanes),
            record.tenant,
            thread_owner,
            record.thread_id or "",
            *new_fields(record),
        ],
    )
    if reply == b"missing":
        raise ThreadNotFound(f"Thread with ID {record.thread_id} not found")
    if reply == b"full":
        raise TooMany(FULL)
    if reply == b"taken":
        raise Conflict(f"Cron with ID {record.cron_id} already exists")


async def change(client: Client, keys: Keys, record: CronRecord) -> bool:
    """Saves a record that was read and changed; False when somebody has changed or deleted it since."""
    return await set_due(client, keys, record, fields(record))


async def advance(client: Client, keys: Keys, record: CronRecord) -> bool:
    """The same, when nothing but the time of its next run is another."""
    return await set_due(client, keys, record, [])


async def set_due(client: Client, keys: Keys, record: CronRecord, changed: list[Argument]) -> bool:
    made: int = await client.run(
        CHANGE,
        [keys.cron(record.cron_id), keys.timers(keys.lane(record.cron_id))],
        [record.revision, member(KIND, record.cron_id), due(record), *changed],
    )
    return bool(made)


async def delete(client: Client, keys: Keys, record: CronRecord, *, ttl_s: int, keep_s: int) -> bool:
    """Deletes a cron. Its thread, if at rest, is kept for another `ttl_s` (0: for ever), its log `keep_s`."""
    gone: int = await client.run(
        DELETE,
        keys_of(keys, record),
        [record.cron_id, member(KIND, record.cron_id), ttl_s, keep_s, record.thread_id or ""],
    )
    return bool(gone)


async def delete_of_thread(client: Client, keys: Keys, thread_id: str, cron_id: str) -> None:
    """Deletes a cron, whoever's it is, of a thread that is about to go."""
    found = await client.call("HMGET", keys.cron(cron_id), "tenant", "owner")
    tenant, owner = ((part or b"").decode() for part in found)
    await client.run(
        DELETE,
        cron_keys(keys, cron_id, tenant, owner, thread_id),
        [cron_id, member(KIND, cron_id), "", "", thread_id],
    )


def due(record: CronRecord) -> Argument:
    return "" if record.due_ms is None else record.due_ms


def keys_of(keys: Keys, record: CronRecord) -> list[str]:
    return cron_keys(keys, record.cron_id, record.tenant, record.owner, record.thread_id)


def cron_keys(keys: Keys, cron_id: str, tenant: str, owner: str, thread_id: str | None) -> list[str]:
    lane = keys.lane(cron_id)
    own = [
        keys.cron(cron_id),
        keys.crons(lane, tenant, owner),
        keys.crons(lane, tenant),
        keys.timers(lane),
    ]
    if thread_id is None:
        return own
    return [*own, *keys.lapsing(thread_id), keys.thread_expiry(lane)]
