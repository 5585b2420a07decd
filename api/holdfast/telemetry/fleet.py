"""The figures of a fleet."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is the same whichever process is asked, because it is read from Redis."""

    depth: int
    oldest_s: float
    running: int
    unfinished: int
    approvals: Mapping[str, int]  # by age
    letters: int
    dead_letters: int
