"""What is measured: every saver in turn, round after round, so that a busy machine is busy for all alike."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from bench.checkpointer import stores
from bench.checkpointer.entries import HOLDFAST, Contestant

CENTER = 100  # the turn at which a talk is measured
PINGS = 20
WARM_UP = 3  # turns
CALLS = {"gets": 8, "lists": 3, "puts": 15, "changes": 400}  # in a round


@dataclass(frozen=True, slots=True)
class Length:
    """How thorough a run is; `around` turns before and after the hundredth are measured one by one."""

    rounds: int
    around: int
    longest: int


FULL = Length(rounds=12, around=10, longest=1_000)
QUICK = Length(rounds=3, around=4, longest=CENTER)
WEIGHED = (25, 50, CENTER)


@dataclass(slots=True)
class Found:
    """Samples in seconds by measure and saver; sizes in 10^6 bytes by turns and saver."""

    samples: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    keys: dict[int, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    added: dict[str, float] = field(default_factory=dict)

    def ping(self, one: Contestant) -> None:
        """How long a round trip takes at least, on this machine and at this moment."""
        if one.entry.has_keys:
            self.samples["ping"][one.entry.name] += stores.pings(one.url, PINGS)

    def take(self, one: Contestant, what: str, times: int) -> None:
        for measure, seconds in one.ask(what, times).items():
            self.samples[measure][one.entry.name] += seconds


def run(contestants: Sequence[Contestant], length: Length, tell: Callable[[str], None]) -> Found:
    found = Found()
    before = CENTER - length.around
    for one in contestants:
        tell(f"a talk of {before} turns: {one.entry.name}")
        one.ask("warm_up", WARM_UP)
        found.added[one.entry.name] = -(one.size_mb() or 0)
        grow(one, before, found)
    tell(f"turns {before + 1} to {CENTER}")
    single_turns(contestants, length.around, found)
    for one in contestants:
        found.added[one.entry.name] += one.size_mb() or 0
        weigh(one, CENTER, found)
    for number in range(length.rounds):
        for what, times in CALLS.items():
            tell(f"round {number + 1} of {length.rounds}: {what}")
            for one in turned(contestants, number):
                found.take(one, what, times)
                found.ping(one)
    tell(f"turns {CENTER + 1} to {CENTER + length.around}")
    single_turns(contestants, length.around, found)
    if length.longest > CENTER:
        tell(f"a talk of {length.longest} turns: {HOLDFAST}")
        for one in contestants:
            if one.entry.name == HOLDFAST:
                one.ask("turns", length.longest - CENTER - length.around)
                weigh(one, length.longest, found)
    return found


def grow(one: Contestant, turns: int, found: Found) -> None:
    """Lets the talk of a new saver come to this many turns, and weighs it on the way."""
    done = 0
    for stop in (*(each for each in WEIGHED if each < turns), turns):
        one.ask("turns", stop - done)
        done = stop
        if stop in WEIGHED:
            weigh(one, stop, found)


def single_turns(contestants: Sequence[Contestant], count: int, found: Found) -> None:
    for number in range(count):
        for one in turned(contestants, number):
            found.take(one, "turns", 1)


def turned(contestants: Sequence[Contestant], number: int) -> Iterator[Contestant]:
    """All of them, a different one first each time."""
    first = number % len(contestants)
    yield from (*contestants[first:], *contestants[:first])


def weigh(one: Contestant, turns: int, found: Found) -> None:
    if one.entry.has_keys:
        found.keys[turns][one.entry.name] = stores.keys_mb(one.url, one.talk)
