"""Who has a thread, changed by compare-and-set and told on its log."""

from dataclasses import dataclass
from datetime import datetime

import orjson

from holdfast.errors import ThreadNotFound
from holdfast.redis.client import Client, Script
from holdfast.redis.keys import Keys
from holdfast.redis.records import Caller, Handback, Hold, timestamp_us
from holdfast.redis.thread_index import INDEXED, index_keys

HOLD = Script.load(*INDEXED, "stats", "hold")


@dataclass(frozen=True, slots=True)
class Change:
    """From `old` to `new`; `mark` names the change, `told` is the data of the event that tells of it."""

    mark: str
    old: Hold | None
    new: Hold | None
    handback: Handback | None
    told: bytes


async def change(
    client: Client,
    keys: Keys,
    thread_id: str,
    caller: Caller,
    asked: Change,
    *,
    now: datetime,
    ttl_s: int,
    keep_s: int,
) -> bool:
    """False when somebody else has changed it since `old` was read. Raises `ThreadNotFound`."""
    reply = await client.run(
        HOLD,
        [
            *keys.lapsing(thread_id),
            keys.queue(thread_id),
            keys.stats(keys.lane(thread_id), caller.tenant, now.date()),
            *index_keys(keys, thread_id, caller.tenant),
            keys.timers(keys.lane(thread_id)),
        ],
        [
            thread_id,
            caller.tenant,
            caller.owner_filter,
            asked.mark,
            encoded(asked.old),
            encoded(asked.new),
            orjson.dumps(asked.handback) if asked.handback else "",
            asked.told,
            timestamp_us(now),
            ttl_s,
            keep_s,
        ],
    )
    if reply == b"missing":
        raise ThreadNotFound(f"Thread with ID {thread_id} not found")
    return bool(reply == b"ok")


def encoded(hold: Hold | None) -> bytes:
    return hold.encode() if hold else b""
