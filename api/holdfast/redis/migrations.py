"""The form of what Redis keeps, as a number, and the steps that bring an installation up to it.

A step expands: it adds what the new version needs, and leaves what the version before it reads. So old and
new processes work side by side, and an upgrade can be taken back. What nobody reads any more is taken away by
a step of a later version, and only that one raises `readable`. See `docs/upgrades.md`.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from holdfast.errors import StartError
from holdfast.redis.client import Client, Script, cancel
from holdfast.redis.keys import Keys

logger = logging.getLogger(__name__)

MIGRATE = Script.load("migrate")

FIRST = 1  # of installations that were made before there was a number
VERSION = 1  # of the records that this Holdfast writes

LEASE_S = 10.0
LOOK_S = 0.2


class Migration(NamedTuple):
    """A step to a version of the records. `work` may be repeated, from any point on.

    `readable` is the version that a process must know to work with records of this one.
    """

    version: int
    readable: int
    work: Callable[[Client, Keys], Awaitable[None]]


MIGRATIONS: tuple[Migration, ...] = ()


class Records(NamedTuple):
    """The version of an installation's records, and the one that a process must know to read them."""

    version: int
    readable: int


async def read(client: Client, keys: Keys) -> Records:
    version, readable = await client.call("HMGET", keys.installation(), "records", "readable")
    return Records(int(version or FIRST), int(readable or FIRST))


async def mark_new(client: Client, keys: Keys) -> None:
    """Says of an installation that is just made that its records are of this version."""
    await client.call("HSETNX", keys.installation(), "records", VERSION)


def check(found: Records, known: int = VERSION) -> None:
    """Raises `StartError` for records that are too new."""
    if found.readable > known:
        raise StartError(
            f"The records in Redis are of version {found.version} and need a Holdfast that knows version "
            f"{found.readable}: this one knows {known}. Start the newer one, or restore a backup."
        )


async def bring_up(
    client: Client, keys: Keys, migrations: Sequence[Migration] = MIGRATIONS, known: int = VERSION
) -> Records:
    """Brings the records up to this version, once, whoever comes first; others wait. Raises `StartError`."""
    token, told = secrets.token_hex(8), False
    while True:
        found = await read(client, keys)
        check(found, known)
        if found.version >= known:
            return found
        if await hold(client, keys, token):
            async with held(client, keys, token):
                await migrate(client, keys, migrations, token, known)
            continue
        if not told:
            logger.warning("another process brings the records up to date: this one waits")
        told = True
        await asyncio.sleep(LOOK_S)


async def migrate(
    client: Client, keys: Keys, migrations: Sequence[Migration], token: str, known: int
) -> None:
    """Takes the steps that are left; by now somebody else may have taken some."""
    found = await read(client, keys)
    for step in migrations:
        if found.version < step.version <= known:
            logger.warning("records are brought up to date", extra={"version": step.version})
            await step.work(client, keys)
            reached = Records(step.version, max(found.readable, step.readable))
            if not await hold(client, keys, token, reached):
                return  # it took too long: another process does it again


async def hold(client: Client, keys: Keys, token: str, reached: Records | None = None) -> bool:
    """Takes or keeps the right to migrate, and says what was reached; False when somebody else has it."""
    version, readable = reached or ("", "")
    lease_ms = round(LEASE_S * 1000)
    return bool(await client.run(MIGRATE, [keys.installation()], [token, lease_ms, version, readable]))


@asynccontextmanager
async def held(client: Client, keys: Keys, token: str) -> AsyncIterator[None]:
    """Keeps the right while it is used, and lets go of it."""
    keeping = asyncio.create_task(keep(client, keys, token), name="migration")
    try:
        yield
    finally:
        await cancel(keeping, reason="the records are up to date")
        await client.run(MIGRATE, [keys.installation()], [token, 0, "", ""])


async def keep(client: Client, keys: Keys, token: str) -> None:
    while True:
        await asyncio.sleep(LEASE_S / 4)
        await hold(client, keys, token)
