"""What a process is made of: settings, project, and the connections that all its parts share."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver

from holdfast.checkpoint import RedisSaver
from holdfast.project import Project
from holdfast.redis.client import Client, connect
from holdfast.redis.keys import Keys
from holdfast.redis.stream import Hub
from holdfast.settings import Settings


@dataclass(frozen=True)
class Platform:
    settings: Settings
    project: Project
    redis_url: str
    keys: Keys
    client: Client
    hub: Hub
    checkpointer: BaseCheckpointSaver[Any]

    def saver(self, token: str = "") -> BaseCheckpointSaver[Any]:
        """The checkpointer for one claim; without a token, for changes while no run is active."""
        if isinstance(self.checkpointer, RedisSaver):
            return self.checkpointer.for_run(token)
        return self.checkpointer


@asynccontextmanager
async def open_platform(settings: Settings, project: Project, redis_url: str) -> AsyncIterator[Platform]:
    async with AsyncExitStack() as stack:
        keys = Keys(settings.prefix, settings.lanes)
        client = await stack.enter_async_context(connect(redis_url))
        hub = await stack.enter_async_context(Hub(client, keys, redis_url).running())
        checkpointer = RedisSaver(client, keys)
        yield Platform(settings, project, redis_url, keys, client, hub, checkpointer)
