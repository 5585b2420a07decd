"""Whether what was written has reached the server's disk: asked for what must not be lost."""

import asyncio
import logging
from typing import Any

from redis.exceptions import RedisError, ResponseError

from holdfast.redis.client import open_redis
from holdfast.redis.keys import Keys

logger = logging.getLogger(__name__)

PATIENCE_MS = 1000


class Disk:
    """Asks on a connection of its own, which that blocks; those who come meanwhile share the next one."""

    def __init__(self, url: str, keys: Keys) -> None:
        self._redis = open_redis(url, max_connections=1)
        self._key = keys.disk()
        self._one_at_a_time = asyncio.Lock()
        self._next: asyncio.Task[bool] | None = None

    async def reached(self) -> bool:
        """Waits until all that was written before is on disk, for at most a second.

        True also where a server has no AOF, or is too old to be asked (Redis before 7.2).
        """
        if self._next is None:
            self._next = asyncio.create_task(self._ask(), name="disk")
        return await asyncio.shield(self._next)

    async def _ask(self) -> bool:
        async with self._one_at_a_time:
            self._next = None
            pipeline = self._redis.pipeline(transaction=False)
            # WAITAOF waits for what its own connection has written: so it writes, after all the others.
            pipeline.set(self._key, "", ex=60)
            pipeline.execute_command("WAITAOF", 1, 0, PATIENCE_MS)
            try:
                _, answer = await pipeline.execute(raise_on_error=False)
            except (RedisError, OSError) as error:
                answer = error
            return said_yes(answer)

    async def close(self) -> None:
        await self._redis.aclose()


def said_yes(answer: Any) -> bool:
    if isinstance(answer, ResponseError):  # without an AOF, or the command
        return True
    if isinstance(answer, Exception):
        logger.warning("nobody knows what is on disk", extra={"error": type(answer).__name__})
        return False
    return bool(answer[0])
