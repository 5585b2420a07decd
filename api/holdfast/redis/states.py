"""A state that was written from outside a run, told to the thread's record and to who reads its log."""

from datetime import datetime
from typing import Any, NamedTuple

from holdfast.errors import ThreadNotFound
from holdfast.events import dump
from holdfast.redis.client import Client, Script
from holdfast.redis.keys import Keys
from holdfast.redis.records import Caller, timestamp_us
from holdfast.redis.thread_index import INDEXED, index_keys

NOTE_STATE = Script.load(*INDEXED, "note_state")


class Told(NamedTuple):
    """A thread's state as it is told: to the record, and as the data of two events."""

    status: str
    interrupts: dict[str, list[dict[str, Any]]]
    state: bytes
    standing: bytes


async def note_state(
    client: Client,
    keys: Keys,
    thread_id: str,
    caller: Caller,
    told: Told,
    *,
    mark: str,
    seq: int,
    now: datetime,
    ttl_s: int,
    keep_s: int,
) -> bool:
    """Tells a state that was written from outside a run: to the thread's record, and to who reads its log.

    `mark` names the write; `seq` is the log's from before the state was read. False when something has been
    logged since: the state is to be read again. A run that has begun since tells it by itself. Raises
    `ThreadNotFound`.
    """
    reply = await client.run(
        NOTE_STATE,
        [
            *keys.lapsing(thread_id),
            *index_keys(keys, thread_id, caller.tenant),
            keys.timers(keys.lane(thread_id)),
        ],
        [
            thread_id,
            caller.tenant,
            caller.owner_filter,
            mark,
            seq,
            told.status,
            dump(told.interrupts),
            timestamp_us(now),
            ttl_s,
            keep_s,
            told.state,
            told.standing,
        ],
    )
    if reply == b"missing":
        raise ThreadNotFound(f"Thread with ID {thread_id} not found")
    return bool(reply != b"moved")
