"""What a person leaves in Redis beside threads of their own, found and taken away."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, NamedTuple

import orjson

from holdfast.redis.client import Argument, Client, Script
from holdfast.redis.keys import Keys
from holdfast.redis.records import METADATA

NAMING = Script.load("naming")
REPLACE = Script.load("replace")

NOBODY = "erased"  # stands where the name stood
# keys under which a record says who
NAMED = frozenset({"asked_by", "by", "caller", "owner", "requester", "subject"})
PAGE = 1000
AT_ONCE = 50


class Trace(NamedTuple):
    """Something that is kept of a thread and goes by itself, with a digest of whose it is."""

    keys: tuple[str, ...]
    thread_id: str
    digest: str


async def used_keys(client: Client, keys: Keys) -> AsyncIterator[Trace]:
    """Every Idempotency-Key that is remembered. Looks at all keys that the server has."""
    async for key in scan(client, keys.every("idempotency")):
        thread_id, _, name = key.partition(":idempotency:")[2].partition(":")
        yield Trace((key,), thread_id, name.partition(".")[0])


async def departed(client: Client, keys: Keys) -> AsyncIterator[Trace]:
    """What is left of every thread that went with its only run. Looks at all keys that the server has."""
    async for key in scan(client, keys.every("departed")):
        thread_id = key.rpartition(":")[2]
        digest = await client.call("GET", key) or b""
        yield Trace((keys.events(thread_id), key), thread_id, digest.decode())


async def scan(client: Client, pattern: str) -> AsyncIterator[str]:
    for server in await client.servers():
        cursor = None
        while cursor != 0:
            cursor, found = await server.call("SCAN", cursor or 0, "MATCH", pattern, "COUNT", PAGE)
            for key in found:
                yield key.decode()


async def naming(client: Client, keys: Keys, thread_ids: list[str], name: str) -> list[str]:
    """Those of the threads, all of one lane, whose records hold the name as a text of its own."""
    found: set[str] = set()
    for start in range(0, len(thread_ids), AT_ONCE):
        part = thread_ids[start : start + AT_ONCE]
        hashes = [key for one in part for key in records(keys, one)]
        places: list[int] = await client.run(NAMING, hashes, [quoted(name)])
        found |= {part[(place - 1) // len(records(keys, part[0]))] for place in places}
    return sorted(found)


def records(keys: Keys, thread_id: str) -> tuple[str, ...]:
    """The hashes that say who did something to a thread."""
    return keys.thread(thread_id), keys.runs(thread_id), keys.approvals(thread_id)


async def replace(client: Client, key: str, changes: Mapping[bytes, tuple[bytes, bytes]]) -> int:
    """Changes fields from one value to another; returns how many still held the first one."""
    flat: list[Argument] = [part for field, pair in changes.items() for part in (field, *pair)]
    changed: int = await client.run(REPLACE, [key], flat) if flat else 0
    return changed


async def drop_events(client: Client, keys: Keys, thread_id: str, name: str) -> int:
    """Takes the events that hold the name out of the thread's log; a reader takes that for a gap."""
    events, text = keys.events(thread_id), quoted(name)
    rows = await client.call("XRANGE", events, "-", "+")
    naming = [id for id, fields in rows if text in fields[b"e"]]
    return int(await client.call("XDEL", events, *naming)) if naming else 0


def quoted(name: str) -> bytes:
    """A text as it stands in JSON, so that no longer one is taken for it."""
    return orjson.dumps(name)


def nameless_fields(stored: Mapping[bytes, bytes], name: str) -> dict[bytes, tuple[bytes, bytes]]:
    """The fields of a record in which the name stands for somebody, as they are and without it."""
    held = {field: value for field, value in stored.items() if quoted(name) in value}
    changes = {field: (value, nameless_field(field, value, name)) for field, value in held.items()}
    return {field: (old, new) for field, (old, new) in changes.items() if old != new}


def nameless_field(field: bytes, value: bytes, name: str) -> bytes:
    key = field.decode().removeprefix(METADATA)
    try:
        lines = [nameless_json(key, orjson.loads(line), name) for line in value.split(b"\n")]
    except orjson.JSONDecodeError:  # plain text, such as an owner of another name
        return value
    return b"\n".join(map(orjson.dumps, lines))


def nameless_json(key: str, told: Any, name: str) -> Any:
    if isinstance(told, dict) and told.get("caller") == name and "user" in told:
        told["user"] = {}  # what a sign-in told of who asked for a run
    return nameless({key: told}, name)[key]


def nameless(
    value: Any, name: str, *, named: bool = False, other: Callable[[Any, bool], Any] = lambda value, _: value
) -> Any:
    """The value with `NOBODY` in the place of the name, where that stands, alone or in a list, under a key
    that says who; and in that of the display name beside a `subject`. `other` is asked for what is neither
    text, list nor dict, with whether it stands there."""
    match value:
        case dict():
            told = {key: nameless(item, name, named=key in NAMED, other=other) for key, item in value.items()}
            return told | {"name": NOBODY} if value.get("subject") == name and "name" in told else told
        case list():
            return [nameless(item, name, named=named, other=other) for item in value]
        case str():
            return NOBODY if named and value == name else value
    return other(value, named)
