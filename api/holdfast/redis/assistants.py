"""Assistants as Redis keeps them, each with its latest versions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import uuid4

import orjson

from holdfast.errors import AssistantExists, TooMany
from holdfast.events import dump
from holdfast.redis.client import Client, Script
from holdfast.redis.keys import Keys
from holdfast.redis.records import Caller, fields_of, moment, timestamp_us

READ = Script.load("thread", "read_thread")  # an assistant is found, or not, as a thread is
CREATE = Script.load("thread", "assistant_create")
CHANGE = Script.load("assistant_change")
DELETE = Script.load("assistant_delete")

KEPT = 100  # versions of an assistant; the one in use counts also when it is older
FULL = "There are too many assistants: delete some, or have HOLDFAST_MAX_ASSISTANTS_OF_TENANT raised."


@dataclass(frozen=True, slots=True)
class Content:
    """What a version of an assistant says: the graph that is run, and with what."""

    graph_id: str
    name: str = "Untitled"
    description: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)


NO_CONTENT = Content("")  # of an assistant that says nothing


class Version(NamedTuple):
    number: int
    created_at: datetime
    content: Content


@dataclass(frozen=True, slots=True)
class AssistantRecord:
    """An assistant: whose it is, and the content of the version in use.

    That of a graph of langgraph.json is nobody's, and not kept.
    """

    assistant_id: str
    created_at: datetime
    updated_at: datetime
    content: Content
    owner: str = ""
    tenant: str = ""
    version: int = 1
    revision: int = 0

    @property
    def metadata(self) -> dict[str, Any]:
        return self.content.metadata

    @property
    def of_graph(self) -> bool:
        return not self.tenant


def read_record(assistant_id: str, stored: Mapping[bytes, bytes]) -> AssistantRecord:
    return AssistantRecord(
        assistant_id=assistant_id,
        created_at=moment(stored[b"created_at"]),
        updated_at=moment(stored[b"updated_at"]),
        content=read_content(stored[b"content"]),
        owner=stored[b"owner"].decode(),
        tenant=stored[b"tenant"].decode(),
        version=int(stored[b"version"]),
        revision=int(stored[b"revision"]),
    )


def read_content(stored: bytes) -> Content:
    return Content(**orjson.loads(stored))


def read_version(number: int, stored: bytes) -> Version:
    made_at, _, content = stored.partition(b" ")
    return Version(number, moment(made_at), read_content(content))


async def read(client: Client, keys: Keys, assistant_id: str, caller: Caller) -> AssistantRecord | None:
    """The assistant, if it is there and the caller may use it."""
    flat = await client.run(READ, [keys.assistant(assistant_id)], [caller.tenant, caller.owner_filter])
    return read_record(assistant_id, fields_of(flat)) if flat else None


async def listed(client: Client, keys: Keys, tenant: str, owner: str = "") -> list[str]:
    """Ids of the assistants of an owner or, without one, of the tenant, over all lanes."""
    found = []
    for lane in range(keys.lanes):
        index = keys.assistants(lane, tenant, owner)
        found += [one.decode() for one in await client.call("ZRANGE", index, 0, -1)]
    return found


async def read_versions(client: Client, keys: Keys, assistant_id: str) -> list[Version]:
    """The versions that are kept, the newest first."""
    stored = await client.call("HGETALL", keys.assistant_versions(assistant_id))
    found = [read_version(int(number), value) for number, value in stored.items()]
    return sorted(found, key=lambda version: version.number, reverse=True)


async def find_version(client: Client, keys: Keys, assistant_id: str, number: int) -> Version | None:
    stored = await client.call("HGET", keys.assistant_versions(assistant_id), number)
    return read_version(number, stored) if stored else None


async def create(client: Client, keys: Keys, record: AssistantRecord, *, most: int) -> None:
    """Raises `AssistantExists` when the id is taken, whoever has it; `TooMany` past `most` of the tenant."""
    reply = await client.run(
        CREATE,
        keys_of(keys, record),
        [
            record.assistant_id,
            timestamp_us(record.created_at),
            -(-most // keys.lanes),
            dump(record.content),
            *("owner", record.owner, "tenant", record.tenant),
        ],
    )
    if reply == b"full":
        raise TooMany(FULL)
    if reply == b"taken":
        raise AssistantExists(f"Assistant {record.assistant_id} already exists")


async def change(
    client: Client, keys: Keys, record: AssistantRecord, content: Content, now: datetime, version: int = 0
) -> int:
    """Takes a version that there is into use or, without one, makes a new one; returns its number.

    0 when somebody has changed or deleted the assistant since it was read.
    """
    made: int = await client.run(
        CHANGE,
        keys_of(keys, record)[:2],
        [record.revision, uuid4().hex, timestamp_us(now), dump(content), version or "", KEPT],
    )
    return made


async def delete(client: Client, keys: Keys, record: AssistantRecord) -> bool:
    gone: int = await client.run(
        DELETE, keys_of(keys, record), [record.assistant_id, timestamp_us(record.created_at)]
    )
    return bool(gone)


def keys_of(keys: Keys, record: AssistantRecord) -> list[str]:
    lane = keys.lane(record.assistant_id)
    return [
        keys.assistant(record.assistant_id),
        keys.assistant_versions(record.assistant_id),
        keys.assistants(lane, record.tenant, record.owner),
        keys.assistants(lane, record.tenant),
    ]
