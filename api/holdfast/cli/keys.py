"""`holdfast keys`: API keys made, listed and revoked, on the Redis that the servers share."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from holdfast.auth import TENANT
from holdfast.auth.api_keys import ApiKeys
from holdfast.cli.processes import prepare, required
from holdfast.errors import HoldfastError, StartError
from holdfast.redis.api_keys import KeyRecord
from holdfast.redis.checks import check_server, check_url
from holdfast.redis.client import connect
from holdfast.redis.embedded import running_on
from holdfast.redis.keys import Keys
from holdfast.settings import Settings

UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}

app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)

Config = Annotated[Path, typer.Option(help="The project's langgraph.json")]
CONFIG = Path("langgraph.json")


class Scope(StrEnum):
    read = "read"
    write = "write"


@app.command()
def create(
    subject: Annotated[str, typer.Option(help="Who calls with this key")],
    tenant: Annotated[
        str | None,
        typer.Option(help="The caller's tenant", show_default=f"HOLDFAST_DEFAULT_TENANT, or {TENANT}"),
    ] = None,
    role: Annotated[list[str] | None, typer.Option(help="A role of the caller; may be given again")] = None,
    scope: Annotated[
        Scope, typer.Option(help="`read` for GET and searches, `write` for everything")
    ] = Scope.write,
    name: Annotated[str, typer.Option(help="What the key is for")] = "",
    expires: Annotated[
        str | None, typer.Option(help="When it ends, as 90m, 12h or 30d", show_default="never")
    ] = None,
    config: Config = CONFIG,
) -> None:
    """Make an API key. It is printed once, and can never be read again."""
    until = read_expiry(expires) if expires else None

    async def make(keys: ApiKeys) -> None:
        secret, record = await keys.create(
            subject=subject,
            tenant=tenant or keys.settings.default_tenant or TENANT,
            roles=role or (),
            scopes=("read",) if scope is Scope.read else ("read", "write"),
            name=name,
            expires_at=until,
        )
        Console(stderr=True, highlight=False).print(
            f"API key {record.key_id} for {subject}, tenant {record.tenant}. Keep it: it is not shown again."
        )
        typer.echo(secret)

    work(config, make)


@app.command("ls")
def list_keys(config: Config = CONFIG) -> None:
    """List the API keys that may be used."""

    async def show(keys: ApiKeys) -> None:
        console = Console(highlight=False)
        table = Table(
            *("id", "name", "subject", "tenant", "roles", "scope", "made", "last used", "ends"), box=None
        )
        for record in await keys.list_all():
            table.add_row(*cells(record))
        console.print(table)

    work(config, show)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, or the whole key")], config: Config = CONFIG
) -> None:
    """Revoke an API key: from now on every server refuses it."""

    async def remove(keys: ApiKeys) -> None:
        name = read_id(key_id)
        if not await keys.revoke(name):
            raise StartError(f"There is no API key {name}: `holdfast keys ls` lists them.")
        typer.echo(f"API key {name} is revoked.")

    work(config, remove)


def cells(record: KeyRecord) -> list[str]:
    return [
        record.key_id,
        record.name,
        record.subject,
        record.tenant,
        ",".join(record.roles),
        record.scopes[-1],
        shown(record.created_at),
        shown(record.last_used_at) or "never",
        shown(record.expires_at) or "never",
    ]


def shown(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M") if moment else ""


def read_id(text: str) -> str:
    """A key's id, also when the whole key was given."""
    return text.split("_")[1] if text.count("_") >= 2 and text.startswith("hf_") else text


def read_expiry(text: str) -> datetime:
    form = re.fullmatch(r"([1-9]\d{0,4})([mhd])", text)
    if form is None:
        raise StartError(f"--expires {text} is no length of time: write it as 90m, 12h or 30d.")
    return datetime.now(UTC) + int(form[1]) * UNITS[form[2]]


def work(config: Path, do: Callable[[ApiKeys], Coroutine[Any, Any, None]]) -> None:
    settings = prepare(config)

    async def run() -> None:
        async with opened(settings) as keys:
            await do(keys)

    try:
        asyncio.run(run())
    except StartError:
        raise
    except HoldfastError as error:
        raise StartError(error.detail) from error


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[ApiKeys]:
    """The keys on the server of REDIS_URL or, while `holdfast dev` runs with its own, on that one."""
    url = settings.redis_url or running_on(settings.data) or required(settings)
    check_url(url)
    async with connect(url) as client:
        await check_server(client, url, allow_eviction=settings.allow_eviction)
        yield ApiKeys(settings, client, Keys(settings.prefix, settings.lanes))
