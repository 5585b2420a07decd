"""Which checkpointer a process uses: the setting CHECKPOINTER."""

import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from holdfast.allowed_types import NO_TYPES, AllowedTypes
from holdfast.checkpoint.runs import RunSaver
from holdfast.checkpoint.saver import RedisSaver
from holdfast.checkpoint.serde import Serializer
from holdfast.errors import StartError
from holdfast.redis.client import Client
from holdfast.redis.keys import Keys

HOLDFAST = "holdfast"
LANGGRAPH_CHECKPOINT_REDIS = "langgraph-checkpoint-redis"
CHOICES = (HOLDFAST, LANGGRAPH_CHECKPOINT_REDIS)


@asynccontextmanager
async def open_checkpointer(
    choice: str, client: Client, keys: Keys, *, ttl_s: int = 0, allowed: AllowedTypes = NO_TYPES
) -> AsyncIterator[RunSaver]:
    """The chosen checkpointer, ready to use, on the connections of `client`.

    `allowed` is as `Serializer` has it. Raises `StartError` for an unknown choice, and when the server lacks
    what the choice needs.
    """
    if choice == HOLDFAST:
        yield RedisSaver(client, keys, ttl_s=ttl_s, serde=Serializer(allowed))
    elif choice == LANGGRAPH_CHECKPOINT_REDIS and len(await client.servers()) > 1:
        raise StartError(f"CHECKPOINTER={choice} does not work on a cluster: use {HOLDFAST}.")
    elif choice == LANGGRAPH_CHECKPOINT_REDIS:
        # By name, because it takes a second to load and most processes never need it.
        hardened = importlib.import_module("holdfast.checkpoint.hardened")
        async with hardened.HardenedRedisSaver(client.redis, ttl_s=ttl_s, allowed=allowed) as saver:
            yield saver
    else:
        raise StartError(f"CHECKPOINTER={choice} is not known: use {' or '.join(CHOICES)}.")
