"""The rows of the report, and what is asked of them."""

import statistics
from collections.abc import Iterator, Mapping

from bench.checkpointer.entries import ALONE, HOLDFAST, MEMORY, POSTGRES, REDIS, TCP
from bench.checkpointer.rounds import CENTER, Found
from bench.measures import Bar, Row
from bench.report import Layout

LAYOUT = Layout(
    (HOLDFAST, TCP, ALONE, REDIS, POSTGRES, MEMORY),
    {"than langgraph-redis": (HOLDFAST, REDIS), "than in memory": (HOLDFAST, MEMORY)},
)

MB = 1.4


def times_better(times: float, than: str = REDIS) -> Bar:
    return Bar(times, f">= {times:g}x {than}", of=HOLDFAST, most=False, beside=than)


def rows(found: Found) -> Iterator[Row]:
    p50 = {measure: medians(each) for measure, each in found.samples.items()}
    beyond = {name: 1e6 * (p50["change"][name] - p50["encoding"][name]) for name in p50["change"]}
    messages = 4 * CENTER
    yield milliseconds("put of a 4 kB change p50", p50["change"], times_better(4))
    yield Row("the same beyond encoding", "µs", bars=(Bar(200, "<= 200 µs", of=HOLDFAST),), figures=beyond)
    pings = {name: 1e6 * value for name, value in p50["ping"].items()}
    yield Row("a PING of a blocking client p50", "µs", compared=False, figures=pings)
    yield milliseconds(f"put at {messages} messages p50", p50["put"], times_better(4))
    get = Bar(1 / 2.1, "<= 2.1x in memory", of=HOLDFAST, most=False, beside=MEMORY)
    yield milliseconds(f"get at {messages} messages p50", p50["get"], get)
    yield milliseconds(f"list of 10 at {messages} messages p50", p50["list"], times_better(30))
    yield milliseconds(f"turn {CENTER}, own CPU p50", p50["cpu"], times_better(4))
    yield milliseconds(f"turn {CENTER}, from call to end p50", p50["turn"])
    for turns, sizes in found.keys.items():
        bars = (Bar(MB, f"<= {MB} MB", of=HOLDFAST),) if turns == CENTER else ()
        yield Row(f"keys of a talk of {turns:,} turns", "MB", bars=bars, figures=sizes)
    added = {name: size for name, size in found.added.items() if size}
    bar = Bar(MB, f"<= {MB} MB", of=HOLDFAST)
    yield Row(f"what {CENTER} turns add to the store", "MB", bars=(bar,), figures=added)


def medians(samples: Mapping[str, list[float]]) -> dict[str, float]:
    return {name: statistics.median(each) for name, each in samples.items()}


def milliseconds(name: str, seconds: Mapping[str, float], *bars: Bar) -> Row:
    return Row(name, "ms", bars=bars, figures={each: 1000 * value for each, value in seconds.items()})
