"""Callers at ten times their limit, over two replicas: it holds for each of them, and harms nobody else."""

import asyncio
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.auth import DevAuthenticator
from tests.chaos.fleets import fleet
from tests.chaos.overload import Answer, Connection, ask
from tests.chaos.sites import Report, Site, site
from tests.chaos.truth import percentile
from tests.chaos.zygote import Zygote

CALLERS = 100
LET_IN_A_SECOND = 40.0  # of all greedy callers together
TIMES = 10
MODEST = 0.8
WITHIN = 0.02
SLOW_MS = 50
ASK = "POST /threads/count"


@dataclass
class Replica:
    port: int
    idle: list[Connection] = field(default_factory=list)


@dataclass
class Caller:
    """Asks at a steady rate, of one replica after the other, whether or not there are answers."""

    token: str
    a_second: float
    answers: list[Answer] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)

    @property
    def let_in(self) -> int:
        return sum(one.status == 200 for one in self.answers)

    def bounds(self, rate: float, burst: int) -> tuple[float, float]:
        """How many the limit lets in, by when the requests can have been counted: at least, at most."""
        return (
            burst + rate * (self.asked[-1] - self.answered[0]) - 1,
            burst + rate * (self.answered[-1] - self.asked[0]),
        )

    async def ask(self, replicas: list[Replica], seconds: float) -> None:
        first = time.monotonic() + random.random() / self.a_second
        async with asyncio.TaskGroup() as group:
            for number in range(round(seconds * self.a_second)):
                await asyncio.sleep(first + number / self.a_second - time.monotonic())
                self.asked.append(time.monotonic())
                group.create_task(self._ask(replicas[number % len(replicas)]))

    async def _ask(self, replica: Replica) -> None:
        bearer = f"Authorization: Bearer {self.token}\r\n"
        self.answers.append(await ask(replica.port, replica.idle, ASK, b"{}", bearer))
        self.answered.append(time.monotonic())


async def limits(zygote: Zygote, folder: Path, share: float) -> Report:
    callers, seconds = max(10, round(CALLERS * share)), max(4.0, 60 * share)
    rate = LET_IN_A_SECOND / callers
    burst = max(2, round(5 * rate))
    settings = {"RATE_OF_CALLER": str(rate), "BURST_OF_CALLER": str(burst)}
    async with site(zygote, folder, **settings) as place, fleet(place, apis=2, workers=0) as running:
        replicas = [Replica(port) for port, _ in running.apis]
        greedy = [await caller(place, f"greedy {n}", TIMES * rate) for n in range(callers)]
        modest = [await caller(place, f"modest {n}", MODEST * rate) for n in range(callers // 5)]
        before = await asked_of_redis(place)
        await asyncio.gather(*(one.ask(replicas, seconds) for one in [*greedy, *modest]))
        calls = await asked_of_redis(place) - before
        for _, writer in [link for replica in replicas for link in replica.idle]:
            writer.close()
    return judge(greedy, modest, rate, burst, calls)


async def caller(place: Site, subject: str, a_second: float) -> Caller:
    platform = place.platform
    authenticator = await DevAuthenticator.open(platform.settings, platform.client, platform.keys)
    return Caller(authenticator.sign(subject, ()), a_second)


async def asked_of_redis(place: Site) -> int:
    """How many scripts it has run."""
    told = await place.platform.client.redis.info("commandstats")
    return int(told.get("cmdstat_evalsha", {}).get("calls", 0))


def judge(greedy: list[Caller], modest: list[Caller], rate: float, burst: int, calls: int) -> Report:
    report, low, high = Report(), 0.0, 0.0
    for one in greedy:
        least, most = one.bounds(rate, burst)
        low, high = low + least, high + most
        if not least * (1 - WITHIN) <= one.let_in <= most * (1 + WITHIN):
            report.problems.append(f"{one.let_in} let in, not {least:.1f} to {most:.1f}")
        if odd := {answer.status for answer in one.answers} - {200, 429}:
            report.problems.append(f"answers {odd}")
    refused = [answer for one in greedy for answer in one.answers if answer.status == 429]
    report.problems += [f"refused without Retry-After: {one}" for one in refused if not one.retry_after]
    for one in modest:
        if one.let_in < len(one.answers):
            report.problems.append(f"{len(one.answers) - one.let_in} refused of a caller within the limit")
    quick = [answer.ms for one in modest for answer in one.answers]
    if (slow := percentile(quick, 99)) > SLOW_MS + 2 * percentile([one.ms for one in refused], 99):
        report.problems.append(f"p99 of a caller within the limit is {slow:.0f} ms")
    let_in = sum(one.let_in for one in greedy)
    report.figures |= {
        "callers": f"{len(greedy)} greedy, {len(modest)} modest",
        "asked": sum(len(one.answers) for one in greedy),
        "let in": f"{let_in}, where {low:.0f} to {high:.0f} are right",
        "refused": len(refused),
        "scripts run by Redis": calls,
        "refusal p50 and p99, ms": f"{percentile([one.ms for one in refused], 50):.1f}, "
        f"{percentile([one.ms for one in refused], 99):.1f}",
        "within the limit p50 and p99, ms": f"{percentile(quick, 50):.1f}, {slow:.1f}",
    }
    return report
