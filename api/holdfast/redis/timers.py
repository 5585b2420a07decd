"""Timers: what is to happen at a time, by the server's clock.

Each lane has one sorted set of them. A member is a kind and an id, joined by the unit separator; what has to
be done for a kind, `core.timers` knows. A script that changes a thing and its timer writes to the set itself.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from holdfast.redis.client import Argument, Client, Script
from holdfast.redis.keys import Keys

TAKE = Script.load("timers_take")
SETTLE = Script.load("timers", "timers_settle")

SEPARATOR = "\x1f"


class Timer(NamedTuple):
    """Something that is due, in the hands of one worker for a while."""

    lane: int
    kind: str
    id: str
    now_ms: int

    @property
    def member(self) -> str:
        return member(self.kind, self.id)


def member(kind: str, id: str) -> str:
    return f"{kind}{SEPARATOR}{id}"


async def clock_ms(client: Client) -> int:
    """The server's clock, which is the same for all workers."""
    seconds, microseconds = await client.call("TIME")
    return int(seconds) * 1000 + int(microseconds) // 1000


async def server_time(client: Client) -> datetime:
    """As `clock_ms`, as a moment."""
    return datetime.fromtimestamp(await clock_ms(client) / 1000, UTC)


async def set_timer(client: Client, keys: Keys, lane: int, kind: str, id: str, due_ms: int) -> None:
    """Makes a timer ring at a time, and no more at the one it had."""
    await client.call("ZADD", keys.timers(lane), due_ms, member(kind, id))


async def move_timer(client: Client, keys: Keys, lane: int, kind: str, id: str, due_ms: int) -> None:
    """The same for one that is set; another is not made."""
    await client.call("ZADD", keys.timers(lane), "XX", due_ms, member(kind, id))


async def due_ms(client: Client, keys: Keys, lane: int, kind: str, id: str) -> int:
    """When a timer rings; 0 for one that is not set."""
    return int(await client.call("ZSCORE", keys.timers(lane), member(kind, id)) or 0)


async def clear_timer(client: Client, keys: Keys, lane: int, kind: str, id: str) -> None:
    await client.call("ZREM", keys.timers(lane), member(kind, id))


async def take(
    client: Client, keys: Keys, lane: int, kinds: Collection[str], now_ms: int, *, until_ms: int, count: int
) -> list[Timer]:
    """Up to `count` timers of these kinds that are due, for this caller alone until `until_ms`."""
    due = await client.call("ZRANGE", keys.timers(lane), "-inf", now_ms, "BYSCORE", "LIMIT", 0, count)
    # What a newer version has set is left for a newer version.
    known = [one for one in due if one.decode().partition(SEPARATOR)[0] in kinds]
    if not known:
        return []
    taken = await client.run(TAKE, [keys.timers(lane)], [now_ms, until_ms, *known])
    return [read(lane, one.decode(), now_ms) for one in taken]


def read(lane: int, member: str, now_ms: int) -> Timer:
    kind, _, id = member.partition(SEPARATOR)
    return Timer(lane, kind, id, now_ms)


async def settle(
    client: Client, keys: Keys, lane: int, settled: Mapping[Timer, int | None], *, until_ms: int
) -> None:
    """Takes timers off or moves them to their next time, but none that was set since it was taken."""
    flat: list[Argument] = []
    for timer, due_ms in settled.items():
        flat += (timer.member, "" if due_ms is None else due_ms)
    if flat:
        await client.run(SETTLE, [keys.timers(lane)], [until_ms, *flat])
