"""Locks that spare work: who holds one may lose it unseen, so nothing may rest on being alone."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from holdfast.redis.client import Client, Script

LOCK = Script.load("lock")


class Lock:
    """A lock that is held for `lease_s` from each time that it is taken."""

    def __init__(self, client: Client, key: str, lease_s: float) -> None:
        self._client = client
        self._key = key
        self._lease_ms = round(lease_s * 1000)
        self._token = secrets.token_hex(8)

    async def take(self) -> bool:
        """Takes it, or keeps it for longer. False when somebody else has it."""
        return bool(await self._client.run(LOCK, [self._key], [self._token, self._lease_ms]))

    async def leave(self) -> None:
        await self._client.run(LOCK, [self._key], [self._token, 0])


@asynccontextmanager
async def alone(client: Client, key: str, lease_s: float) -> AsyncIterator[Lock | None]:
    """The lock, given up in the end; None when somebody else has it."""
    lock = Lock(client, key, lease_s)
    if not await lock.take():
        yield None
        return
    try:
        yield lock
    finally:
        await lock.leave()
