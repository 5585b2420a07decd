"""The command: starts the servers, loads them in turn, prints what came of it.

It judges, and exits with 0 all the same: a benchmark is not a test.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console

from bench import conversations, decisions, failover, measures, rest, scaling, servers, streams
from bench.measures import APART, DEV, FULL, PEERS, QUICK, Length, Row, Stages
from bench.peers import Peers, find_peers
from bench.plot import plot
from bench.report import describe, machine, markdown, show
from bench.rest import made

console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
progress = Console(stderr=True, highlight=False)


def main(
    quick: Annotated[
        bool, typer.Option("--quick", help="About three minutes instead of about twelve")
    ] = False,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the figures as JSON and Markdown and a plot of them")
    ] = None,
) -> None:
    """Measure Holdfast beside its peers on the same graphs, in one run."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that no server stays behind
    found = machine()
    peers = find_peers(console.print)
    found["peers"] = {name: peer.kind.versions() for name, peer in peers.items()}
    with TemporaryDirectory(prefix="hf-", ignore_cleanup_errors=True) as folder:
        try:
            rows, failed = measure(Path(folder), peers, QUICK if quick else FULL)
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
    if output:
        write(output, found, failed, rows)


def write(output: Path, found: dict[str, Any], failed: dict[str, int], rows: Sequence[Row]) -> None:
    output.mkdir(parents=True, exist_ok=True)
    figures = {**found, "failed": failed, "rows": [*map(describe, rows)]}
    (output / "figures.json").write_text(json.dumps(figures, indent=1))
    (output / "figures.md").write_text(markdown(rows))
    plot(rows, output / "figures.png")


def versions(found: dict[str, Any]) -> str:
    told = {"ours": found["versions"], **found["peers"]}
    return "\n".join(
        f"{whose}: " + ", ".join(f"{name} {version}" for name, version in packages.items())
        for whose, packages in told.items()
    )


def measure(folder: Path, peers: Peers, length: Length) -> tuple[list[Row], dict[str, int]]:
    """The rows of the report, and how many runs failed on which server."""
    with ExitStack() as stack:
        progress.print("starting the servers")
        started = {
            DEV: stack.enter_context(servers.holdfast_dev(made(folder / "dev"))),
            APART: stack.enter_context(servers.holdfast_apart(made(folder / "apart"))),
        }
        for name, peer in peers.items():
            started[name] = stack.enter_context(peer.start(made(folder / name)))
        null = stack.enter_context(servers.null(made(folder / "null")))
        stages, limits = measures.run_loads(started, null, length, progress.print)
    progress.print("starts, memory, an idle worker, idle streams, a killed worker, more workers")
    rows = [
        *loaded_rows(stages),
        *resting_rows(folder, peers, length),
        *measures.limit_rows(stages, limits),
    ]
    return rows, {name: count for name, count in failures(stages) if count}


def loaded_rows(stages: Stages) -> Iterator[Row]:
    yield from measures.latency_rows(stages)
    yield from measures.rate_rows(stages)


def resting_rows(folder: Path, peers: Peers, length: Length) -> Iterator[Row]:
    yield from rest.start_rows(folder / "starts", peers, length)
    yield rest.idle_row(made(folder / "idle"), length)
    yield from streams.way_rows(made(folder / "way"), length)
    yield from decisions.decision_rows(made(folder / "decisions"), length)
    yield from streams.idle_rows(made(folder / "streams"), length)
    yield failover.failover_row(made(folder / "failover"), length)
    yield scaling.scaling_row(made(folder / "scaling"), length)
    yield from conversations.size_rows(made(folder / "conversation"))


def failures(stages: Stages) -> Iterator[tuple[str, int]]:
    for name in (DEV, APART, *PEERS):
        yield name, sum(stage.failed for load in stages.values() for stage in load.get(name, ()))


if __name__ == "__main__":
    typer.run(main)
