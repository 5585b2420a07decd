"""The commands and their options."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from holdfast.cli import (
    approvals,
    audit,
    dead_letters,
    erasing,
    keys,
    processes,
    runs,
    threads,
    webhooks,
)
from holdfast.cli import chat as conversation
from holdfast.cli import top as table
from holdfast.cli.doctor import doctor
from holdfast.cli.loading import part
from holdfast.cli.operators import TENANT, Tenant, Yes, operate
from holdfast.cli.output import piped

app = typer.Typer(
    name="holdfast",
    help="A self-hosted LangGraph agent server on plain Redis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

# Graphs may print in them, and whoever reads that may go.
SERVERS = ("dev", "serve", "worker")


@app.callback()
def begin(context: typer.Context) -> None:
    if context.invoked_subcommand not in SERVERS:
        context.with_resource(piped())


app.add_typer(keys.app, name="keys")
app.add_typer(threads.app, name="threads")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(approvals.app, name="approvals")
app.add_typer(audit.app, name="audit")
app.add_typer(runs.app, name="runs")
app.add_typer(dead_letters.app, name="dead-letters")
app.command()(table.top)
app.command()(doctor)

Config = Annotated[Path, typer.Option(help="The project's langgraph.json")]
Host = Annotated[str, typer.Option(help="Address to listen on")]
Port = Annotated[int, typer.Option(help="Port to listen on", min=0, max=65535)]

CONFIG = Path("langgraph.json")
HOST = "127.0.0.1"
PORT = 8123


@app.command()
def dev(config: Config = CONFIG, host: Host = HOST, port: Port = PORT) -> None:
    """Start everything in one process: API, worker and, without REDIS_URL, a Valkey of its own."""
    processes.run(part("serving").dev, config, host, port)


@app.command()
def serve(config: Config = CONFIG, host: Host = HOST, port: Port = PORT) -> None:
    """Start the API on the Redis of REDIS_URL."""
    processes.run(part("serving").serve, config, host, port)


@app.command()
def worker(config: Config = CONFIG) -> None:
    """Start a worker on the Redis of REDIS_URL."""
    processes.run(processes.work, config)


@app.command()
def check(config: Config = CONFIG) -> None:
    """Say what langgraph.json would serve, or what is wrong with it."""
    processes.prepare(config)
    asyncio.run(part("checking").check(config, Console(highlight=False, soft_wrap=True)))


@app.command()
def erase(
    subject: Annotated[str, typer.Argument(help="Whom to forget, as tokens name them")],
    tenant: Tenant = TENANT,
    yes: Yes = False,
    config: Config = CONFIG,
) -> None:
    """Erase a person: every trace in Redis, and what the project keeps."""
    operate(config, partial(erasing.erase_person, subject, tenant, yes))


@app.command()
def chat(
    url: Annotated[str, typer.Option(help="The server to talk to")] = f"http://{HOST}:{PORT}",
    assistant: Annotated[
        str | None, typer.Option(help="Assistant or graph to talk to [default: the server's first]")
    ] = None,
    thread: Annotated[
        str | None, typer.Option(help="Thread to go on with [default: the last one on this server]")
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="Begin a new thread")] = False,
    token: Annotated[
        str | None, typer.Option(help="Who you are, for the server", envvar="CHAT_TOKEN", show_envvar=True)
    ] = None,
) -> None:
    """Talk to an assistant of a server."""
    conversation.chat(url, assistant, thread, new=new, token=token)
