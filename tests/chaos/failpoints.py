"""A worker ends at each point of a refund's way: it is asked for once, decided once, paid once, told once."""

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.api.protocols import Watch, watching
from tests.chaos.customers import Conversation
from tests.chaos.failing import POINTS
from tests.chaos.ledgers import judge, read_trail
from tests.chaos.shops import Market, Wish, market
from tests.chaos.sites import Report, site
from tests.chaos.zygote import Zygote

REPETITIONS = 10
REACHED_S = 30


async def failpoints(zygote: Zygote, folder: Path, share: float) -> Report:
    points = list(POINTS) * max(1, round(REPETITIONS * share))
    wanted = [Wish(number, 100_000, 100_000, number) for number in range(len(points))]
    report, reached = Report(), Counter[str]()
    async with site(zygote, folder, LEASE_S="0.5") as place, market(place, folder, wanted) as found:
        for point, wish in zip(points, wanted, strict=True):
            problems = await fail_at(found, Conversation(found, wish), point)
            report.problems += [f"{point}: {problem}" for problem in problems]
            reached[point] += 1
        report.problems += await judge(found, wanted)
        trail = await read_trail(place.platform)
        report.problems += [
            f"{request} was {kind} {times} times" for (request, kind), times in trail.items() if times > 1
        ]
    report.figures |= reached
    return report


async def fail_at(found: Market, talk: Conversation, point: str) -> list[str]:
    """One refund, whose worker ends there and is followed by another."""
    place, subject = found.place, talk.wish.subject
    failing = place.zygote.fork("worker", **place.environment, CHAOS_FAIL_AT=point)
    await talk.ask()
    async with watching(found.clients[0], talk.thread_id, headers=found.headers(subject)) as watch:
        settling = asyncio.create_task(talk.settle())
        await failing.wait(REACHED_S)
        heir = await place.work()
        await settling
        await watch.until(lambda: is_told(watch), "the customer was told")
        heir.send(signal.SIGKILL)
    return [*talk.problems, *told_wrongly(watch)]


def outcomes(watch: Watch) -> list[list[str]]:
    """Of each state that was told, the ids of the messages about how a refund ended."""
    states = [[message["id"] for message in values.get("messages", ())] for values in watch.of("values")]
    return [[one for one in ids if one.endswith("-settled")] for ids in states]


def is_told(watch: Watch) -> bool:
    return any(outcomes(watch))


def told_wrongly(watch: Watch) -> Iterator[str]:
    if len(set(watch.ids)) < len(watch.ids):
        yield "an event was told twice"
    if watch.seqs != sorted(set(watch.seqs)):
        yield f"events out of order: {watch.seqs}"
    if any(len(told) > 1 for told in outcomes(watch)):
        yield f"an outcome was told twice: {outcomes(watch)[-1]}"
