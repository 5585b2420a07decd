"""What really happened, from the notes of the steps; and what the engine kept, held against it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson

from holdfast.core import threads
from holdfast.core.platform import Platform
from holdfast.events import Event
from holdfast.redis.records import read_run, read_thread, run_fields


@dataclass
class Step:
    """One time that a step was run; `end` is None while it runs, or when its process was killed in it."""

    thread_id: str
    run_id: str
    number: int
    at: int
    attempt: int
    pid: int
    start: int
    end: int | None = None
    whole: bool = False

    def __str__(self) -> str:
        return f"run {self.number} step {self.at} attempt {self.attempt} in {self.pid}"


def read_notes(path: Path) -> list[Step]:
    """The steps in the order in which they began."""
    steps: list[Step] = []
    running: dict[tuple[str, ...], Step] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        what, *names, time = line.split()
        thread_id, run_id, number, at, attempt, pid = names
        if what == "start":
            step = Step(thread_id, run_id, int(number), int(at), int(attempt), int(pid), int(time))
            running[tuple(names)] = step
            steps.append(step)
        else:
            step = running.pop(tuple(names))
            step.end, step.whole = int(time), what == "end"
    return sorted(steps, key=lambda step: step.start)


def by_thread(steps: Iterable[Step]) -> dict[str, list[Step]]:
    found: dict[str, list[Step]] = defaultdict(list)
    for step in steps:
        found[step.thread_id].append(step)
    return found


def overlaps(steps: Iterable[Step], deaths: Mapping[int, int]) -> list[str]:
    """Two steps of one thread at once. A step that was cut off lasts until its process has `deaths`."""
    problems = []
    for thread_id, own in by_thread(steps).items():
        last: Step | None = None
        until = 0
        for step in own:
            if last and step.start < until:
                over_ms = (until - step.start) / 1e6
                problems.append(f"overlap on {thread_id}: {last} and {step}, {over_ms:.0f} ms")
            end = step.end or deaths.get(step.pid) or step.start
            if end >= until:
                last, until = step, end
    return problems


def disorder(steps: Iterable[Step]) -> list[str]:
    """A run that began before an earlier one of its thread, or a step before an earlier one of its run."""
    return [
        f"out of order on {thread_id}: {one}, then {other}"
        for thread_id, own in by_thread(steps).items()
        for one, other in pairwise(own)
        if (other.number, other.at) < (one.number, one.at)
    ]


async def unkept(platform: Platform, expected: Mapping[str, Sequence[str]], steps: int) -> list[str]:
    """What the engine lost, doubled or mixed up; `expected` are the ids of each thread's runs in order."""
    problems = []
    for thread_id, run_ids in expected.items():
        problems += await wrong_runs(platform, thread_id, run_ids)
        stored = await platform.client.call("HGETALL", platform.keys.thread(thread_id))
        values: Any = await threads.values(platform, read_thread(thread_id, stored)) or {}
        log = [f"{number}.{at}" for number in range(len(run_ids)) for at in range(steps)]
        if (found := values.get("log", [])) != log:
            problems.append(f"state of {thread_id}: {differs(found, log)}")
        problems += await wrong_events(platform, thread_id, run_ids, steps)
    return problems


async def wrong_runs(platform: Platform, thread_id: str, run_ids: Sequence[str]) -> list[str]:
    problems = []
    for run_id in run_ids:
        values = await platform.client.call("HMGET", platform.keys.runs(thread_id), *run_fields(run_id))
        record = read_run(thread_id, run_id, values)
        if record is None or record.status != "success":
            problems.append(
                f"lost: run {run_id} of {thread_id} is {record.status if record else 'nowhere'} "
                f"{record.error if record else ''}"
            )
    return problems


async def wrong_events(platform: Platform, thread_id: str, run_ids: Sequence[str], steps: int) -> list[str]:
    """A hole or a repeat in the log, an event of an attempt that was over, a run with no end or two."""
    rows = await platform.client.call("XRANGE", platform.keys.events(thread_id), "-", "+")
    problems, attempt, ended = [], 0, []
    for seq, (id, fields) in enumerate(rows, 1):
        event = Event.decode(fields[b"e"])
        where = f"event {id.decode()} of {thread_id}"
        if int(id.split(b"-")[1]) != seq:
            problems.append(f"{where}: not the {seq}th")
        if event.run_id in ended:
            problems.append(f"{where}: after the end of its run")
        match event.mode:
            case "metadata":
                attempt = orjson.loads(event.data)["attempt"]
            case "custom" if orjson.loads(event.data)["attempt"] != attempt:
                problems.append(f"{where}: written by an attempt that was over")
            case "end":
                ended.append(event.run_id)
    if ended != list(run_ids):
        problems.append(f"ends of {thread_id}: {len(ended)} of {len(run_ids)}, or out of order")
    return problems


def miscounted(numbers: Sequence[int], count: int) -> list[str]:
    """What a reader lost, had twice or had out of order of the numbers up to `count`."""
    seen = Counter(numbers)
    problems = []
    if lost := [number for number in range(count) if number not in seen]:
        problems.append(f"{len(lost)} events lost: {lost[:5]}")
    if doubled := [number for number, times in seen.items() if times > 1]:
        problems.append(f"{len(doubled)} events doubled: {doubled[:5]}")
    if list(dict.fromkeys(numbers)) != sorted(seen):
        problems.append("events out of order")
    return problems


def differs(found: Sequence[str], wanted: Sequence[str]) -> str:
    at = next((i for i, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b), None)
    if at is None:
        return f"{len(found)} entries, not {len(wanted)}"
    return f"at {at} there is {found[at]} and not {wanted[at]}"


def percentile(values: Sequence[float], percent: float) -> float:
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * percent / 100))]
