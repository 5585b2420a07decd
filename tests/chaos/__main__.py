"""Kills, stops, floods and wears out the platform, and judges by what really happened: `make chaos`."""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.chaos.crowd import crowd
from tests.chaos.deaf import deaf
from tests.chaos.failpoints import failpoints
from tests.chaos.idle import idle
from tests.chaos.killing import chaos
from tests.chaos.limits import limits
from tests.chaos.overload import overload
from tests.chaos.races import races
from tests.chaos.reconnects import reconnects
from tests.chaos.refunds import refunds
from tests.chaos.rolling import rolling
from tests.chaos.sites import Report
from tests.chaos.soak import soak
from tests.chaos.takeovers import takeovers
from tests.chaos.zombies import zombies
from tests.chaos.zygote import Zygote, zygote
from tests.fuzz.fuzzing import fuzz
from tests.logs.leaks import leaks

SCENARIOS: dict[str, Callable[[Zygote, Path, float], Awaitable[Report]]] = {
    "chaos": chaos,
    "zombies": zombies,
    "takeovers": takeovers,
    "refunds": refunds,
    "races": races,
    "failpoints": failpoints,
    "rolling": rolling,
    "overload": overload,
    "limits": limits,
    "soak": soak,
    "reconnects": reconnects,
    "idle": idle,
    "deaf": deaf,
    "crowd": crowd,
    "leaks": leaks,
    "fuzz": fuzz,
}
SHOWN = 20


async def play(names: Sequence[str], share: float) -> int:
    failed = 0
    for name in names:
        started = time.monotonic()
        with TemporaryDirectory(prefix="chaos-") as folder:
            async with zygote(Path(folder)) as parent:
                report = await attempt(name, parent, Path(folder), share)
        print_report(name, report, time.monotonic() - started)
        failed += bool(report.problems)
    return failed


async def attempt(name: str, parent: Zygote, folder: Path, share: float) -> Report:
    try:
        return await SCENARIOS[name](parent, folder, share)
    except (pytest.skip.Exception, pytest.fail.Exception) as reason:  # a program is missing
        return Report(problems=[str(reason)])


def print_report(name: str, report: Report, seconds: float) -> None:
    lines = [f"{name}  ({seconds:.0f} s)", *(f"  {key}: {value}" for key, value in report.figures.items())]
    lines += [f"  WRONG  {problem}" for problem in report.problems[:SHOWN]]
    lines.append(f"  {len(report.problems)} problems" if report.problems else "  nothing wrong")
    sys.stdout.write("\n".join(lines) + "\n\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("scenarios", nargs="*", help=f"some of: {', '.join(SCENARIOS)}; all without a name")
    parser.add_argument("--share", type=float, default=1.0, help="of the full counts, such as 0.05")
    asked = parser.parse_args()
    if unknown := set(asked.scenarios) - set(SCENARIOS):
        parser.error(f"there is no {', '.join(sorted(unknown))}: choose of {', '.join(SCENARIOS)}")
    return int(asyncio.run(play(asked.scenarios or list(SCENARIOS), asked.share)) > 0)


if __name__ == "__main__":
    sys.exit(main())
