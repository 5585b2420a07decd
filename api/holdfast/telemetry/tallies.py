"""Counters and histograms as light as can be, in Prometheus' form once somebody asks.

Those of Prometheus' client take five times as long: they may be used from any thread, and every run would pay
for it. These are for one event loop; a scrape on another thread reads them as they are.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Counts(Collector):
    """A counter, with a count for each of the values that its labels have had."""

    def __init__(self, name: str, what: str, labels: Sequence[str]) -> None:
        self._name, self._what, self._labels = name, what, labels
        self._counts: defaultdict[tuple[str, ...], float] = defaultdict(float)
        if not labels:
            self._counts[()] = 0.0

    def add(self, *values: str, number: float = 1.0) -> None:
        self._counts[values] += number

    def describe(self) -> Iterable[Metric]:
        return [CounterMetricFamily(self._name, self._what, labels=self._labels)]

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(self._name, self._what, labels=self._labels)
        for values, number in list(self._counts.items()):
            family.add_metric(values, number)
        yield family


class Times(Collector):
    """A histogram of seconds, likewise."""

    def __init__(self, name: str, what: str, bounds: Sequence[float], labels: Sequence[str]) -> None:
        self._name, self._what, self._bounds, self._labels = name, what, bounds, labels
        self._names = [*map(floatToGoString, bounds), "+Inf"]
        self._rows: dict[tuple[str, ...], list[float]] = {}  # for each bound how many, and last their sum
        if not labels:
            self._new(())

    def _new(self, values: tuple[str, ...]) -> list[float]:
        row = self._rows[values] = [0.0] * (len(self._names) + 1)
        return row

    def add(self, seconds: float, *values: str) -> None:
        row = self._rows.get(values) or self._new(values)
        row[bisect_left(self._bounds, seconds)] += 1
        row[-1] += seconds

    def describe(self) -> Iterable[Metric]:
        return [HistogramMetricFamily(self._name, self._what, labels=self._labels)]

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(self._name, self._what, labels=self._labels)
        for values, row in list(self._rows.items()):
            *counts, total = row
            family.add_metric(values, list(zip(self._names, accumulate(counts), strict=True)), total)
        yield family
