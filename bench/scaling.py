"""What more workers bring where a run waits for a model most of its time."""

from pathlib import Path

from bench import servers
from bench.load import drive, waiting
from bench.measures import Bar, Length, Row
from bench.rest import made

WORKERS = (1, 2, 4)
RUNS = 20  # that one worker has at once
CLIENTS = 120  # more than all workers together can have
RAMP_S = 2.0


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
    settings = {"HOLDFAST_CONCURRENCY": str(RUNS)}
    with servers.holdfast_apart(folder, workers=workers, settings=settings) as server:
        drive(server.port, waiting("asleep"), CLIENTS, RAMP_S)
        return drive(server.port, waiting("asleep"), CLIENTS, 2 * length.stage_s + RAMP_S).rate
