"""The command: starts the servers, loads them in turn, prints what came of it.

It judges, and exits with 0 all the same: a benchmark is not a test.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console

from bench import decisions, measures, peer, rest, servers, streams
from bench.measures import APART, DEV, FULL, PEER, QUICK, Length, Row, Stages
from bench.report import describe, machine, show
from bench.rest import made
from bench.servers import ROOT

CACHE = ROOT / ".cache" / "bench-peer"

console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
progress = Console(stderr=True, highlight=False)


def main(
    quick: Annotated[
        bool, typer.Option("--quick", help="About three minutes instead of about twelve")
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here too")] = None,
    peer_folder: Annotated[Path, typer.Option("--peer", help="Where the peer is installed")] = CACHE,
) -> None:
    """Measure Holdfast beside `langgraph dev` on the same graphs, in one run."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that no server stays behind
    found = machine()
    program = find_peer(peer_folder, found)
    with TemporaryDirectory(prefix="hf-", ignore_cleanup_errors=True) as folder:
        try:
            rows, failed = measure(Path(folder), program, QUICK if quick else FULL)
        except servers.NotReady as reason:
            sys.exit(f"bench: {reason}")
    found["load_after"] = [round(one, 2) for one in os.getloadavg()]
    console.print(
        f"{found['cores']} cores ({found['processor']}), {found['memory_gb']} GB, Python {found['python']}; "
        f"load before {found['load_before'][0]}, after {found['load_after'][0]}\n{versions(found)}\n"
    )
    show(console, rows)
    for name, count in failed.items():
        console.print(f"{count} runs on {name} did not end as they should")
    if json_file:
        json_file.write_text(
            json.dumps({**found, "failed": failed, "rows": [*map(describe, rows)]}, indent=1)
        )


def find_peer(folder: Path, found: dict[str, Any]) -> Path | None:
    try:
        program = peer.program(folder)
        found["peer"] = peer.versions(folder)
    except peer.NoPeer as reason:
        console.print(f"`langgraph dev` cannot be installed, so there is nothing to compare with: {reason}")
        return None
    return program


def versions(found: dict[str, Any]) -> str:
    ours = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    theirs = ", ".join(f"{name} {version}" for name, version in found.get("peer", {}).items())
    return f"ours: {ours}" + (f"\npeer: {theirs}" if theirs else "")


def measure(folder: Path, program: Path | None, length: Length) -> tuple[list[Row], dict[str, int]]:
    """The rows of the report, and how many runs failed on which server."""
    with ExitStack() as stack:
        progress.print("starting the servers")
        started = {
            DEV: stack.enter_context(servers.holdfast_dev(made(folder / "dev"))),
            APART: stack.enter_context(servers.holdfast_apart(made(folder / "apart"))),
        }
        if program:
            started[PEER] = stack.enter_context(servers.langgraph_dev(made(folder / "peer"), program))
        null = stack.enter_context(servers.null(made(folder / "null")))
        stages, limits = measures.run_loads(started, null, length, progress.print)
    progress.print("starts, memory, an idle worker, idle streams")
    rows = [
        *loaded_rows(stages),
        *resting_rows(folder, program, length),
        *measures.limit_rows(stages, limits),
    ]
    return rows, {name: count for name, count in failures(stages) if count}


def loaded_rows(stages: Stages) -> Iterator[Row]:
    yield from measures.latency_rows(stages)
    yield from measures.rate_rows(stages)


def resting_rows(folder: Path, program: Path | None, length: Length) -> Iterator[Row]:
    yield from rest.start_rows(folder / "starts", program, length)
    yield rest.idle_row(made(folder / "idle"), length)
    yield from streams.way_rows(made(folder / "way"), length)
    yield from decisions.decision_rows(made(folder / "decisions"), length)
    yield from streams.idle_rows(made(folder / "streams"), length)


def failures(stages: Stages) -> Iterator[tuple[str, int]]:
    for name in (DEV, APART, PEER):
        yield name, sum(stage.failed for load in stages.values() for stage in load.get(name, ()))


if __name__ == "__main__":
    typer.run(main)
