"""Metrics in Prometheus' form: what a process counts of its own work, and what it reads of all of them."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Lock
from typing import TypeVar

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from holdfast.telemetry.fleet import Fleet
from holdfast.telemetry.recorder import Recorder
from holdfast.telemetry.tallies import Counts, Times

Made = TypeVar("Made", Counts, Times)

RUN_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
WAIT_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
ANSWER_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)
REDIS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2)

# Anybody may send any word for a method: each would be a series of its own.
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET"))
OTHER = "other"

# Several who look at once, or one after the other, are told the same.
FLEET_KEEP_S = 1.0


class Metrics(Recorder):
    """The metrics of one process, in a registry of their own."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._gauge("build_info", "The version that runs.", "version").labels(version).set(1)
        self._claims = self._counter("claims", "Runs that were claimed.", "graph")
        self._waits = self._histogram(
            "queue_wait_seconds", "How long runs waited for a worker.", WAIT_S, "graph"
        )
        self._attempts = self._counter("attempts", "Attempts at runs, by how they ended.", "graph", "ending")
        self._runs = self._counter("runs", "Runs that ended, by their outcome.", "graph", "status")
        self._given_up = self._counter("runs_given_up", "Runs that ended too many workers.", "graph")
        self._durations = self._histogram(
            "run_duration_seconds", "How long runs took, from their claim.", RUN_S, "graph"
        )
        self._first_tokens = self._histogram(
            "time_to_first_token_seconds", "From the request for a run to its first text.", RUN_S, "graph"
        )
        self._first_events = self._histogram(
            "time_to_first_event_seconds", "From the request to the first event of a new run.", WAIT_S
        )
        self._losses = self._counter("lease_losses", "Claims that ended before their runs.")
        self._refusals = self._counter(
            "fenced_writes_refused", "Writes that came after the thread was another's.", "write"
        )
        self._answers = self._histogram(
            "http_request_seconds",
            "From a request to its answer's begin.",
            ANSWER_S,
            "method",
            "route",
            "status",
        )
        self._decisions = self._counter("approval_decisions", "Decisions on approvals.", "outcome")
        self._letters = self._counter("webhook_deliveries", "Attempts to tell webhooks.", "outcome")
        self._round_trips = self._histogram(
            "redis_round_trip_seconds", "How long Redis took to answer.", REDIS_S
        )
        self._commands = self._counter("redis_commands", "Commands and scripts sent to Redis.")
        self._failures = self._counter("redis_failures", "Commands that Redis did not carry out.", "reason")
        self._streams = self._gauge("open_streams", "Streams that are open.", "kind")
        self._running = self._gauge("worker_runs", "Runs that this worker has.")
        self._slots = self._gauge("worker_slots", "Runs that this worker may have at once.")

    def _counter(self, name: str, what: str, *labels: str) -> Counts:
        return self._registered(Counts(f"holdfast_{name}", what, labels))

    def _histogram(self, name: str, what: str, bounds: Sequence[float], *labels: str) -> Times:
        return self._registered(Times(f"holdfast_{name}", what, bounds, labels))

    def _registered(self, made: Made) -> Made:
        self.registry.register(made)
        return made

    def _gauge(self, name: str, what: str, *labels: str) -> Gauge:
        return Gauge(f"holdfast_{name}", what, labels, registry=self.registry)

    def read_fleet(self, read: Callable[[], Fleet | None]) -> None:
        """Asks `read` at each scrape, at most once a second; it says None when Redis cannot be asked."""
        self.registry.register(FleetCollector(read))

    def watch_loop(self, delay: Callable[[], float]) -> None:
        """Asks at each scrape how long the event loop takes to answer."""
        self._gauge("event_loop_delay_seconds", "How long the event loop took to answer.").set_function(delay)

    # as Recorder has them

    def claimed(self, graph_id: str, waited_s: float | None) -> None:
        self._claims.add(graph_id)
        if waited_s is not None:
            self._waits.add(waited_s, graph_id)

    def attempt_over(self, graph_id: str, ending: str) -> None:
        self._attempts.add(graph_id, ending)

    def run_ended(self, graph_id: str, status: str, took_s: float, first_token_s: float | None) -> None:
        self._runs.add(graph_id, status)
        self._durations.add(took_s, graph_id)
        if first_token_s is not None:
            self._first_tokens.add(first_token_s, graph_id)

    def run_given_up(self, graph_id: str) -> None:
        self._given_up.add(graph_id)

    def lease_lost(self) -> None:
        self._losses.add()

    def write_refused(self, script: str) -> None:
        self._refusals.add(script)

    def watch_worker(self, running: Callable[[], int], slots: int) -> None:
        self._running.set_function(running)
        self._slots.set(slots)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        self._answers.add(seconds, method if method in METHODS else OTHER, route, f"{status // 100}xx")

    def stream_began(self, seconds: float) -> None:
        self._first_events.add(seconds)

    def watch_streams(self, kind: str, count: Callable[[], int]) -> None:
        self._streams.labels(kind).set_function(count)

    def decided(self, outcome: str) -> None:
        self._decisions.add(outcome)

    def letter_tried(self, outcome: str) -> None:
        self._letters.add(outcome)

    def redis_answered(self, seconds: float, commands: int) -> None:
        self._round_trips.add(seconds)
        self._commands.add(number=commands)

    def redis_failed(self, reason: str) -> None:
        self._failures.add(reason)


class FleetCollector(Collector):
    """Figures that any process tells alike; without them, that Redis is away."""

    def __init__(self, read: Callable[[], Fleet | None]) -> None:
        self._read = read
        self._lock = Lock()
        self._known: Fleet | None = None
        self._until = 0.0

    def describe(self) -> Iterable[Metric]:
        return [up(known=False), *figures(Fleet(0, 0, 0, 0, {}, 0, 0))]

    def collect(self) -> Iterator[Metric]:
        known = self._newest()
        yield up(known=known is not None)
        if known is not None:
            yield from figures(known)

    def _newest(self) -> Fleet | None:
        with self._lock:
            if time.monotonic() >= self._until:
                self._known = self._read()
                self._until = time.monotonic() + FLEET_KEEP_S
            return self._known


def up(*, known: bool) -> Metric:
    return gauge("redis_up", "Whether Redis told the figures of all processes.", known)


def figures(fleet: Fleet) -> Iterator[Metric]:
    yield gauge("queue_depth", "Threads whose next run waits for a worker.", fleet.depth)
    yield gauge("queue_oldest_seconds", "How long the oldest of them has waited.", fleet.oldest_s)
    yield gauge("runs_running", "Runs that workers have.", fleet.running)
    yield gauge("runs_unfinished", "Runs that have not ended, whatever they wait for.", fleet.unfinished)
    yield gauge("webhooks_waiting", "Letters to webhooks that are to be delivered.", fleet.letters)
    yield gauge("dead_letters", "Letters to webhooks that were given up.", fleet.dead_letters)
    ages = GaugeMetricFamily("holdfast_approvals_open", "Approvals that wait, by age.", labels=["age"])
    for age, number in fleet.approvals.items():
        ages.add_metric([age], number)
    yield ages


def gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(f"holdfast_{name}", what, value)
