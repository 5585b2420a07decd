"""Whether what was written has reached the server's disk: asked for what must not be lost."""

import asyncio
import logging
from typing import Any

from redis.exceptions import MovedError, RedisError, ResponseError

from holdfast.redis.keys import Keys
from holdfast.redis.topology import Servers

logger = logging.getLogger(__name__)

PATIENCE_MS = 1000


class Disk:
    """Asks on connections of its own, which that blocks; those who come meanwhile share the next question."""

    def __init__(self, url: str, keys: Keys) -> None:
        self._servers = Servers(url, max_connections=1)
        self._keys = keys
        self._one_at_a_time: dict[int, asyncio.Lock] = {}
        self._next: dict[int, asyncio.Task[bool]] = {}

    async def reached(self, thread_id: str) -> bool:
        """Waits until all that was written of the thread before is on disk, for at most a second.

        True also where a server has no AOF, or is too old to be asked (Redis before 7.2).
        """
        lane = self._keys.lane(thread_id)
        if lane not in self._next:
            self._next[lane] = asyncio.create_task(self._ask(lane), name="disk")
        return await asyncio.shield(self._next[lane])

    async def _ask(self, lane: int) -> bool:
        async with self._one_at_a_time.setdefault(lane, asyncio.Lock()):
            del self._next[lane]
            written, answer = await self._write(self._keys.disk(lane))
            if isinstance(written, MovedError):
                written, answer = await self._write(self._keys.disk(lane))
            return said_yes(written if isinstance(written, MovedError) else answer)

    async def _write(self, key: str) -> tuple[Any, Any]:
        pipeline = self._servers.of(key).pipeline(transaction=False)
        # WAITAOF waits for what its own connection has written: so it writes, after all the others.
        pipeline.set(key, "", ex=60)
        pipeline.execute_command("WAITAOF", 1, 0, PATIENCE_MS)
        try:
            written, answer = await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            written = answer = error
        if isinstance(written, Exception):
            await self._servers.refresh()
        return written, answer

    async def close(self) -> None:
        await self._servers.close()


def said_yes(answer: Any) -> bool:
    if isinstance(answer, ResponseError) and not isinstance(answer, MovedError):
        return True  # without an AOF, or the command
    if isinstance(answer, Exception):
        logger.warning("nobody knows what is on disk", extra={"error": type(answer).__name__})
        return False
    return bool(answer[0])
