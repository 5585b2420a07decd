"""What a project shares with the graphs of all tenants: the store holds what the project's hook says.

Each item is embedded once, by whichever worker comes first: again only when its value, or what embeds it,
is another. See docs/store.md.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from hashlib import sha256
from typing import Any

import orjson
from langgraph.store.base import PutOp
from redis.exceptions import RedisError

from holdfast.core.platform import Platform
from holdfast.errors import HoldfastError
from holdfast.pacing import jittered
from holdfast.project import Project
from holdfast.redis.locks import Lock, alone
from holdfast.redis.store import Place
from holdfast.store import SHARED

logger = logging.getLogger(__name__)

LOOK_S = 60.0
RETRY_S = 5.0, 300.0  # the first time, and at the longest
LEASE_S = 60.0  # for a batch
BATCH = 64
MOST = 100_000
EMBEDDED_BY = "shared_index"
WHOLE = "shared_whole"  # unless somebody is at it, or died over it

Values = Mapping[Place, Mapping[str, Any]]


async def watch(platform: Platform) -> None:
    """Brings up what the project shares, and again where Redis was emptied: for ever."""
    await keep(platform)
    while platform.project.hooks.share:
        await asyncio.sleep(jittered(LOOK_S))
        with suppress(RedisError, HoldfastError):  # others complain of it
            if await noted(platform, WHOLE) is None:
                await keep(platform)


async def keep(platform: Platform) -> None:
    """Returns when the store holds what the project shares, however long its embedding is away."""
    wait_s, longest_s = RETRY_S
    while not await bring_up(platform):
        await asyncio.sleep(wait_s)
        wait_s = min(2 * wait_s, longest_s)


async def bring_up(platform: Platform) -> bool:
    """False when it is to be tried again: another worker is at it, or something failed."""
    try:
        wanted = await ask(platform.project)
        async with alone(platform.client, platform.keys.shared_lock(), LEASE_S) as lock:
            if lock:
                await replace(platform, wanted, lock)
            return lock is not None
    except Exception as error:  # whatever the project's hook raises, and its embedding; or Redis is away
        logger.warning("what the project shares is not in the store", exc_info=error)
        return False


async def ask(project: Project) -> Values:
    """What the project's hook says, by place."""
    if project.hooks.share is None:
        return {}
    return {
        Place((SHARED, *namespace), key): value
        for namespace, items in (await project.hooks.share()).items()
        for key, value in items.items()
    }


async def replace(platform: Platform, wanted: Values, lock: Lock) -> None:
    """Deletes what is no longer shared, and puts what is new or has changed."""
    kept = await read(platform)
    mark = digest(platform.project)
    if kept and await noted(platform, EMBEDDED_BY) != mark:
        await put(platform, dict.fromkeys(kept), lock)
        kept = {}
    changed: dict[Place, Mapping[str, Any] | None] = {place: None for place in kept if place not in wanted}
    changed |= {place: value for place, value in wanted.items() if kept.get(place) != value}
    note = partial(platform.client.call, "HSET", platform.keys.installation())
    if changed:
        await platform.client.call("HDEL", platform.keys.installation(), WHOLE)
        await note(EMBEDDED_BY, mark)
        await put(platform, changed, lock)
        logger.info("what the project shares has changed", extra={"items": len(changed)})
    await note(WHOLE, 1)


async def read(platform: Platform) -> Values:
    found = await platform.shared_store().asearch((SHARED,), limit=MOST)
    return {Place(item.namespace, item.key): item.value for item in found}


async def put(platform: Platform, values: Mapping[Place, Mapping[str, Any] | None], lock: Lock) -> None:
    """A batch at a time, so that what was embedded stays when something fails; None deletes an item."""
    store = platform.shared_store()
    ops = [PutOp(*place, None if value is None else dict(value)) for place, value in values.items()]
    for start in range(0, len(ops), BATCH):
        await lock.take()
        await store.abatch(ops[start : start + BATCH])


async def noted(platform: Platform, what: str) -> str | None:
    """What is noted of the items: by what they were embedded, as `digest` has it; that they are all there."""
    found = await platform.client.call("HGET", platform.keys.installation(), what)
    return found.decode() if found else None


def digest(project: Project) -> str:
    """Of all that decides what vectors are like, the model that the project's own object names included."""
    index = project.store.index
    model = getattr(project.embeddings, "model", None)
    named = [index and index.model_dump(), str(model) if model else None]
    return sha256(orjson.dumps(named)).hexdigest()
