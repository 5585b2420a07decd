"""What goes on in a lane, as the queue and its consumer group tell it: nothing is kept for it."""

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

from redis.exceptions import ResponseError

from holdfast.redis.client import Client, Script
from holdfast.redis.keys import Keys
from holdfast.redis.lua import GROUP
from holdfast.redis.timers import SEPARATOR

TURNS = Script.load("turns")

PAGE = 200


class Held(NamedTuple):
    """An entry of `ready` in the hands of a worker, who was heard of `silent_ms` ago."""

    worker: str
    silent_ms: int


class Turn(NamedTuple):
    """A thread with runs in line; `held` where a worker has its turn."""

    thread_id: str
    held: Held | None = None


class Consumer(NamedTuple):
    """A worker as a lane knows it."""

    name: str
    held: int
    silent_ms: int


class Lane(NamedTuple):
    """How much waits: `ready` are threads whose turn has come, `waiting` those behind them.

    `runs` are all that have not ended, with those for later and those behind another run of their thread.
    """

    runs: int
    ready: int
    waiting: int
    timers: int
    letters: int
    dead_letters: int
    consumers: list[Consumer]

    @property
    def held(self) -> int:
        return sum(one.held for one in self.consumers)


async def turns(client: Client, keys: Keys, lane: int) -> AsyncIterator[list[Turn]]:
    """The threads of a lane that have runs in line, those first whose turn came first."""
    ready, start = keys.ready(lane), "-"
    while rows := await client.run(TURNS, [ready], [start, "+", PAGE]):
        yield [read_turn(row) for row in rows]
        start = f"({rows[-1][0].decode()}"
    offset = 0
    while found := await client.call("ZRANGE", keys.waiting(lane), offset, offset + PAGE - 1):
        yield [Turn(thread_id.decode()) for thread_id in found]
        offset += PAGE


def read_turn(row: tuple[bytes, bytes, bytes, int]) -> Turn:
    _, thread_id, worker, silent_ms = row
    return Turn(thread_id.decode(), Held(worker.decode(), silent_ms) if worker else None)


async def holder(client: Client, keys: Keys, thread_id: str) -> Held | None:
    """Who has the turn of a thread."""
    entry, token = await client.call("HMGET", keys.thread(thread_id), "entry", "token")
    if not entry or not token:
        return None
    rows = await client.run(TURNS, [keys.ready(keys.lane(thread_id))], [entry, entry, 1])
    return read_turn(rows[0]).held if rows else None


async def later(client: Client, keys: Keys, lane: int) -> AsyncIterator[list[tuple[str, str]]]:
    """Thread and run of the runs that are to begin at a time of their own, the next first."""
    start = 0
    while found := await client.call("ZRANGE", keys.timers(lane), start, start + PAGE - 1):
        named = [one.decode().split(SEPARATOR) for one in found]
        yield [(thread_id, run_id) for kind, thread_id, *rest in named if kind == "run" for run_id in rest]
        start += PAGE


async def lanes(client: Client, keys: Keys) -> list[Lane]:
    return list(await asyncio.gather(*(read_lane(client, keys, lane) for lane in range(keys.lanes))))


async def read_lane(client: Client, keys: Keys, lane: int) -> Lane:
    runs, entries, waiting, timers, letters, dead, workers = await asyncio.gather(
        client.call("HGET", keys.queued(lane), ""),
        client.call("XLEN", keys.ready(lane)),
        client.call("ZCARD", keys.waiting(lane)),
        client.call("ZCARD", keys.timers(lane)),
        client.call("ZCARD", keys.outbox(lane)),
        client.call("ZCARD", keys.dead(lane)),
        consumers(client, keys, lane),
    )
    ready = entries - sum(one.held for one in workers)
    return Lane(int(runs or 0), ready, waiting, timers, letters, dead, workers)


async def consumers(client: Client, keys: Keys, lane: int) -> list[Consumer]:
    try:
        rows = await client.call("XINFO", "CONSUMERS", keys.ready(lane), GROUP)
    except ResponseError:  # no worker has been there yet
        return []
    told = [dict(zip(fields[::2], fields[1::2], strict=True)) for fields in rows]
    return [Consumer(one[b"name"].decode(), one[b"pending"], one[b"idle"]) for one in told]
