"""What commands for operators share: the platform behind servers that run, and how things are shown."""

import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.cells import cell_len, set_cell_size

from holdfast.cli import processes
from holdfast.cli.chat_screen import Screen, one_line, terminal
from holdfast.core.platform import Platform
from holdfast.errors import StartError
from holdfast.redis.embedded import running_on
from holdfast.settings import Settings

CONFIG = Path("langgraph.json")
TENANT = "default"
Config = Annotated[Path, typer.Option(help="The project's langgraph.json")]
Tenant = Annotated[str, typer.Option(help="Of which tenant")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask")]

Work = Callable[[Platform, Screen], Coroutine[Any, Any, None]]


def operate(config: Path, work: Work) -> None:
    """Does something on the Redis that the servers share. Raises `StartError` when there is none."""
    processes.run(working, config, work)


async def working(settings: Settings, config: Path, work: Work) -> None:
    screen, _ = terminal()
    async with processes.opened(settings, config, find_redis(settings)) as (platform, _):
        await work(platform, screen)


def find_redis(settings: Settings) -> str:
    """The server of REDIS_URL; without it the one that a `holdfast dev` runs on the data folder."""
    url = settings.redis_url or running_on(settings.data)
    if url is None:
        raise StartError(
            f"No Holdfast runs on {settings.data}: start one with `holdfast dev`, or set REDIS_URL to the "
            "Redis that keeps the threads."
        )
    return url


def confirm(question: str, *, yes: bool) -> None:
    """Raises `StartError` when the answer is no, or when there is nobody to ask."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise StartError("This cannot be undone and nobody is here to confirm it: add --yes.")
    if not typer.confirm(question):
        raise StartError("Nothing was erased.")


def columns(rows: Sequence[Sequence[object]]) -> list[str]:
    """Lines in which the cells stand under each other; never wrapped, so that programs can read them."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(map(set_cell_size, row, widths)) for row in cells)
    return [line.rstrip() for line in lines]


def show(screen: Screen, rows: Sequence[Sequence[object]], title: str = "") -> None:
    if title:
        screen.line(title, "bold")
    for line in columns(rows) if rows else ():
        screen.line(f"  {line}" if title else line)


def show_counts(screen: Screen, counts: Mapping[str, int], title: str) -> None:
    if counts:
        show(screen, [(kind.replace("_", " "), count) for kind, count in counts.items()], title)


def shown(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")
