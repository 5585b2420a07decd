"""`holdfast dead-letters`: what is not tried again by itself, tried again or dropped over HTTP."""

from functools import partial
from typing import Annotated

import typer

from holdfast.cli import dead_letter_views
from holdfast.cli.servers import URL, ApiKey, AsJson, Limit, Server, Token, Url, ask
from holdfast.wire.operations import DeadKind

app = typer.Typer(
    help="Look at runs that have used up their attempts and letters that did not arrive.",
    no_args_is_help=True,
)

LetterId = Annotated[str, typer.Argument(help="The dead letter's id, as `ls` shows it")]


@app.command("ls")
def list_letters(
    kind: Annotated[DeadKind | None, typer.Option(help="Only runs, or letters to webhooks")] = None,
    limit: Limit = 20,
    json: AsJson = False,
    url: Url = URL,
    api_key: ApiKey = None,
    token: Token = None,
) -> None:
    """List dead letters, the newest first."""
    ask(Server(url, api_key, token), partial(dead_letter_views.list_letters, kind, limit, json))


@app.command()
def show(
    letter_id: LetterId, json: AsJson = False, url: Url = URL, api_key: ApiKey = None, token: Token = None
) -> None:
    """Show a dead letter: why it is one, and what was asked of the run or is said in the letter."""
    ask(Server(url, api_key, token), partial(dead_letter_views.show_letter, letter_id, json))


@app.command()
def retry(
    letter_id: LetterId, json: AsJson = False, url: Url = URL, api_key: ApiKey = None, token: Token = None
) -> None:
    """Try the run again from where it had come to, or send the letter again."""
    ask(Server(url, api_key, token), partial(dead_letter_views.retry_letter, letter_id, json))


@app.command()
def drop(letter_id: LetterId, url: Url = URL, api_key: ApiKey = None, token: Token = None) -> None:
    """Give it up for good; a run stays on its thread as it is."""
    ask(Server(url, api_key, token), partial(dead_letter_views.drop_letter, letter_id))
