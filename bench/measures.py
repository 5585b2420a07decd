"""What is measured, how, and what is asked of it."""

import json
import math
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from bench.load import Scenario, Stage, answering, drive, going_on, streaming, talking, waiting
from bench.servers import ROOT, Server

DEV, APART, PEER, AEGRA = "holdfast dev", "serve + worker", "langgraph dev", "aegra"
PEERS = (PEER, AEGRA)
BEST = "the best peer"  # in a comparison: whichever of the peers is best at that


@dataclass(frozen=True, slots=True)
class Length:
    """How thorough a run is; a stage lasts `stage_s` for each server in each round."""

    rounds: int
    stage_s: float
    idle_s: float
    starts: int
    streams: int
    pings_s: float


FULL = Length(rounds=5, stage_s=3.0, idle_s=10.0, starts=5, streams=10_000, pings_s=20.0)
QUICK = Length(rounds=2, stage_s=0.8, idle_s=3.0, starts=1, streams=1_000, pings_s=10.0)


@dataclass(frozen=True, slots=True)
class Bar:
    """A limit for a figure of one server, or for how many times better it is than what it stands `beside`."""

    limit: float
    text: str
    of: str = DEV
    most: bool = True
    beside: str = ""

    def allows(self, figure: float) -> bool:
        return figure <= self.limit if self.most else figure >= self.limit


@dataclass(slots=True)
class Row:
    """One measure: its figure for each server, and what was asked of it."""

    name: str
    unit: str
    more_is_better: bool = False
    compared: bool = True
    bars: tuple[Bar, ...] = ()
    later: str = ""
    figures: dict[str, float] = field(default_factory=dict)

    def ratio(self, server: str = DEV, beside: str = PEER) -> float | None:
        """How many times better than a peer."""
        ours, peer = self.figures.get(server), self._peer(beside)
        if not ours or not peer or not self.compared:
            return None
        return ours / peer if self.more_is_better else peer / ours

    def _peer(self, beside: str) -> float | None:
        if beside != BEST:
            return self.figures.get(beside)
        theirs = [figure for name in PEERS if (figure := self.figures.get(name)) and not math.isnan(figure)]
        best = max if self.more_is_better else min
        return best(theirs, default=None)

    def missed(self) -> list[Bar] | None:
        """The bars that are not met; None without one, or without the figures they are about."""
        found = [(bar, figure) for bar in self.bars if (figure := self._figure(bar)) is not None]
        return [bar for bar, figure in found if not bar.allows(figure)] if found else None

    def _figure(self, bar: Bar) -> float | None:
        return self.ratio(bar.of, bar.beside) if bar.beside else self.figures.get(bar.of)


@dataclass(frozen=True, slots=True)
class Load:
    name: str
    scenario: Scenario
    concurrency: int


WAIT = Load("wait", waiting("noop"), 1)
STREAM = {n: Load(f"stream {n}", streaming("noop", ["values"]), n) for n in (1, 10, 100, 500)}
TOKENS = {n: Load(f"tokens {n}", streaming("tokens", ["values", "messages-tuple"]), n) for n in (10, 100)}
ASK = Load("ask", answering("ask"), 1)
TALK = Load("talk", talking("tokens", 20), 10)
LONG = Load("long", going_on("tokens", 400), 1)
LOADS = (WAIT, *STREAM.values(), *TOKENS.values(), ASK, TALK, LONG)

Stages = dict[str, dict[str, list[Stage]]]  # by load, by server, one a round


@dataclass(slots=True)
class Limits:
    """What bounds all figures, once a round: the load client against nothing, the graph in no server."""

    client: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))  # runs/s, at once
    bare: dict[str, list[float]] = field(
        default_factory=lambda: defaultdict(list)
    )  # runs/s, by the way to run


def run_loads(
    started: dict[str, Server], null: Server, length: Length, tell: Callable[[str], None]
) -> tuple[Stages, Limits]:
    """Every load on every server in turn, round after round, so that a busy machine is busy for all alike."""
    stages: Stages = defaultdict(lambda: defaultdict(list))
    limits = Limits()
    names = list(started)
    for name, server in started.items():
        tell(f"warming up {name}")
        for load in LOADS:
            drive(server.port, load.scenario, load.concurrency, length.stage_s / 4)
    for number in range(length.rounds):
        turned = names[number % len(names) :] + names[: number % len(names)]
        for load in LOADS:
            tell(f"round {number + 1} of {length.rounds}: {load.name}")
            for name in turned:
                stage = drive(started[name].port, load.scenario, load.concurrency, length.stage_s)
                stages[load.name][name].append(stage)
        tell(f"round {number + 1} of {length.rounds}: the limits")
        measure_limits(limits, null, length.stage_s / 3)
    return stages, limits


def measure_limits(limits: Limits, null: Server, seconds: float) -> None:
    for concurrency in (1, 100):
        limits.client[concurrency].append(
            drive(null.port, STREAM[concurrency].scenario, concurrency, seconds).rate
        )
    command = [sys.executable, "-m", "bench.bare", str(seconds)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for name, value in json.loads(done.stdout).items():
        limits.bare[name].append(value)


def quantile_ms(stages: Sequence[Stage], of: str, part: float) -> float:
    """Over all rounds' samples together."""
    values = sorted(getattr(sample, of) for stage in stages for sample in stage.fine)
    return 1000 * values[min(len(values) - 1, math.ceil(part * len(values)) - 1)] if values else math.nan


def rate(stages: Sequence[Stage]) -> float:
    return statistics.median(stage.rate for stage in stages)


def latency_rows(stages: Stages) -> Iterator[Row]:
    wait = (
        Bar(6, "<= 6 ms"),
        Bar(150, ">= 150x langgraph dev", most=False, beside=PEER),
        Bar(5, ">= 5x the best peer", most=False, beside=BEST),
    )
    first = Bar(3, "<= 3 ms")
    yield fill(Row("wait p50", "ms", bars=wait), stages["wait"], "total_s", 0.5)
    yield fill(Row("wait p95", "ms"), stages["wait"], "total_s", 0.95)
    yield fill(Row("first event p50", "ms", bars=(first,)), stages["stream 1"], "first_event_s", 0.5)
    yield fill(Row("first event p95", "ms"), stages["stream 1"], "first_event_s", 0.95)
    yield fill(Row("whole stream p50", "ms"), stages["stream 1"], "total_s", 0.5)
    yield fill(Row("whole stream p50, 100 at once", "ms"), stages["stream 100"], "total_s", 0.5)
    yield fill(Row("whole stream p50, 500 at once", "ms"), stages["stream 500"], "total_s", 0.5)
    yield fill(Row("answer to an interrupt p50", "ms"), stages["ask"], "total_s", 0.5)
    yield fill(Row("20 turns, 10 talks at once, p50", "ms"), stages["talk"], "total_s", 0.5)
    yield fill(Row("a run on a thread of 400 messages, p50", "ms"), stages["long"], "total_s", 0.5)


def fill(row: Row, stages: dict[str, list[Stage]], of: str, part: float) -> Row:
    row.figures = {server: quantile_ms(found, of, part) for server, found in stages.items()}
    return row


RATE_BARS: dict[str, tuple[Bar, ...]] = {
    "stream 100": (
        Bar(400, ">= 400 apart", of=APART, most=False),
        Bar(5, ">= 5x the best peer apart", of=APART, most=False, beside=BEST),
    ),
    "tokens 100": (Bar(100, ">= 100 apart", of=APART, most=False),),
}


def rate_rows(stages: Stages) -> Iterator[Row]:
    for what, loads in (("thread + stream", STREAM), ("3 steps, 40 tokens", TOKENS)):
        for concurrency, load in loads.items():
            name, bars = f"{what}, {concurrency} at once", RATE_BARS.get(load.name, ())
            figures = {server: rate(found) for server, found in stages[load.name].items()}
            yield Row(name, "runs/s", more_is_better=True, bars=bars, figures=figures)


def limit_rows(stages: Stages, limits: Limits) -> Iterator[Row]:
    """How far off the limits are, and what the load client took of the processor while it measured."""
    at_100 = stages["stream 100"]
    for name, found in limits.bare.items():
        yield Row(f"bare graph, {name} at once", "runs/s", figures={"one process": statistics.median(found)})
    whole = statistics.median(limits.bare["astream 100"])
    parts = Bar(0.45, ">= 0.45 apart", of=APART, most=False), Bar(0.4, ">= 0.4 dev", most=False)
    row = Row("100 streams, part of bare astream", "", compared=False, bars=parts)
    row.figures = {name: rate(found) / whole for name, found in at_100.items()}
    yield row
    for concurrency, found in limits.client.items():
        figures = {"null server": statistics.median(found)}
        yield Row(f"load client's ceiling, {concurrency} at once", "runs/s", figures=figures)
    row = Row("load client's CPU a run, 100 at once", "ms", compared=False)
    row.figures = {
        server: 1000 * sum(one.client_cpu_s for one in found) / max(1, sum(len(one.fine) for one in found))
        for server, found in at_100.items()
    }
    yield row
