"""Which server has which keys: one has them all, or the masters of a cluster share them."""

import asyncio
import secrets
from bisect import bisect_right
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from holdfast.redis.addresses import CLUSTER, parse_address
from holdfast.redis.keys import hash_slot
from holdfast.redis.pools import CONNECT_TIMEOUT_S, open_redis


def slot_of(key: str | bytes) -> int:
    text = key.decode(errors="surrogateescape") if isinstance(key, bytes) else key
    _, opened, rest = text.partition("{")
    tag, closed, _ = rest.partition("}")
    return hash_slot(tag if opened and closed and tag else text)


class Topology:
    """Until it is refreshed, a cluster is taken for its first server, which says where a key really is."""

    def __init__(self, url: str) -> None:
        self.address = parse_address(url)
        self.clustered = self.address.kind == CLUSTER
        self._seeds = self.address.urls if self.clustered else (url,)
        self._starts = [0]
        self._homes = [self._seeds[0]]
        self._asking: asyncio.Task[None] | None = None

    def home(self, key: str | bytes) -> str:
        """The URL of the server that has a key."""
        if not self.clustered:
            return self._homes[0]
        return self._homes[bisect_right(self._starts, slot_of(key)) - 1]

    def homes(self) -> list[str]:
        """The URLs of all servers that have keys."""
        return list(dict.fromkeys(self._homes))

    async def refresh(self) -> None:
        """Asks the cluster; what is known stays when none of its servers answers."""
        if not self.clustered:
            return
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask(), name="topology")
            self._asking.add_done_callback(self._asked)
        await asyncio.shield(self._asking)

    def _asked(self, _task: asyncio.Task[None]) -> None:
        self._asking = None

    async def _ask(self) -> None:
        known = list(dict.fromkeys((*self._homes, *self._seeds)))
        secrets.SystemRandom().shuffle(known)  # not always the one that has fallen behind first
        for url in known:
            with suppress(RedisError, OSError):
                if rows := await slots_as_seen_by(url):
                    self._read(url, rows)
                    return

    def _read(self, url: str, rows: list[Any]) -> None:
        """Each row: first and last slot, the master as host, port and more, its replicas."""
        asked = urlsplit(url).hostname or ""  # a server that does not know its own address leaves it out
        masters = {first: master for first, _, master, *_ in rows}
        self._starts = sorted(masters)
        self._homes = [
            self.address.at(host.decode() if host else asked, port)
            for host, port, *_ in map(masters.__getitem__, self._starts)
        ]


async def slots_as_seen_by(url: str) -> list[Any]:
    async with open_redis(
        url, max_connections=1, socket_timeout=CONNECT_TIMEOUT_S, retry=Retry(NoBackoff(), 0)
    ) as redis:
        rows: list[Any] = await redis.execute_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]
        return rows


class Servers:
    """A redis-py client for each server, by the key that is asked for. `options` go to each connection."""

    def __init__(self, url: str, **options: Any) -> None:
        self.topology = Topology(url)
        self._options = options
        self._clients: dict[str, Redis] = {}

    def of(self, key: str) -> Redis:
        home = self.topology.home(key)
        if home not in self._clients:
            self._clients[home] = open_redis(home, **self._options)
        return self._clients[home]

    async def refresh(self) -> None:
        await self.topology.refresh()
        for gone in self._clients.keys() - set(self.topology.homes()):
            await self._clients.pop(gone).connection_pool.disconnect(inuse_connections=False)

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()
