"""Workers and the server are killed, stopped, cut off while runs go through: nothing is lost or doubled."""

import asyncio
import random
import signal
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.sites import Report, Site, site
from tests.chaos.truth import disorder, overlaps, unkept
from tests.chaos.zygote import Zygote

WORKERS = 3
STAFF_S = 0.05
STEPS = 3
SLOW_LEASES = 1.2  # a step that is longer than a lease, of one run in a hundred


@dataclass(frozen=True)
class Pace:
    """How often what happens, in seconds."""

    kill_s: float = 0.25
    stop_s: float = 8.0
    cut_s: float = 7.0
    server_s: float = 30.0
    submit_s: float = 2.0
    lease_s: float = 1.0


SHORT = Pace(kill_s=0.5, stop_s=1.5, cut_s=2.0, server_s=4.0, submit_s=0.2, lease_s=0.5)


async def chaos(zygote: Zygote, folder: Path, share: float) -> Report:
    runs = round(10_000 * share)
    threads = min(200, max(1, runs // 10))
    pace = SHORT if share < 0.5 else Pace()
    report = Report()
    # Under `everysec` a killed server may lose what it has acknowledged while the disk was slow.
    settings = {"LEASE_S": str(pace.lease_s), "MAX_ATTEMPTS": "1000000", "EVENTS_KEEP_S": "86400"}
    async with site(zygote, folder, fsync="always", **settings) as place:
        await staff(place)
        started = time.monotonic()
        made, happened = await under_fire(place, pace, runs // threads, threads)
        report.figures |= {"runs": runs, "threads": threads, "seconds": round(time.monotonic() - started)}
        report.figures |= happened
        steps, deaths = place.steps(), place.deaths()
        report.figures["steps"] = len(steps)
        report.figures["steps cut off"] = sum(not step.whole for step in steps)
        report.problems += overlaps(steps, deaths) + disorder(steps)
        report.problems += await unkept(place.platform, made, STEPS)
    return report


async def under_fire(
    place: Site, pace: Pace, runs: int, threads: int
) -> tuple[dict[str, list[str]], Counter[str]]:
    """The runs of each thread, and how often what happened."""
    happened: Counter[str] = Counter()
    server = asyncio.Lock()  # a cut needs a server
    acts = (
        repeat(pace.kill_s, lambda: strike(place, signal.SIGKILL, happened), asyncio.Lock()),
        repeat(pace.stop_s, lambda: strike(place, signal.SIGTERM, happened), asyncio.Lock()),
        repeat(pace.cut_s, lambda: cut(place, happened), server),
        repeat(pace.server_s, lambda: restart(place, happened), server),
        repeat(STAFF_S, lambda: staff(place), asyncio.Lock()),
    )
    async with AsyncExitStack() as stack:
        for act in acts:
            stack.push_async_callback(stop, asyncio.create_task(act))
        made = await asyncio.gather(*(submit(place, pace, runs) for _ in range(threads)))
        await place.wait_for_runs(1200)
    return dict(made), happened


async def repeat(every_s: float, act: Callable[[], Awaitable[None]], guard: asyncio.Lock) -> None:
    while True:
        await asyncio.sleep(every_s)
        async with guard:
            await act()


async def strike(place: Site, number: int, happened: Counter[str]) -> None:
    """Ends one worker that is at work."""
    if found := [worker for worker in place.workers if worker.ready]:
        random.choice(found).send(number)
        happened[signal.Signals(number).name] += 1


async def staff(place: Site) -> None:
    """Starts a worker for each that has ended, or that could not start while there was no server."""
    place.workers[:] = [worker for worker in place.workers if not worker.ended]
    while len(place.workers) < WORKERS:
        await place.work()


async def cut(place: Site, happened: Counter[str]) -> None:
    await place.valkey.cut()
    happened["cuts of all connections"] += 1


async def restart(place: Site, happened: Counter[str]) -> None:
    await place.valkey.restart()
    happened["kills of Valkey"] += 1


async def stop(task: asyncio.Task[None]) -> None:
    """Ends what happens from time to time; an error of it is ours."""
    task.cancel()
    [error] = await asyncio.gather(task, return_exceptions=True)
    if not isinstance(error, asyncio.CancelledError) and isinstance(error, BaseException):
        raise error


async def submit(place: Site, pace: Pace, runs: int) -> tuple[str, list[str]]:
    thread_id = str(uuid.uuid4())
    made = []
    for number in range(runs):
        nap_s = SLOW_LEASES * pace.lease_s if random.random() < 0.01 else random.uniform(0.005, 0.02)
        made.append(await place.submit(thread_id, number, steps=STEPS, nap_s=nap_s))
        await asyncio.sleep(random.uniform(0, 2 * pace.submit_s))
    return thread_id, made
