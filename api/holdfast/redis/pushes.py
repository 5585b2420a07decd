"""Push targets: where a task's news goes. They are kept beside the task's first run and go with it."""

from typing import Any

import orjson

from holdfast.errors import Invalid, RunNotFound
from holdfast.redis.client import Client, Script
from holdfast.redis.keys import Keys
from holdfast.redis.outbox import box_keys

CHANGE = Script.load("outbox", "change_push")

MOST = 10  # of a task


async def read(client: Client, keys: Keys, thread_id: str, first: str) -> list[dict[str, Any]]:
    found = await client.call("HGET", keys.runs(thread_id), f"{first}:push")
    targets: list[dict[str, Any]] = orjson.loads(found or b"[]")
    return targets


async def put(
    client: Client, keys: Keys, thread_id: str, first: str, target: dict[str, Any], *, at_once: bool = False
) -> None:
    """Adds a target, or replaces the one of its id. `at_once` tells it of a task that is at rest already.

    Raises `RunNotFound`, and `Invalid` when the task has too many.
    """
    await change(client, keys, thread_id, first, target["id"], orjson.dumps(target), at_once=at_once)


async def remove(client: Client, keys: Keys, thread_id: str, first: str, target_id: str) -> None:
    await change(client, keys, thread_id, first, target_id, b"")


async def change(
    client: Client,
    keys: Keys,
    thread_id: str,
    first: str,
    target_id: str,
    target: bytes,
    *,
    at_once: bool = False,
) -> None:
    its_keys = [keys.thread(thread_id), keys.runs(thread_id), *box_keys(keys, thread_id)]
    reply = await client.run(
        CHANGE, its_keys, [thread_id, first, target_id, target, MOST, "1" if at_once else ""]
    )
    if reply == b"missing":
        raise RunNotFound
    if reply == b"full":
        raise Invalid(f"A task has at most {MOST} push notification configs.")
