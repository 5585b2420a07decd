"""`holdfast doctor`: what keeps Holdfast from working here, or will."""

import asyncio
from pathlib import Path
from typing import Annotated

import orjson
import typer

from holdfast.cli.chat_screen import Screen, terminal
from holdfast.cli.doctor import machine, project, redis, server
from holdfast.cli.doctor.findings import Finding, Level, fail, failed, ok
from holdfast.cli.operators import CONFIG, Config, columns
from holdfast.cli.processes import prepare
from holdfast.cli.servers import ApiKey, Server, Token
from holdfast.errors import HoldfastError

STYLES: dict[Level, str] = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(
    config: Config = CONFIG,
    host: Annotated[str, typer.Option(help="Address that a server is to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Its port", min=0, max=65535)] = 8123,
    url: Annotated[
        str | None,
        typer.Option(help="A server to look at from outside", envvar="HOLDFAST_URL", show_envvar=True),
    ] = None,
    api_key: ApiKey = None,
    token: Token = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON")] = False,
) -> None:
    """Look at settings, machine, Redis, project and, with --url, a server; exit code 1 if something fails."""
    found = asyncio.run(examine(config, host, port, Server(url, api_key, token) if url else None))
    screen, _ = terminal()
    if json:
        screen.line(orjson.dumps([one._asdict() for one in found], option=orjson.OPT_INDENT_2).decode())
    else:
        show(screen, found)
    raise typer.Exit(1 if failed(found) else 0)


async def examine(config: Path, host: str, port: int, deployed: Server | None) -> list[Finding]:
    try:
        settings = prepare(config)
    except HoldfastError as error:
        found = [fail("settings", error.detail)]
    else:
        found = [
            ok("settings", "as the environment and .env say"),
            *await machine.examine(settings, host, port),
            *await redis.examine(settings),
            *await project.examine(config),
        ]
    return [*found, *await server.examine(deployed)] if deployed else found


def show(screen: Screen, found: list[Finding]) -> None:
    rows = [(one.level, one.check, one.detail) for one in found]
    for one, line in zip(found, columns(rows), strict=True):
        screen.line(line, STYLES[one.level])
