"""Workers as the server knows them: consumers of the queue, which it keeps until they are taken out.

One that is taken out while its worker lives is there again with the worker's next read.
"""

from holdfast.redis.client import Client, Script
from holdfast.redis.keys import Keys

FORGET = Script.load("forget_consumers")


async def forget(client: Client, keys: Keys, lane: int, worker: str) -> bool:
    """Takes a worker out of a lane; False when it holds an entry, or is not there."""
    return bool(await client.run(FORGET, [keys.ready(lane)], [worker, 0]))


async def forget_silent(client: Client, keys: Keys, lane: int, silent_s: float) -> int:
    """Takes out the workers that hold no entry and were not heard of for so long; returns how many."""
    count: int = await client.run(FORGET, [keys.ready(lane)], ["", round(silent_s * 1000)])
    return count
