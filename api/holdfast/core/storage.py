"""What a thread costs: the memory of each of its keys, and what its checkpoints hold for each channel."""

import asyncio
from dataclasses import asdict
from typing import Any

from holdfast.checkpoint.sizes import Sizes, measure
from holdfast.core.platform import Platform

EXACT = 0  # MEMORY USAGE looks at every element, not at five


async def weigh(platform: Platform, thread_id: str) -> dict[str, Any]:
    """Bytes of the whole thread, of each table (a key in Redis) and of each channel of the state.

    A table weighs what Redis needs for it; checkpoints and channels weigh the names and values in them. Where
    another checkpointer keeps the checkpoints, they are not counted.
    """
    keys, client = platform.keys, platform.client
    tables = {
        "thread": keys.thread(thread_id),
        "runs": keys.runs(thread_id),
        "run_order": keys.run_order(thread_id),
        "queue": keys.queue(thread_id),
        "events": keys.events(thread_id),
        "checkpoints": keys.checkpoints(thread_id),
        "checkpoint_index": keys.checkpoint_index(thread_id),
        "approvals": keys.approvals(thread_id),
        "letters": keys.letters(thread_id),
    }
    used = await asyncio.gather(
        *(client.call("MEMORY", "USAGE", key, "SAMPLES", EXACT) for key in tables.values())
    )
    weights = {table: size or 0 for table, size in zip(tables, used, strict=True)}
    sizes = measure(await client.call("HGETALL", keys.checkpoints(thread_id)))
    return {
        "thread_id": thread_id,
        "checkpointer": platform.settings.checkpointer,
        "bytes": sum(weights.values()),
        "tables": weights,
        **({} if platform.foreign_checkpointer else describe(sizes)),
    }


def describe(sizes: Sizes) -> dict[str, Any]:
    heaviest = sorted(sizes.channels, key=lambda channel: -sizes.channels[channel].bytes)
    return {
        "checkpoints": {"bytes": sizes.checkpoints.bytes, "count": sizes.checkpoints.versions},
        "channels": {channel: asdict(sizes.channels[channel]) for channel in heaviest},
        "unused": {"bytes": sizes.unused.bytes, "elements": sizes.unused.elements},
    }
