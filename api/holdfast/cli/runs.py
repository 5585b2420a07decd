"""`holdfast runs`: runs of all threads, looked at, ended and tried again over HTTP."""

from functools import partial
from typing import Annotated

import typer

from holdfast.cli import run_views
from holdfast.cli.servers import AsJson, Limit, Server, ask, with_server
from holdfast.wire.operations import RunsWanted

app = typer.Typer(help="Look at the runs of a server, end them, and try them again.", no_args_is_help=True)

RunId = Annotated[str, typer.Argument(help="The run, as `ls` shows it: <thread id>:<run id>")]


@app.command("ls")
@with_server
def list_runs(
    server: Server,
    status: Annotated[RunsWanted, typer.Option(help="Only runs that are so")] = "active",
    limit: Limit = 20,
    json: AsJson = False,
) -> None:
    """List runs: those that have not ended, those at work first; or those that failed, newest first."""
    ask(server, partial(run_views.list_runs, status, limit, json))


@app.command()
@with_server
def show(server: Server, run: RunId, json: AsJson = False) -> None:
    """Show a run: who has it, how far it is, and what happened in it."""
    ask(server, partial(run_views.show_run, run, json))


@app.command()
@with_server
def cancel(
    server: Server,
    run: RunId,
    rollback: Annotated[bool, typer.Option("--rollback", help="Take back what it did to its thread")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Until it has ended")] = False,
) -> None:
    """End a run."""
    ask(server, partial(run_views.cancel_run, run, rollback, wait))


@app.command()
@with_server
def retry(server: Server, run: RunId, json: AsJson = False) -> None:
    """Try a failed run again, from where it had come to."""
    ask(server, partial(run_views.retry_run, run, json))
