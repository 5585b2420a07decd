"""What more workers bring where a run waits for a model most of its time."""

import asyncio
import time
from pathlib import Path

from bench import servers
from bench.load import Connection, Sample, Scenario, drive, waiting
from bench.measures import Bar, Length, Row
from bench.rest import made

WORKERS = (1, 2, 4)
RUNS = 20  # that one worker has at once
CLIENTS = 120  # more than all workers together can have
SLEEP_S = 1.0
COUNTED_S = 5.0  # at least


def scaling_row(folder: Path, length: Length) -> Row:
    """Runs a second of a graph that sleeps, by the number of workers."""
    rates = {number: rate(made(folder / str(number)), number, length) for number in WORKERS}
    most = f"{WORKERS[-1]} workers"
    figures = {f"{number} worker{'s'[: number > 1]}": found / rates[1] for number, found in rates.items()}
    bar = Bar(3.6, ">= 3.6x with four", of=most, most=False)
    return Row(
        f"{RUNS} sleeping runs a worker: x one worker's", "", compared=False, bars=(bar,), figures=figures
    )


def rate(folder: Path, workers: int, length: Length) -> float:
    """Runs that ended in a second while all places were taken: neither at the beginning nor at the end."""
    places = RUNS * workers
    begin_s, count_s = CLIENTS / places + SLEEP_S, 2 * length.stage_s + COUNTED_S
    ended: list[float] = []
    with servers.holdfast_apart(
        folder, workers=workers, settings={"HOLDFAST_CONCURRENCY": str(RUNS)}
    ) as server:
        began = time.perf_counter()
        drive(server.port, staggered(waiting("asleep"), 1 / places, ended), CLIENTS, begin_s + count_s)
    return sum(begin_s <= at - began < begin_s + count_s for at in ended) / count_s


def staggered(scenario: Scenario, every_s: float, ended: list[float]) -> Scenario:
    """Clients begin one after the other, so that runs do not end all at once; notes when each has ended."""
    begun: set[Connection] = set()

    async def run(connection: Connection) -> Sample:
        if connection not in begun:
            begun.add(connection)
            await asyncio.sleep(len(begun) * every_s)
        sample = await scenario(connection)
        if sample.fine:
            ended.append(time.perf_counter())
        return sample

    return run
