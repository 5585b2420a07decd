"""How long a thread stands still when its worker ends: from the signal to the next step elsewhere."""

import asyncio
import random
import signal
import time
import uuid
from pathlib import Path

from tests.chaos.sites import Report, Site, site
from tests.chaos.truth import disorder, overlaps, percentile
from tests.chaos.zygote import Child, Zygote

WORKERS = 3
THREADS = 30
NAP_S = 0.2
BARS_S = {signal.SIGKILL: 6.0, signal.SIGTERM: 1.0}
UNDISTURBED_S = 6.0  # more than a lease: nobody may take what is in good hands
SETTLE_S = 1.5  # the new worker gets its share of the threads only as others lose theirs


async def takeovers(zygote: Zygote, folder: Path, share: float) -> Report:
    report = Report()
    rounds = max(1, round(10 * share))
    async with site(zygote, folder, MAX_ATTEMPTS="1000") as place:
        for _ in range(WORKERS):
            await place.work()
        await asyncio.gather(
            *(place.submit(str(uuid.uuid4()), 0, steps=5000, nap_s=NAP_S) for _ in range(THREADS))
        )
        await asyncio.sleep(UNDISTURBED_S)
        report.problems += [
            f"taken from a worker that lives: {step}" for step in place.steps() if step.attempt > 1
        ]
        for number, bar_s in BARS_S.items():
            waits = [wait for _ in range(rounds) for wait in await strike(place, number, bar_s)]
            name = signal.Signals(number).name
            report.figures |= {
                f"{name}: threads that went on elsewhere": len(waits),
                f"{name}: p50, s": round(percentile(waits, 50), 2),
                f"{name}: p99, s": round(percentile(waits, 99), 2),
            }
            if percentile(waits, 99) > bar_s:
                report.problems.append(f"p99 after {name} is {percentile(waits, 99):.2f} s, over {bar_s} s")
        await zygote.end()
        steps = place.steps()
        report.problems += overlaps(steps, place.deaths()) + disorder(steps)
    return report


async def strike(place: Site, number: int, bar_s: float) -> list[float]:
    """The seconds that each thread of the victim stood still."""
    victim = await busy_worker(place)
    place.workers.remove(victim)
    await place.work()
    struck = time.monotonic_ns()
    victim.send(number)
    await victim.wait(15)
    last = {step.thread_id: step.pid for step in place.steps() if step.start < struck}
    hit = {thread_id for thread_id, pid in last.items() if pid == victim.pid}
    waits: dict[str, float] = {}
    deadline = time.monotonic() + 3 * bar_s
    while hit - waits.keys() and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
        for step in place.steps():
            if step.thread_id in hit and step.pid != victim.pid and step.start > struck:
                waits.setdefault(step.thread_id, (step.start - struck) / 1e9)
    await asyncio.sleep(SETTLE_S)
    # A thread that never went on counts as one that took too long.
    return [waits.get(thread_id, 3 * bar_s) for thread_id in hit]


async def busy_worker(place: Site) -> Child:
    """One of the workers that have threads in hand."""
    while True:
        now = time.monotonic_ns()
        busy = {step.pid for step in place.steps() if now - step.start < 2 * NAP_S * 1e9}
        if found := [worker for worker in place.workers if worker.pid in busy]:
            return random.choice(found)
        await asyncio.sleep(0.1)
