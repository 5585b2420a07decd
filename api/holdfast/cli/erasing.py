"""`holdfast erase`: a person forgotten, beside the servers that know them."""

from contextlib import suppress

from redis.exceptions import ResponseError

from holdfast.cli.chat_screen import Screen
from holdfast.cli.operators import confirm, show_counts
from holdfast.core import erasure
from holdfast.core.erasure import Person
from holdfast.core.platform import Platform


async def erase_person(subject: str, tenant: str, yes: bool, platform: Platform, screen: Screen) -> None:
    person = Person(subject, tenant)
    count = len(await erasure.owned(platform, person))
    confirm(f"Erase {subject} of tenant {tenant}, who has {count} threads?", yes=yes)
    erased = await erasure.erase(platform, person)
    show_counts(screen, erased.platform, "erased from Redis")
    show_counts(screen, erased.project, "erased by the project")
    if not any(erased):
        screen.line("There was nothing to erase.")
    if erased.platform.get("busy_threads"):
        screen.line("Threads of others that are busy still name the person: erase again later.")
    if platform.settings.redis_url is None:
        await forget_on_disk(platform)


async def forget_on_disk(platform: Platform) -> None:
    """Our own server's append-only file still holds what was deleted, until it is written anew."""
    with suppress(ResponseError):  # it is being written anew already
        await platform.client.call("BGREWRITEAOF")
