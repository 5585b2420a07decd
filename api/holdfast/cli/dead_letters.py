"""`holdfast dead-letters`: what is not tried again by itself, tried again or dropped over HTTP."""

from functools import partial
from typing import Annotated

import typer

from holdfast.cli import dead_letter_views
from holdfast.cli.servers import AsJson, Limit, Server, ask, with_server
from holdfast.wire.operations import DeadKind

app = typer.Typer(
    help="Look at runs that have used up their attempts and letters that did not arrive.",
    no_args_is_help=True,
)

LetterId = Annotated[str, typer.Argument(help="The dead letter's id, as `ls` shows it")]


@app.command("ls")
@with_server
def list_letters(
    server: Server,
    kind: Annotated[DeadKind | None, typer.Option(help="Only runs, or letters to webhooks")] = None,
    limit: Limit = 20,
    json: AsJson = False,
) -> None:
    """List dead letters, the newest first."""
    ask(server, partial(dead_letter_views.list_letters, kind, limit, json))


@app.command()
@with_server
def show(server: Server, letter_id: LetterId, json: AsJson = False) -> None:
    """Show a dead letter: why it is one, and what was asked of the run or is said in the letter."""
    ask(server, partial(dead_letter_views.show_letter, letter_id, json))


@app.command()
@with_server
def retry(server: Server, letter_id: LetterId, json: AsJson = False) -> None:
    """Try the run again from where it had come to, or send the letter again."""
    ask(server, partial(dead_letter_views.retry_letter, letter_id, json))


@app.command()
@with_server
def drop(server: Server, letter_id: LetterId) -> None:
    """Give it up for good; a run stays on its thread as it is."""
    ask(server, partial(dead_letter_views.drop_letter, letter_id))
