"""The outbox: letters to webhooks, from the script that writes one to the one that says it has arrived."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from holdfast.redis.client import Argument, Client, Script
from holdfast.redis.keys import Keys

POST = Script.load("outbox", "post")
OPEN = Script.load("outbox", "open_letter")
SETTLE = Script.load("outbox", "settle_letter")
WITHDRAW = Script.load("outbox", "withdraw_letter")
REPLAY = Script.load("outbox", "replay_letter")


def box_keys(keys: Keys, thread_id: str) -> list[str]:
    """What `outbox.lua` works on, in its order."""
    return [keys.outbox(keys.lane(thread_id)), keys.letters(thread_id)]


class Address(NamedTuple):
    """Where a letter is kept."""

    thread_id: str
    id: str

    @classmethod
    def read(cls, member: bytes) -> "Address":
        return cls(*member.decode().split("\x1f"))


@dataclass(frozen=True, slots=True)
class Letter:
    """What one webhook is to be told. `attempt` counts from 1; `error` is why the last one failed."""

    address: Address
    content: dict[str, Any]
    attempt: int
    error: str

    @property
    def id(self) -> str:
        return self.address.id

    @property
    def url(self) -> str:
        url: str = self.content["url"]
        return url


class Filed(NamedTuple):
    """Where a letter lies: among those that wait, and until when; or among the dead, and since when."""

    address: Address
    dead: bool
    at: datetime


class Notice(NamedTuple):
    """An event of a thread, to be written to each of the addresses; `payload` is JSON."""

    id: str
    kind: str
    addresses: list[str]
    payload: bytes

    @property
    def arguments(self) -> list[Argument]:
        """As `post` of `outbox.lua` takes them, after the thread: the addresses are still JSON."""
        return [self.id, self.kind, orjson.dumps(self.addresses), b'"payload":' + self.payload]


async def post(client: Client, keys: Keys, thread_id: str, notice: Notice) -> None:
    """Puts an event in; nothing when the thread is gone."""
    box = box_keys(keys, thread_id)
    await client.run(POST, [keys.thread(thread_id), *box], [thread_id, *notice.arguments])


async def due(client: Client, keys: Keys, lane: int, count: int) -> list[Address]:
    """The first `count` letters whose time has come by the server's clock."""
    first = await client.call("ZRANGE", keys.outbox(lane), 0, count - 1, "WITHSCORES")
    if not first:  # so that an idle worker asks for no more than this
        return []
    seconds, microseconds = await client.call("TIME")
    now_ms = int(seconds) * 1000 + int(microseconds) // 1000
    scored = zip(first[::2], first[1::2], strict=True)
    return [Address.read(member) for member, score in scored if float(score) <= now_ms]


async def take(client: Client, keys: Keys, address: Address, lease_ms: int) -> Letter | None:
    """Opens a letter that is due, for `lease_ms`; None when another worker has it, or it is gone."""
    reply = await client.run(
        OPEN, box_keys(keys, address.thread_id), [address.thread_id, address.id, lease_ms]
    )
    if reply is None:
        return None
    content, attempt, error = reply
    return Letter(address, orjson.loads(content), attempt, error.decode())


async def retry(
    client: Client, keys: Keys, letter: Letter, reason: str, delay_ms: int, *, counted: bool = True
) -> None:
    """Puts a letter back until later, unless another worker has it by now."""
    attempts = letter.attempt - (0 if counted else 1)
    args: list[Argument] = [*letter.address, letter.attempt, "later", attempts, delay_ms, reason]
    await client.run(SETTLE, letter_keys(keys, letter.address.thread_id), args)


async def give_up(client: Client, keys: Keys, letter: Letter, reason: str) -> None:
    args: list[Argument] = [*letter.address, letter.attempt, "dead", letter.attempt, 0, reason]
    await client.run(SETTLE, letter_keys(keys, letter.address.thread_id), args)


async def withdraw(client: Client, keys: Keys, address: Address, *, only_dead: bool = False) -> bool:
    """Takes a letter away: it has arrived, or is not wanted any more. False when it was gone."""
    args = [*address, "dead" if only_dead else ""]
    return bool(await client.run(WITHDRAW, letter_keys(keys, address.thread_id), args))


async def replay(client: Client, keys: Keys, address: Address) -> bool:
    """Makes a letter due at once, with all its attempts before it; False when it is gone."""
    return bool(await client.run(REPLAY, letter_keys(keys, address.thread_id), [*address]))


async def prune(client: Client, keys: Keys, lane: int, *, keep_s: float, most: int) -> int:
    """Takes dead letters away, those older than `keep_s` and the oldest beyond `most`; returns how many."""
    dead = keys.dead(lane)
    (seconds, _), count = await asyncio.gather(client.call("TIME"), client.call("ZCARD", dead))
    if count == 0:
        return 0
    old = await client.call("ZRANGE", dead, "-inf", round((int(seconds) - keep_s) * 1000), "BYSCORE")
    spare = await client.call("ZRANGE", dead, 0, count - most - 1) if count > most else []
    gone = {Address.read(member) for member in (*old, *spare)}
    return sum([await withdraw(client, keys, address, only_dead=True) for address in gone])


async def filed(client: Client, keys: Keys, lane: int) -> list[Filed]:
    """Where every letter of a lane lies, those that wait first, in the order of their times."""
    waiting = await client.call("ZRANGE", keys.outbox(lane), 0, -1, "WITHSCORES")
    return [*read_filed(waiting, dead=False), *await filed_dead(client, keys, lane)]


async def filed_dead(client: Client, keys: Keys, lane: int) -> list[Filed]:
    """Where those lie that were given up, the last one last."""
    return read_filed(await client.call("ZRANGE", keys.dead(lane), 0, -1, "WITHSCORES"), dead=True)


def read_filed(scored: Sequence[bytes], *, dead: bool) -> list[Filed]:
    return [
        Filed(Address.read(member), dead, datetime.fromtimestamp(float(score) / 1000, UTC))
        for member, score in zip(scored[::2], scored[1::2], strict=True)
    ]


async def read(client: Client, keys: Keys, address: Address) -> Letter | None:
    """A letter as it lies there; its `attempt` is how many there were."""
    fields = (address.id, f"{address.id}:attempts", f"{address.id}:error")
    values = await client.call("HMGET", keys.letters(address.thread_id), *fields)
    return read_letter(address, values)


async def read_all(client: Client, keys: Keys, thread_id: str) -> list[Letter]:
    """All letters of a thread."""
    names = await client.call("HKEYS", keys.letters(thread_id))
    ids = [name.decode() for name in names if b":" not in name]
    found = await asyncio.gather(*(read(client, keys, Address(thread_id, id)) for id in ids))
    return [letter for letter in found if letter]


def read_letter(address: Address, values: Sequence[bytes | None]) -> Letter | None:
    content, attempts, error = values
    if content is None:
        return None
    return Letter(address, orjson.loads(content), int(attempts or 0), (error or b"").decode())


def letter_keys(keys: Keys, thread_id: str) -> list[str]:
    lane = keys.lane(thread_id)
    return [keys.outbox(lane), keys.dead(lane), keys.letters(thread_id)]
