"""The audit trail of a lane: what happened to requests for approval, for ever.

An entry names nobody: people stand in it under pseudonyms, and what they said is there as a salted digest.
Who a pseudonym is stands beside the trail, and goes when that person is erased; the trail stays as it was.
"""

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson

from holdfast.redis.client import Client, Script
from holdfast.redis.keys import Keys

KNOW = Script.load("know")

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it is stored: `link` is the digest of the link before it and of `text`."""

    id: str
    text: str
    link: str

    def read(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.text)
        return found


@dataclass(frozen=True, slots=True)
class Person:
    """Who a pseudonym is."""

    tenant: str
    subject: str
    salt: str

    @property
    def pseudonym(self) -> str:
        return digest(self.salt, [self.tenant, self.subject])[:32]

    @property
    def who(self) -> bytes:
        return orjson.dumps([self.tenant, self.subject])


UNREADABLE = Person("", "", "")


def digest(salt: str, value: Any) -> str:
    """SHA-256 of a salt and of JSON with sorted keys: says nothing to who has not got the salt."""
    return sha256(salt.encode() + orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def link(before: str, text: str) -> str:
    """What binds an entry to the one before it; `before` is "" for the first."""
    return sha256((before + text).encode()).hexdigest()


async def pseudonym(client: Client, keys: Keys, lane: int, tenant: str, subject: str) -> str:
    """The name under which somebody stands in the lane's trail; "" for nobody."""
    if not subject:
        return ""
    new = Person(tenant, subject, secrets.token_hex(16))
    known: bytes = await client.run(
        KNOW,
        [keys.pseudonyms(lane), keys.people(lane)],
        [new.who, new.pseudonym, orjson.dumps(new)],
    )
    return known.decode()


async def forget(client: Client, keys: Keys, lane: int, tenant: str, subject: str) -> int:
    """Takes away who a pseudonym is; returns 1 when there was one."""
    who = orjson.dumps([tenant, subject])
    known = await client.call("HGET", keys.pseudonyms(lane), who)
    if known is None:
        return 0
    await client.call("HDEL", keys.people(lane), known)
    return int(await client.call("HDEL", keys.pseudonyms(lane), who))


async def people(client: Client, keys: Keys, lane: int) -> dict[str, Person]:
    """Everybody in the lane's trail who was not erased, by pseudonym; `UNREADABLE` for what is nobody."""
    found = await client.call("HGETALL", keys.people(lane))
    return {name.decode(errors="replace"): read_person(kept) for name, kept in found.items()}


def read_person(kept: bytes) -> Person:
    with suppress(orjson.JSONDecodeError, TypeError):
        person = Person(**orjson.loads(kept))
        if all(isinstance(part, str) for part in (person.tenant, person.subject, person.salt)):
            return person
    return UNREADABLE


async def pseudonyms(client: Client, keys: Keys, lane: int) -> dict[bytes, str]:
    """Under which name each person, as `who`, stands in the lane's trail."""
    found = await client.call("HGETALL", keys.pseudonyms(lane))
    return {person: name.decode(errors="replace") for person, name in found.items()}


async def entries(client: Client, keys: Keys, lane: int, after: str = "") -> AsyncIterator[Entry]:
    """The lane's trail from its beginning, or after the entry with an id."""
    start = f"({after}" if after else "-"
    while True:
        rows = await client.call("XRANGE", keys.audit(lane), start, "+", "COUNT", PAGE)
        for id, fields in rows:
            text, linked = (fields.get(name, b"").decode(errors="replace") for name in (b"text", b"link"))
            yield Entry(id.decode(), text, linked)
        if len(rows) < PAGE:
            return
        start = f"({rows[-1][0].decode()}"


async def newest_id(client: Client, keys: Keys, lane: int) -> str:
    """The id of the newest entry that the trail ever had, whether it is still there or not."""
    if not await client.call("EXISTS", keys.audit(lane)):
        return "0-0"
    about = await client.call("XINFO", "STREAM", keys.audit(lane))
    flat: Iterator[Any] = iter(about)
    said = {name: next(flat) for name in flat}
    found: bytes = said[b"last-generated-id"]
    return found.decode()
