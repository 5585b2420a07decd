"""Refunds, from a customer's word to the bank's book, while everything on their way is killed."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.chaos.customers import Conversation
from tests.chaos.killing import STAFF_S, repeat, restart, staff, stop, strike
from tests.chaos.ledgers import judge
from tests.chaos.shops import Market, market, wishes
from tests.chaos.sites import Report, site
from tests.chaos.zygote import Zygote

REFUNDS = 10_000
SHORTER = 0.3  # of a short form: a refund takes a tenth of a second of everything
AT_ONCE = 40
GIVE_UP_S = 7200  # a machine that is busy with other things takes four times as long
SETTINGS = {"LEASE_S": "1", "MAX_ATTEMPTS": "1000000"}


async def refunds(zygote: Zygote, folder: Path, share: float) -> Report:
    how_many = REFUNDS * share * (SHORTER if share < 0.5 else 1)
    report, wanted = Report(), wishes(max(10, round(how_many)))
    # Under `everysec` a killed server may lose what it has acknowledged while the disk was slow.
    async with (
        site(zygote, folder, fsync="always", **SETTINGS) as place,
        market(place, folder, wanted) as found,
    ):
        await staff(place)
        started = time.monotonic()
        talks = [Conversation(found, wish) for wish in wanted]
        report.figures |= await under_fire(found, talks)
        report.figures |= {"refunds": len(wanted), "seconds": round(time.monotonic() - started)}
        report.problems += [problem for talk in talks for problem in talk.problems]
        await zygote.end()
        report.problems += await judge(found, wanted)
        repeated = sum(kept.asked > 1 for kept in found.bank.refunds)
        report.figures["made after the bank was asked again"] = repeated
    return report


@dataclass
class Misfortune:
    """Happens each time that so many more refunds have come to an end."""

    every: int
    act: Callable[[], Awaitable[None]]
    guard: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def befall(self, done: int) -> None:
        if done % self.every == 0:
            async with self.guard:
                await self.act()


async def under_fire(found: Market, talks: Sequence[Conversation]) -> Counter[str]:
    """How often what happened. It goes by refunds, not by time: a slow machine has as much to suffer."""
    happened: Counter[str] = Counter()
    place, rare = found.place, max(1, len(talks) // 3)
    misfortunes = (
        Misfortune(20, lambda: strike(place, signal.SIGKILL, happened)),
        Misfortune(min(800, rare), lambda: restart(place, happened)),
        Misfortune(min(1500, rare), lambda: kill_sql(found, happened)),
        Misfortune(30, lambda: annoy(found, happened)),
    )
    staffing = asyncio.create_task(repeat(STAFF_S, lambda: staff(place), asyncio.Lock()))
    try:
        async with asyncio.timeout(GIVE_UP_S):
            await hold_all(talks, misfortunes)
    finally:
        await stop(staffing)
    return happened


async def hold_all(talks: Sequence[Conversation], misfortunes: Sequence[Misfortune]) -> None:
    """Some at once; those about one order come next to each other."""
    waiting, numbers = iter(talks), count(1)

    async def work() -> None:
        for talk in waiting:
            await talk.hold()
            number = next(numbers)
            for misfortune in misfortunes:
                group.create_task(misfortune.befall(number))

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())


async def kill_sql(found: Market, happened: Counter[str]) -> None:
    happened["kills of the shop's database"] += await found.sql.kill()


async def annoy(found: Market, happened: Counter[str]) -> None:
    found.annoy()
    happened["bad moments of the bank"] += 1
