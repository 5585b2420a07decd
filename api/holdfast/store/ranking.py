"""How near vectors are to a query: exact cosine, by numpy where it is installed."""

import importlib
import importlib.util
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from math import fsum, sqrt
from operator import mul
from typing import Any

from holdfast.store.index import FLOAT

# Scores are per item: each has one vector or several of the query's length, and is as near as its nearest.
Scores = list[float | None]


def rank(query: bytes, packed: Sequence[bytes]) -> Scores:
    """None stands for an item whose vectors are of another length: embedded before that was changed."""
    score: Callable[[bytes, Sequence[bytes]], list[float]] = (
        score_by_numpy if importlib.util.find_spec("numpy") else score_plainly
    )
    fitting = [bool(one) and len(one) % len(query) == 0 for one in packed]
    scored = iter(score(query, [one for one, fits in zip(packed, fitting, strict=True) if fits]))
    return [next(scored) if fits else None for fits in fitting]


def score_by_numpy(query: bytes, packed: Sequence[bytes]) -> list[float]:
    # By name, because it takes a tenth of a second to load and most processes never need it.
    numpy: Any = importlib.import_module("numpy")
    wanted = numpy.frombuffer(query, dtype=numpy.float32)
    rows = numpy.frombuffer(b"".join(packed), dtype=numpy.float32).reshape(-1, len(wanted))
    lengths = numpy.linalg.norm(rows, axis=1) * numpy.linalg.norm(wanted)
    dots = rows @ wanted
    cosines = numpy.divide(dots, lengths, out=numpy.zeros_like(dots), where=lengths > 0)
    return nearest(cosines.tolist(), [len(one) // len(query) for one in packed])


def score_plainly(query: bytes, packed: Sequence[bytes]) -> list[float]:
    wanted = array(FLOAT, query)
    rows = array(FLOAT, b"".join(packed))
    starts = range(0, len(rows), len(wanted))
    cosines = [cosine(wanted, rows[start : start + len(wanted)]) for start in starts]
    return nearest(cosines, [len(one) // len(query) for one in packed])


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    lengths = sqrt(dot(one, one) * dot(other, other))
    return dot(one, other) / lengths if lengths else 0.0


def dot(one: Iterable[float], other: Iterable[float]) -> float:
    return fsum(map(mul, one, other))


def nearest(cosines: Sequence[float], counts: Iterable[int]) -> list[float]:
    """The highest of each item's cosines, which stand one after the other."""
    left = iter(cosines)
    return [max(islice(left, count)) for count in counts]
