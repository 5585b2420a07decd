"""`holdfast webhooks`: what is still to be delivered, and what could not be."""

from functools import partial
from typing import Annotated

import orjson
import typer

from holdfast.cli.chat_screen import Screen
from holdfast.cli.operators import CONFIG, Config, operate, show, shown
from holdfast.core.a2a.pushes import Unwanted
from holdfast.core.platform import Platform
from holdfast.core.webhooks import letters, signing
from holdfast.core.webhooks.bodies import content_of
from holdfast.core.webhooks.courier import shown_host
from holdfast.core.webhooks.letters import Shelved
from holdfast.errors import StartError

app = typer.Typer(help="Look at what webhooks are told, and send it again.", no_args_is_help=True)

HEADS = ("LETTER", "STATE", "EVENT", "HOST", "ATTEMPTS", "AT", "WHY")

LetterId = Annotated[str, typer.Argument(help="The letter's id, which is its webhook-id")]


@app.command("ls")
def list_letters(
    dead: Annotated[bool, typer.Option("--dead", help="Only those that were given up")] = False,
    config: Config = CONFIG,
) -> None:
    """List what is still to be delivered, and what was given up."""
    operate(config, partial(list_them, dead))


@app.command("show")
def show_letter(letter_id: LetterId, config: Config = CONFIG) -> None:
    """Show a letter: where it goes, what became of it, and what it says."""
    operate(config, partial(show_it, letter_id))


@app.command()
def replay(
    letter_id: Annotated[str | None, typer.Argument(help="The letter's id")] = None,
    all: Annotated[bool, typer.Option("--all", help="All that were given up")] = False,
    config: Config = CONFIG,
) -> None:
    """Send a letter again, at once and with all its attempts before it."""
    if all == (letter_id is not None):
        raise StartError("Say which: the id of a letter, or --all for those that were given up.")
    operate(config, partial(replay_it, letter_id))


@app.command()
def secret(config: Config = CONFIG) -> None:
    """Print the secret that webhooks are signed with, for whoever is to check it."""
    operate(config, print_secret)


async def list_them(dead: bool, platform: Platform, screen: Screen) -> None:
    show(screen, [HEADS, *map(row, await letters.shelved(platform, only_dead=dead))])


def row(one: Shelved) -> tuple[object, ...]:
    letter = one.letter
    return (
        letter.id,
        "dead" if one.filed.dead else "waiting",
        letter.content["type"],
        shown_host(letter.url),
        letter.attempt,
        shown(one.filed.at),
        letter.error,
    )


async def show_it(letter_id: str, platform: Platform, screen: Screen) -> None:
    found = await letters.find(platform, letter_id)
    facts = (*zip(HEADS, row(found), strict=True), ("THREAD", found.letter.address.thread_id))
    show(screen, [*facts, ("ADDRESS", found.letter.url)])
    try:
        body = orjson.loads((await content_of(platform, found.letter)).body)
    except Unwanted:
        return  # the task that it tells of is gone
    screen.line(orjson.dumps(body, option=orjson.OPT_INDENT_2).decode())


async def replay_it(letter_id: str | None, platform: Platform, screen: Screen) -> None:
    if letter_id is None:
        screen.line(f"{await letters.replay_dead(platform)} letters are sent again.")
        return
    await letters.replay(platform, letter_id)
    screen.line(f"Letter {letter_id} is sent again.")


async def print_secret(platform: Platform, _screen: Screen) -> None:
    first, *_ = await signing.secrets_of(platform.settings, platform.client, platform.keys)
    typer.echo(first)
