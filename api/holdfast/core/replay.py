"""What the log only refers to, fetched from where it is."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import orjson

from holdfast.core import threads
from holdfast.core.platform import Platform
from holdfast.errors import AssistantNotFound, Unreadable
from holdfast.events import Event, dump
from holdfast.redis.client import insist
from holdfast.redis.stream import Stored

GONE = "gone"  # the mode of an event that nobody can be shown any more


async def complete(platform: Platform, thread_id: str, batch: Sequence[Stored]) -> list[Stored]:
    """The same events, with their data. One whose checkpoint is gone, with its run, stays as a place only."""
    wanted = [stored.event for stored in batch if not stored.event.whole]
    if not wanted:
        return list(batch)
    found = iter(await asyncio.gather(*(fetch(platform, thread_id, event) for event in wanted)))
    return [stored if stored.event.whole else stored._replace(event=next(found)) for stored in batch]


async def whole(platform: Platform, thread_id: str, event: Event) -> Event:
    return event if event.whole else await fetch(platform, thread_id, event)


async def fetch(platform: Platform, thread_id: str, event: Event) -> Event:
    reference: Mapping[str, Any] = orjson.loads(event.reference)
    named = reference["graph_id"], reference["checkpoint_id"]
    values = await insist(partial(read_values, platform, thread_id, *named))
    if values is None:
        return replace(event, mode=GONE, data=b"null")
    if "interrupts" in reference:
        values = {**values, "__interrupt__": reference["interrupts"]}
    return replace(event, data=platform.told(dump(values)))


async def read_values(
    platform: Platform, thread_id: str, graph_id: str, checkpoint_id: str
) -> dict[str, Any] | None:
    """The values that a checkpoint holds; None when it is gone, or its graph or types are."""
    try:
        async with threads.opened_as(platform, thread_id, graph_id) as graph:
            found = await graph.aget_state(threads.address(thread_id, checkpoint_id))
    except (AssistantNotFound, Unreadable):
        return None
    return found.values if found.metadata is not None else None
