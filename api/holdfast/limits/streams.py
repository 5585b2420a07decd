"""How many streams of a caller and of a tenant may be open: leases in Redis, which all replicas count.

What a replica that died had open counts until its leases have run out.
"""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from holdfast.errors import TooManyStreams, Unavailable
from holdfast.redis.client import Client
from holdfast.redis.keys import Keys
from holdfast.redis.limits import Bound, close_stream, open_stream, renew_streams
from holdfast.redis.records import Caller
from holdfast.settings import Settings

LEASE_S = 15.0  # three ticks: a renewal or two may be lost


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A stream that is counted, until it is closed."""

    name: str
    tenant: str
    keys: tuple[str, ...]
    streams: "Streams"

    def renew(self) -> None:
        """Keeps it counted for another while."""
        self.streams.renew(self)

    def close(self) -> None:
        self.streams.close(self)


class Streams:
    """Counts the streams that are open, where there is a bound to them."""

    def __init__(self, client: Client, keys: Keys, settings: Settings) -> None:
        self._client = client
        self._keys = keys
        self._of_caller = settings.max_streams_of_caller
        self._of_tenant = settings.max_streams_of_tenant
        self._due: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        self._working: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Streams"]:
        """At the end, what is under way is waited for."""
        yield self
        while self._working:
            await asyncio.wait(self._working)

    async def open(self, caller: Caller) -> Opened | None:
        """None without a bound. Raises `TooManyStreams`, and `Unavailable` when Redis does not answer."""
        bounds = self._bounds(caller)
        if not bounds:
            return None
        opened = Opened(secrets.token_hex(8), caller.tenant, tuple(bound.key for bound in bounds), self)
        if full := await self._counted(opened, bounds):
            whose = "a caller" if full.key != self._keys.streams(caller.tenant) else "a tenant"
            raise TooManyStreams(
                f"At most {full.most} streams of {whose} may be open at once: close one first."
            )
        return opened

    def _bounds(self, caller: Caller) -> list[Bound]:
        found = []
        if self._of_caller:
            found.append(Bound(self._keys.streams(caller.tenant, caller.subject), self._of_caller))
        if self._of_tenant:
            found.append(Bound(self._keys.streams(caller.tenant), self._of_tenant))
        return found

    async def _counted(self, opened: Opened, bounds: list[Bound]) -> Bound | None:
        try:
            return await open_stream(self._client, opened.name, bounds, LEASE_S)
        except Unavailable as error:
            if error.reason == "unreachable":
                raise
            return None  # it is counted with the first renewal that Redis takes

    def close(self, opened: Opened) -> None:
        self._do(close_stream(self._client, opened.name, opened.keys))

    def renew(self, opened: Opened) -> None:
        """Renews a lease, in one call with those of its tenant that fall into the same turn of the loop."""
        if not self._due:
            asyncio.get_running_loop().call_soon(self._renew)
        self._due[opened.tenant] += [(key, opened.name) for key in opened.keys]

    def _renew(self) -> None:
        due, self._due = self._due, defaultdict(list)
        for streams in due.values():
            self._do(renew_streams(self._client, streams, LEASE_S))

    def _do(self, call: Coroutine[Any, Any, None]) -> None:
        """Nobody waits for it: what fails is made good by the next renewal, or by the end of the lease."""
        task = asyncio.create_task(quietly(call), name="leases of streams")
        self._working.add(task)
        task.add_done_callback(self._working.discard)


async def quietly(call: Coroutine[Any, Any, None]) -> None:
    with suppress(Unavailable):
        await call
