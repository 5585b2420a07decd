"""Streams through nginx that are cut again and again, while replicas end: every event once, in order."""

import asyncio
import random
import signal
import time
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import httpx
from langgraph_sdk.errors import APIStatusError

from tests.chaos import readers
from tests.chaos.cuts import Cuts, CuttingTransport
from tests.chaos.killing import repeat, stop
from tests.chaos.readers import COUNT, Reader, Reading
from tests.chaos.replicas import Replicas, replicas
from tests.chaos.sites import Report, site
from tests.chaos.truth import miscounted
from tests.chaos.zygote import Zygote
from tests.nginx import Nginx

RECONNECTS = 10_000
GIVE_UP_S = 900
TRIES = 10
AGAIN_S = 0.3
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)


@dataclass
class Kind:
    """So many clients of one kind at once, whose streams are cut after `few` to `many` events."""

    name: str
    read: Reader
    clients: int
    few: int
    many: int
    cuts: Cuts = field(default_factory=Cuts)
    runs: int = 0


def kinds() -> list[Kind]:
    """The official client waits a second on the classic wire before it comes back: it is cut less often."""
    return [
        Kind("classic, by hand", readers.by_hand, 10, 1, 12),
        Kind("v3, by hand", readers.by_hand_v3, 10, 1, 12),
        Kind("classic, SDK", readers.by_the_sdk, 6, 10, 60),
        Kind("v3, SDK", readers.by_the_sdk_v3, 6, 2, 20),
    ]


async def reconnects(zygote: Zygote, folder: Path, share: float) -> Report:
    wanted, of, report = round(RECONNECTS * share), kinds(), Report()
    async with site(zygote, folder) as place, replicas(place, folder) as running:
        await place.work()
        started = time.monotonic()
        with official_warnings():
            async with ending(running, 1.5 if share < 0.5 else 6):
                await read_all(running.nginx, of, wanted, report)
        seconds = time.monotonic() - started
    report.figures |= {
        "reconnects": sum(kind.cuts.cut for kind in of),
        "of these in mid event": sum(kind.cuts.in_mid_event for kind in of),
        "seconds": round(seconds),
        **{f"{name}s of a replica": count for name, count in running.ended.items()},
        **{f"runs read, {kind.name}": f"{kind.runs}, cut {kind.cuts.cut} times" for kind in of},
        "events": sum(kind.runs for kind in of) * COUNT,
    }
    report.problems += [f"nothing was read: {kind.name}" for kind in of if not kind.runs or not kind.cuts.cut]
    return report


@asynccontextmanager
async def ending(running: Replicas, every_s: float) -> AsyncIterator[None]:
    """Ends a replica now and then."""
    task = asyncio.create_task(
        repeat(every_s, lambda: running.replace(random.choice(SIGNALS)), asyncio.Lock())
    )
    try:
        yield
    finally:
        await stop(task)


@contextmanager
def official_warnings() -> Iterator[None]:
    """The official client says so when it comes back with no place to go on from: it had read nothing yet."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Reconnecting without a Last-Event-ID", UserWarning)
        yield


async def read_all(nginx: Nginx, of: list[Kind], wanted: int, report: Report) -> None:
    """Reads run after run with all kinds of clients, until there were as many reconnects as `wanted`."""

    async def read_on(kind: Kind) -> None:
        inner = httpx.AsyncHTTPTransport(verify=nginx.trust)
        transport = CuttingTransport(inner, kind.cuts, kind.few, kind.many)
        async with httpx.AsyncClient(base_url=nginx.https_url, transport=transport, timeout=20) as http:
            while sum(kind.cuts.cut for kind in of) < wanted:
                report.problems += [f"{kind.name}: {problem}" for problem in await read_run(http, kind)]

    async with asyncio.timeout(GIVE_UP_S), asyncio.TaskGroup() as group:
        for kind in of:
            for _ in range(kind.clients):
                group.create_task(read_on(kind))


async def read_run(http: httpx.AsyncClient, kind: Kind) -> list[str]:
    """What was wrong with one run as it was read."""
    for _ in range(TRIES):
        reading = Reading()
        try:
            await kind.read(http, reading)
        except (httpx.HTTPError, APIStatusError, UserWarning) as error:
            if reading.numbers:
                return [f"gave up after {len(reading.numbers)} events: {error!r}"]
            await asyncio.sleep(AGAIN_S)  # refused before it began: it was at a replica that ended
        else:
            kind.runs += 1
            rising = all(one < other for one, other in pairwise(reading.seqs))
            return miscounted(reading.numbers, COUNT) + ([] if rising else ["frames out of order"])
    return [f"could not begin in {TRIES} tries"]
