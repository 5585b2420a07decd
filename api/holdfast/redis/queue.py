"""The worker's end of the queue: a Redis Stream a lane, whose pending entries are the leases."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ReadOnlyError, RedisError, ResponseError

from holdfast.redis.keys import Keys
from holdfast.redis.lua import GROUP
from holdfast.redis.pools import SOCKET_TIMEOUT_S
from holdfast.redis.topology import Servers

# The longest wait for an entry: long, so that an idle worker asks Redis next to nothing, but a connection
# that died without a word is noticed only when it is over.
BLOCK_MS = 2000


class Entry(NamedTuple):
    """A thread whose next run may start; `left` by a worker that had it before, as far as that is known."""

    lane: int
    id: str
    thread_id: str
    left: bool = False


class Queue:
    """One blocking connection a lane, because a read that blocks holds its connection."""

    def __init__(self, servers: Servers, keys: Keys, worker: str, lease_s: float) -> None:
        self._servers = servers
        self._keys = keys
        self._worker = worker
        self._lease_ms = round(lease_s * 1000)

    async def prepare(self) -> None:
        """Makes the consumer groups that do not exist yet."""
        for lane in range(self._keys.lanes):
            try:
                ready = self._keys.ready(lane)
                await self._servers.of(ready).xgroup_create(ready, GROUP, id="0", mkstream=True)
            except ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise

    async def take(self, lane: int, count: int) -> list[Entry]:
        """Up to `count` new entries; waits up to `BLOCK_MS` for the first."""
        ready = self._keys.ready(lane)
        async with self._mended(ready) as redis:
            reply: Any = await redis.xreadgroup(
                GROUP, self._worker, {ready: ">"}, count=count, block=BLOCK_MS
            )
            return [entry for _, rows in reply for entry in self._entries(lane, rows)]

    async def reclaim(self, lane: int, count: int) -> list[Entry]:
        """Up to `count` entries whose worker has been silent for longer than the lease."""
        ready = self._keys.ready(lane)
        async with self._mended(ready) as redis:
            # XAUTOCLAIM looks at ten times `count` entries at most: behind many busy ones it finds nothing.
            silent: Any = await redis.xpending_range(ready, GROUP, "-", "+", count, idle=self._lease_ms)
            if not silent:
                return []
            ids = [one["message_id"] for one in silent]
            rows: Any = await redis.xclaim(ready, GROUP, self._worker, self._lease_ms, ids)
            return [entry._replace(left=True) for entry in self._entries(lane, rows)]

    @asynccontextmanager
    async def _mended(self, ready: str) -> AsyncIterator[Redis]:
        """Sees to it that the next call can succeed when this one found another server than it had left."""
        redis = self._servers.of(ready)
        try:
            yield redis
        except (RedisError, OSError) as error:
            await self._servers.refresh()
            if isinstance(error, ReadOnlyError):
                await redis.connection_pool.disconnect(inuse_connections=False)
            elif str(error).startswith("NOGROUP"):
                await self.prepare()
            raise

    def _entries(self, lane: int, rows: list[tuple[bytes, dict[bytes, bytes]]]) -> list[Entry]:
        return [Entry(lane, id.decode(), fields[b"t"].decode()) for id, fields in rows if fields]


@asynccontextmanager
async def open_queue(url: str, keys: Keys, worker: str, lease_s: float) -> AsyncIterator[Queue]:
    servers = Servers(
        url,
        socket_timeout=BLOCK_MS / 1000 + SOCKET_TIMEOUT_S,
        max_connections=keys.lanes + 2,
        retry=Retry(NoBackoff(), 0),  # who asks, asks again
    )
    try:
        await servers.refresh()
        queue = Queue(servers, keys, worker, lease_s)
        await queue.prepare()
        yield queue
    finally:
        await servers.close()
