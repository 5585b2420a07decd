"""The connection to Redis: redis-py, with all commands of one turn of the event loop sent as one pipeline."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import resources
from typing import Any, NamedTuple

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)

from holdfast.errors import Unavailable

# A reply that takes longer than this is no reply: the caller gets `Unavailable` and may try again.
REPLY_TIMEOUT_S = 5.0

CANCEL_AGAIN_S = 0.1

# What a healthy server answers while it cannot work: the command had no effect.
REFUSALS = (BusyLoadingError, ClusterDownError, OutOfMemoryError, ReadOnlyError)

Argument = bytes | str | int | float
Future = asyncio.Future[Any]


class Script(NamedTuple):
    """A Lua script: the files of `redis/scripts` that it is made of, joined in this order."""

    name: str
    source: str
    sha: str

    @classmethod
    def load(cls, *files: str) -> "Script":
        folder = resources.files(__package__) / "scripts"
        source = "\n".join((folder / f"{file}.lua").read_text() for file in files)
        return cls(files[-1], source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


def unavailable(error: Exception) -> Unavailable:
    return Unavailable(f"Redis is not available ({type(error).__name__}): try again in a moment.")


class Client:
    """Runs commands and scripts; calls made in the same turn of the event loop share one round trip.

    Every script must be idempotent: redis-py repeats a command whose reply was lost.
    """

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self._queued: list[tuple[tuple[Argument, ...], Future]] = []
        self._sending: set[asyncio.Task[None]] = set()

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Runs a script and returns its reply (bytes, int, list or None).

        Raises `redis.exceptions.ResponseError` for an error reply, `Unavailable` when Redis does not answer.
        """
        try:
            return await self.call("EVALSHA", script.sha, len(keys), *keys, *args)
        except NoScriptError:
            return await self.call("EVAL", script.source, len(keys), *keys, *args)

    def call(self, *command: Argument) -> Future:
        """Queues a command; the future holds its reply."""
        loop = asyncio.get_running_loop()
        if not self._queued:
            loop.call_soon(self._flush)
        reply: Future = loop.create_future()
        self._queued.append((command, reply))
        return reply

    def _flush(self) -> None:
        batch, self._queued = self._queued, []
        task = asyncio.create_task(self._send(batch))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, batch: list[tuple[tuple[Argument, ...], Future]]) -> None:
        pipeline = self.redis.pipeline(transaction=False)
        for command, _ in batch:
            pipeline.execute_command(*command)
        try:
            replies = await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            replies = [unavailable(error)] * len(batch)
        for (_, future), reply in zip(batch, replies, strict=True):
            if future.done():
                continue
            if isinstance(reply, REFUSALS):
                future.set_exception(unavailable(reply))
            elif isinstance(reply, Exception):
                future.set_exception(reply)
            else:
                future.set_result(reply)

    async def close(self) -> None:
        if self._sending:
            await asyncio.wait(self._sending)
        await self.redis.aclose()


def open_redis(url: str, **options: Any) -> Redis:
    """A redis-py client with a bounded, waiting pool and bounded retries. `options` go to each connection."""
    pool = BlockingConnectionPool.from_url(
        url,
        **{
            "protocol": 2,
            "max_connections": 32,
            "timeout": REPLY_TIMEOUT_S,
            "socket_timeout": REPLY_TIMEOUT_S,
            "socket_connect_timeout": REPLY_TIMEOUT_S,
            "retry": Retry(ExponentialWithJitterBackoff(base=0.02, cap=0.5), 3),
            **options,
        },
    )
    return Redis.from_pool(pool)


@asynccontextmanager
async def connect(url: str, **options: Any) -> AsyncIterator[Client]:
    client = Client(open_redis(url, **options))
    try:
        yield client
    finally:
        await client.close()


async def cancel(*tasks: asyncio.Task[None], reason: str) -> None:
    """Cancels tasks that talk to Redis, until they have ended.

    Once is not enough: before Python 3.12 `asyncio.wait_for`, which redis-py uses, may swallow a cancel.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel(reason)
        await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)
