"""How each saver is opened, as its users do: `OPENERS[name](url, graph)` gives the saver for each run.

Libraries are loaded by name: each contender has only its own.
"""

import importlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver

TTL_MINUTES = 1440

Saver = BaseCheckpointSaver[Any]
ForRun = Callable[[str], Awaitable[Saver]]  # by the thread it will run on
Opener = Callable[[str, Any], AbstractAsyncContextManager[ForRun]]


def same(saver: Saver) -> ForRun:
    async def for_run(thread_id: str) -> Saver:
        return saver

    return for_run


@asynccontextmanager
async def fenced(url: str, graph: Any) -> AsyncIterator[ForRun]:
    """As a worker of Holdfast has it: on shared connections, one saver a claim, fenced by its token."""
    client_module = importlib.import_module("holdfast.redis.client")
    keys = importlib.import_module("holdfast.redis.keys").Keys("bench-fenced", 1)
    checkpoint = importlib.import_module("holdfast.checkpoint")
    async with client_module.connect(url) as client:
        await client.open()
        saver = checkpoint.RedisSaver(client, keys, ttl_s=60 * TTL_MINUTES).for_graph(graph)

        async def for_run(thread_id: str) -> Saver:
            token = uuid.uuid4().hex
            await client.call("HSET", keys.thread(thread_id), "token", token)
            run: Saver = saver.for_run(token)
            return run

        yield for_run


@asynccontextmanager
async def alone(url: str, graph: Any) -> AsyncIterator[ForRun]:
    """As its own documentation says, without the rest of Holdfast."""
    checkpoint = importlib.import_module("holdfast.checkpoint")
    async with checkpoint.RedisSaver.from_url(url, prefix="bench-alone", ttl_s=60 * TTL_MINUTES) as saver:
        yield same(saver.for_graph(graph))


@asynccontextmanager
async def langgraph_redis(url: str, graph: Any) -> AsyncIterator[ForRun]:
    module = importlib.import_module("langgraph.checkpoint.redis.aio")
    ttl = {"default_ttl": TTL_MINUTES, "refresh_on_read": True}
    async with module.AsyncRedisSaver.from_conn_string(url, ttl=ttl) as saver:
        yield same(saver)


@asynccontextmanager
async def postgres(url: str, graph: Any) -> AsyncIterator[ForRun]:
    module = importlib.import_module("langgraph.checkpoint.postgres.aio")
    async with module.AsyncPostgresSaver.from_conn_string(url) as saver:
        await saver.setup()
        yield same(saver)


@asynccontextmanager
async def memory(url: str, graph: Any) -> AsyncIterator[ForRun]:
    yield same(InMemorySaver())


OPENERS: dict[str, Opener] = {
    "fenced": fenced,
    "alone": alone,
    "langgraph_redis": langgraph_redis,
    "postgres": postgres,
    "memory": memory,
}
