"""What Redis keeps of API keys: a hash for each, which holds no secret but its digest, and a list of them."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from holdfast.redis.client import Argument, Client, Script
from holdfast.redis.keys import Keys
from holdfast.redis.records import fields_of, moment, timestamp_us

FIND = Script.load("find_api_key")

# How exact the time of the last use is: a key that is busy all day is not written all day.
COARSE_US = 60 * 1_000_000


@dataclass(frozen=True, slots=True)
class KeyRecord:
    key_id: str
    name: str
    subject: str
    tenant: str
    roles: tuple[str, ...]
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None


async def create(client: Client, keys: Keys, digest: str, record: KeyRecord) -> None:
    """Keeps a key; one that expires goes by itself."""
    key = keys.api_key(record.key_id)
    await client.call("HSET", key, "digest", digest, *fields(record))
    if record.expires_at:
        await client.call("PEXPIREAT", key, timestamp_us(record.expires_at) // 1000)
    await client.call("SADD", keys.api_keys(), record.key_id)


async def find(client: Client, keys: Keys, key_id: str, digest: str, now: datetime) -> KeyRecord | None:
    """The key, whose use is noted; None when there is none, or the secret is not its own."""
    found = await client.run(FIND, [keys.api_key(key_id)], [digest, timestamp_us(now), COARSE_US])
    return read(fields_of(found)) if found else None


async def list_all(client: Client, keys: Keys) -> list[KeyRecord]:
    """All keys, oldest first; those that have expired are taken off the list."""
    ids = [key_id.decode() for key_id in await client.call("SMEMBERS", keys.api_keys())]
    stored = await asyncio.gather(*(client.call("HGETALL", keys.api_key(key_id)) for key_id in ids))
    gone = [key_id for key_id, found in zip(ids, stored, strict=True) if not found]
    if gone:
        await client.call("SREM", keys.api_keys(), *gone)
    return sorted((read(found) for found in stored if found), key=lambda record: record.created_at)


async def revoke(client: Client, keys: Keys, key_id: str) -> bool:
    removed = await client.call("DEL", keys.api_key(key_id))
    await client.call("SREM", keys.api_keys(), key_id)
    return bool(removed)


def fields(record: KeyRecord) -> list[Argument]:
    flat: dict[str, Argument] = {
        "key_id": record.key_id,
        "name": record.name,
        "subject": record.subject,
        "tenant": record.tenant,
        "roles": orjson.dumps(record.roles),
        "scopes": orjson.dumps(record.scopes),
        "created_at": timestamp_us(record.created_at),
    }
    if record.expires_at:
        flat["expires_at"] = timestamp_us(record.expires_at)
    return [part for pair in flat.items() for part in pair]


def read(stored: dict[bytes, Any]) -> KeyRecord:
    def when(field: bytes) -> datetime | None:
        return moment(stored[field]) if field in stored else None

    return KeyRecord(
        key_id=stored[b"key_id"].decode(),
        name=stored[b"name"].decode(),
        subject=stored[b"subject"].decode(),
        tenant=stored[b"tenant"].decode(),
        roles=tuple(orjson.loads(stored[b"roles"])),
        scopes=tuple(orjson.loads(stored[b"scopes"])),
        created_at=moment(stored[b"created_at"]),
        expires_at=when(b"expires_at"),
        last_used_at=when(b"last_used_at"),
    )
