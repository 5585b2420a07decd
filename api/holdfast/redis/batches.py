"""Batches as Redis keeps them while they are made: which runs they are of, and what becomes of them."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import orjson

from holdfast.redis import timers
from holdfast.redis.client import Client, Script
from holdfast.redis.keys import Keys

DECIDE = Script.load("batch_decide")

KIND = "batch"

Fate = Literal["kept", "dropped"]


class Held(NamedTuple):
    """A run of a batch, on a thread of its own; `due_ms` is when it is to begin, 0 as soon as it may."""

    thread_id: str
    run_id: str
    due_ms: int


class Batch(NamedTuple):
    batch_id: str
    tenant: str
    runs: Sequence[Held]


async def begin(client: Client, keys: Keys, batch: Batch, until_ms: int) -> None:
    """Writes down what is to be made; it rings at `until_ms`."""
    lane = keys.lane(batch.batch_id)
    # First: what is written down without a timer stays for ever.
    await timers.set_timer(client, keys, lane, KIND, batch.batch_id, until_ms)
    runs = orjson.dumps([tuple(run) for run in batch.runs])
    await client.call("HSET", keys.batch(batch.batch_id), "tenant", batch.tenant, "runs", runs)


async def read(client: Client, keys: Keys, batch_id: str) -> Batch | None:
    tenant, runs = await client.call("HMGET", keys.batch(batch_id), "tenant", "runs")
    if tenant is None:
        return None
    return Batch(batch_id, tenant.decode(), [Held(*one) for one in orjson.loads(runs)])


async def decide(client: Client, keys: Keys, batch_id: str, fate: Fate) -> Fate | None:
    """What becomes of the batch, which is what was decided first; None for one that is settled."""
    found: bytes | None = await client.run(DECIDE, [keys.batch(batch_id)], [fate])
    if found is None:
        return None
    return "kept" if found == b"kept" else "dropped"


async def forget(client: Client, keys: Keys, batch_id: str) -> None:
    await client.call("DEL", keys.batch(batch_id))
    await timers.clear_timer(client, keys, keys.lane(batch_id), KIND, batch_id)
