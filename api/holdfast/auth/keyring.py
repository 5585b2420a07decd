"""An issuer's key set as it changes: read now and then, and once more when a token names an unknown key."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from holdfast.auth.keysets import UNFIT, UNKNOWN, UNNAMED, Key, read_keys
from holdfast.errors import InvalidToken, Unavailable

logger = logging.getLogger(__name__)

MOST_BYTES = 512 * 1024
FETCH_TIMEOUT_S = 3.0
RETRY_S = 10.0  # after a reading that failed
AGAIN_S = 5.0  # between two readings for the sake of tokens that name an unknown key
SIGNING = (None, "sig")  # what a key's `use` may be

Read = Callable[[], Awaitable[tuple[Key, ...]]]


class KeyRing:
    """What was read last counts until a later reading succeeds, however long that takes."""

    def __init__(self, read: Read, *, every_s: float, again_s: float = AGAIN_S) -> None:
        self._read = read
        self._every_s = every_s
        self._again_s = again_s
        self._keys: tuple[Key, ...] = ()
        self._held: frozenset[Key] = frozenset()
        self._reading: asyncio.Task[bool] | None = None
        self._asked = -again_s

    @asynccontextmanager
    async def running(self) -> AsyncIterator["KeyRing"]:
        """Reads the set, and keeps it fresh. While it was never read, callers are told to come later."""
        task = asyncio.create_task(self._keep_fresh(await self.refresh()), name="signing keys")
        try:
            yield self
        finally:
            ending = [one for one in (task, self._reading) if one]
            for one in ending:
                one.cancel("signing in has ended")
            await asyncio.gather(*ending, return_exceptions=True)

    async def find(self, kid: str | None, algorithm: str) -> Key:
        if not self._named(kid) and (kid is not None or not self._keys) and self._may_ask():
            await self.refresh()
        named = self._named(kid)
        for key in named:
            if algorithm in key.algorithms:
                return key
        if not self._keys:
            raise Unavailable("The issuer's keys cannot be read: try again in a moment.", "signing_keys")
        raise InvalidToken(UNFIT if named else UNNAMED if kid is None else UNKNOWN)

    def holds(self, key: Key) -> bool:
        return key in self._held

    def _named(self, kid: str | None) -> tuple[Key, ...]:
        """The keys of that name; a set of one key needs none."""
        if kid is None:
            return self._keys if len(self._keys) == 1 else ()
        return tuple(key for key in self._keys if key.kid == kid)

    def _may_ask(self) -> bool:
        """Made-up names cost the issuer one request in a while, and not one each."""
        if self._reading and not self._reading.done():
            return True
        now = time.monotonic()
        if now - self._asked < self._again_s:
            return False
        self._asked = now
        return True

    async def refresh(self) -> bool:
        """Reads the set; all who wait share one reading. False when it failed."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._load())
        return await asyncio.shield(self._reading)

    async def _load(self) -> bool:
        try:
            keys = await self._read()
        except (OSError, ValueError, httpx.HTTPError) as error:
            why = str(error) or type(error).__name__
            logger.warning("the key set cannot be read", extra={"reason": why, "known": len(self._keys)})
            return False
        self._keys, self._held = keys, frozenset(keys)
        return True

    async def _keep_fresh(self, fine: bool) -> None:
        while True:
            await asyncio.sleep(self._every_s if fine else min(self._every_s, RETRY_S))
            fine = await self.refresh()


def from_address(url: str, algorithms: Collection[str]) -> Read:
    """Reads a key set by HTTP: bounded in time and size, and nowhere else than at that address."""

    async def read() -> tuple[Key, ...]:
        text = b""
        async with (
            asyncio.timeout(FETCH_TIMEOUT_S),
            httpx.AsyncClient(timeout=FETCH_TIMEOUT_S) as client,
            client.stream("GET", url, headers={"Accept": "application/json"}) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise ValueError(f"its address answers {response.status_code}")
            async for chunk in response.aiter_bytes():
                text += chunk
                if len(text) > MOST_BYTES:
                    raise ValueError("it is too large")
        return read_keys(text, algorithms, SIGNING)

    return read


def from_file(path: Path, algorithms: Collection[str], uses: Collection[str | None] = SIGNING) -> Read:
    async def read() -> tuple[Key, ...]:
        return read_keys(await asyncio.to_thread(path.read_bytes), algorithms, uses)

    return read
