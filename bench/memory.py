"""What a tree of processes holds in memory, from /proc: Linux only."""

import math
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = defaultdict(list)
    for stat in PROC.glob("[0-9]*/stat"):
        try:
            # the name, in brackets, may hold anything; the parent is the second field after it
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended meanwhile
        children[parent].append(int(stat.parent.name))
    return list(_walk(pid, children))


def _walk(pid: int, children: dict[int, list[int]]) -> Iterator[int]:
    yield pid
    for child in children[pid]:
        yield from _walk(child, children)


def rss_mb(pid: int) -> float:
    """The resident set size of one process, in 10^6 bytes; NaN where there is no /proc."""
    if not PROC.is_dir():
        return math.nan
    pages = int((PROC / str(pid) / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def pss_mb(pid: int) -> float | None:
    """The proportional set size of a process and all below it, in 10^6 bytes; None where /proc has none."""
    total = 0
    for each in tree(pid) if PROC.is_dir() else ():
        try:
            found = PSS.search((PROC / str(each) / "smaps_rollup").read_text())
        except OSError:
            return None
        total += int(found[1]) if found else 0
    return total * 1024 / 1e6 if total else None
