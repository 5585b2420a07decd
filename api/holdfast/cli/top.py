"""`holdfast top`: a server at work, looked at again and again."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Annotated

import typer
from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from holdfast.cli.chat_screen import Screen, one_line
from holdfast.cli.operators import show, shown
from holdfast.cli.run_views import age, name, since
from holdfast.cli.servers import AsJson, Calls, Server, ask, with_server, write
from holdfast.wire.operations import LaneDepth, Operations

BUSIEST = 8  # lanes that are shown
FIGURES = ("queued", "running", "failed", "given up", "approvals", "overdue", "next due", "streams")
REDIS = ("server", "memory", "most", "commands/s", "clients", "answer")
RUNS = ("run", "graph", "node", "attempt", "age", "worker")
BYTES = ("B", "KB", "MB", "GB", "TB")

Section = tuple[str, Sequence[Sequence[object]]]  # a title, and a table with its heads


@with_server
def top(
    server: Server,
    once: Annotated[bool, typer.Option("--once", help="Show it once, for scripts")] = False,
    interval: Annotated[float, typer.Option(help="Seconds between two looks", min=0.5, max=60)] = 2.0,
    json: AsJson = False,
) -> None:
    """Show a server at work, until Ctrl-C: queue, runs, workers, approvals, Redis."""
    look = partial(look_once, json) if once or json else partial(keep_looking, interval)
    with suppress(KeyboardInterrupt):
        ask(server, look)


async def look_once(json: bool, server: Calls, screen: Screen) -> None:
    found = await server.get("/operations", Operations)
    if json:
        write(screen, found)
        return
    for title, rows in sections(found):
        show(screen, rows, title)


async def keep_looking(interval_s: float, server: Calls, _screen: Screen) -> None:
    console = Console(highlight=False, markup=False, emoji=False)
    with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
        while True:
            live.update(page(await server.get("/operations", Operations)), refresh=True)
            await asyncio.sleep(interval_s)


def page(found: Operations) -> Group:
    parts: list[Text | Table] = []
    for title, (heads, *rows) in sections(found):
        table = Table(box=box.SIMPLE_HEAD, title=Text(title, "bold"), title_justify="left", pad_edge=False)
        for head in heads:
            table.add_column(one_line(head), no_wrap=True, overflow="ellipsis")
        for row in rows:
            table.add_row(*(Text(one_line(cell)) for cell in row))
        parts.append(table)
    return Group(*parts)


def sections(found: Operations) -> Iterator[Section]:
    yield f"holdfast at {shown(found.at)} UTC", [FIGURES, figures(found)]
    yield "redis", [REDIS, redis(found)]
    yield f"lanes ({len(found.lanes)})", [tuple(LaneDepth.model_fields), *map(depths, busiest(found.lanes))]
    workers = [(one.name, one.runs, f"{one.silent_ms / 1000:.1f}s") for one in found.workers]
    yield f"workers ({len(workers)})", [("worker", "runs", "silent"), *workers]
    runs = [
        (name(run), run.graph_id, run.node or "", run.attempt, age(since(run)), run.worker or "")
        for run in found.runs
    ]
    yield f"at work (the first {len(runs)} of {found.running})", [RUNS, *runs]


def figures(found: Operations) -> tuple[object, ...]:
    waiting = found.approvals
    due = shown(waiting.next_due) if waiting.next_due else ""
    counts = (found.queued, found.running, found.failed, found.given_up)
    return (*counts, waiting.open, waiting.overdue, due, found.streams)


def redis(found: Operations) -> tuple[object, ...]:
    load = found.redis
    most = size(load.max_bytes) if load.max_bytes else "no limit"
    return (
        load.server,
        size(load.used_bytes),
        most,
        load.commands_per_s,
        load.clients,
        f"{load.answer_ms} ms",
    )


def busiest(lanes: list[LaneDepth]) -> list[LaneDepth]:
    """Those with most runs, in their order."""
    chosen = sorted(lanes, key=lambda one: one.runs, reverse=True)[:BUSIEST]
    return sorted(chosen, key=lambda one: one.lane)


def depths(lane: LaneDepth) -> tuple[object, ...]:
    return tuple(lane.model_dump().values())


def size(count: float) -> str:
    for unit in BYTES[:-1]:
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} {BYTES[-1]}"
