"""Letters as an operator looks at them: those that wait, and those that were given up."""

import asyncio
from typing import NamedTuple

from holdfast.core.platform import Platform
from holdfast.errors import NotFound
from holdfast.redis import outbox
from holdfast.redis.outbox import Filed, Letter


class Shelved(NamedTuple):
    """A letter, and where it lies."""

    filed: Filed
    letter: Letter


async def shelved(platform: Platform, *, only_dead: bool = False) -> list[Shelved]:
    """All letters, those that were given up last."""
    client, keys = platform.client, platform.keys
    lanes = await asyncio.gather(*(outbox.filed(client, keys, lane) for lane in range(keys.lanes)))
    filed = sorted(
        (one for of in lanes for one in of if one.dead or not only_dead), key=lambda one: (one.dead, one.at)
    )
    letters = [await outbox.read(client, keys, one.address) for one in filed]
    return [Shelved(one, letter) for one, letter in zip(filed, letters, strict=True) if letter]


async def dead(platform: Platform) -> list[Filed]:
    """Where those lie that were given up, the last first."""
    lanes = range(platform.keys.lanes)
    found = await asyncio.gather(*(outbox.filed_dead(platform.client, platform.keys, lane) for lane in lanes))
    return sorted((one for of in found for one in of), key=lambda one: one.at, reverse=True)


async def find(platform: Platform, letter_id: str) -> Shelved:
    """Raises `NotFound`."""
    client, keys = platform.client, platform.keys
    for lane in range(keys.lanes):
        for one in await outbox.filed(client, keys, lane):
            letter = await outbox.read(client, keys, one.address) if one.address.id == letter_id else None
            if letter:
                return Shelved(one, letter)
    raise NotFound(f"There is no letter {letter_id} here: `holdfast webhooks ls` lists them.")


async def replay(platform: Platform, letter_id: str) -> None:
    """Makes a letter due at once, with all its attempts before it. Raises `NotFound`."""
    found = await find(platform, letter_id)
    await outbox.replay(platform.client, platform.keys, found.letter.address)


async def replay_dead(platform: Platform) -> int:
    """Does so with all that were given up; returns how many."""
    dead = await shelved(platform, only_dead=True)
    return sum([await outbox.replay(platform.client, platform.keys, one.letter.address) for one in dead])
