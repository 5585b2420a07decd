"""A thread taken out of Redis whole, and put into another one."""

import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple

from holdfast.redis.checkpoints import Fields
from holdfast.redis.client import Argument, Client, Script
from holdfast.redis.keys import Keys
from holdfast.redis.records import fields_of
from holdfast.redis.thread_index import INDEXED, index_keys

EXPORT = Script.load("export")
IMPORT = Script.load(*INDEXED, "import")


class Contents(NamedTuple):
    """The fields of a thread's three hashes; its other keys follow from them, or hold nothing that lasts."""

    record: Fields
    runs: Fields
    checkpoints: Fields


async def read_contents(client: Client, keys: Keys, thread_id: str) -> Contents:
    reply: Any = await client.run(
        EXPORT, [keys.thread(thread_id), keys.runs(thread_id), keys.checkpoints(thread_id)], []
    )
    return Contents(*map(fields_of, reply))


async def write_contents(
    client: Client, keys: Keys, thread_id: str, contents: Contents, *, ttl_s: int
) -> bool:
    """Makes the thread, all of it at once, to expire after `ttl_s` (0: never); False when the id is taken."""
    record, lane = contents.record, keys.lane(thread_id)
    head = (secrets.token_hex(8), thread_id, ttl_s, len(record), len(contents.runs))
    made = await client.run(
        IMPORT,
        [
            keys.thread(thread_id),
            keys.runs(thread_id),
            keys.run_order(thread_id),
            keys.checkpoints(thread_id),
            keys.checkpoint_index(thread_id),
            keys.registry(lane),
            keys.events(thread_id),
            keys.departed(thread_id),
            *index_keys(keys, thread_id, record[b"tenant"].decode()),
            keys.timers(lane),
        ],
        [*head, *flat(record), *flat(contents.runs), *flat(contents.checkpoints)],
    )
    return bool(made)


def flat(fields: Mapping[bytes, bytes]) -> list[Argument]:
    return [part for pair in fields.items() for part in pair]
