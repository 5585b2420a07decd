"""What `holdfast dead-letters` asks of a server, and how it is shown."""

from urllib.parse import quote

import orjson

from holdfast.cli import run_views
from holdfast.cli.chat_screen import Screen
from holdfast.cli.operators import show, shown
from holdfast.cli.servers import Calls, write, write_page
from holdfast.wire.operations import DeadKind, DeadLetter, DeadLetterDetail, Retried

HEADS = ("LETTER", "KIND", "WHAT", "HOST", "ATTEMPTS", "AT", "WHY")


async def list_letters(kind: DeadKind | None, limit: int, json: bool, server: Calls, screen: Screen) -> None:
    only = {"kind": kind} if kind else {}
    letters, total = await server.page("/dead-letters", list[DeadLetter], limit=limit, **only)
    write_page(screen, json, letters, total, HEADS, describe)


def describe(one: DeadLetter) -> tuple[object, ...]:
    return (one.id, one.kind, one.what, one.host or "", one.attempts, shown(one.at), one.error)


def path(letter_id: str) -> str:
    return f"/dead-letters/{quote(letter_id, safe=':')}"


async def show_letter(letter_id: str, json: bool, server: Calls, screen: Screen) -> None:
    found = await server.get(path(letter_id), DeadLetterDetail)
    if json:
        write(screen, found)
        return
    facts = zip(HEADS, describe(found), strict=True)
    show(screen, [*facts, ("THREAD", found.thread_id)])
    screen.line(orjson.dumps(found.content, option=orjson.OPT_INDENT_2).decode())


async def retry_letter(letter_id: str, json: bool, server: Calls, screen: Screen) -> None:
    done = await server.post(f"{path(letter_id)}/retry", Retried)
    if json:
        write(screen, done)
    elif done.run:
        screen.line(f"{letter_id}: goes on as {run_views.name(done.run)}")
    else:
        screen.line(f"{letter_id}: is sent again")


async def drop_letter(letter_id: str, server: Calls, screen: Screen) -> None:
    await server.send("DELETE", path(letter_id))
    screen.line(f"{letter_id}: is dropped")
