"""How whose conversation it is has rated it: kept on the thread, and counted once."""

from datetime import date, datetime
from secrets import token_hex

from holdfast.errors import ThreadNotFound
from holdfast.redis.client import Client, Script
from holdfast.redis.keys import Keys
from holdfast.redis.records import Caller, timestamp_us
from holdfast.redis.thread_index import INDEXED, index_keys

RATE = Script.load(*INDEXED, "stats", "rate")


async def rate(
    client: Client,
    keys: Keys,
    thread_id: str,
    caller: Caller,
    before: str,
    score: int,
    shown: bytes,
    *,
    now: datetime,
) -> bool:
    """False when the rating `before` is another by now. Raises `ThreadNotFound`."""
    lane, today = keys.lane(thread_id), now.date()
    past = date.fromisoformat(before.split()[1]) if before else today
    reply = await client.run(
        RATE,
        [
            keys.thread(thread_id),
            keys.stats(lane, caller.tenant, today),
            keys.stats(lane, caller.tenant, past),
            *index_keys(keys, thread_id, caller.tenant),
        ],
        [
            thread_id,
            caller.tenant,
            caller.owner_filter,
            before,
            f"{score} {today} {token_hex(8)}",
            shown,
            timestamp_us(now),
        ],
    )
    if reply == b"missing":
        raise ThreadNotFound(f"Thread with ID {thread_id} not found")
    return bool(reply == b"ok")
