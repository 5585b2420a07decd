"""What a process is made of: settings, project, and the connections that all its parts share."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from langgraph.pregel import Pregel
from langgraph.store.base import TTLConfig

from holdfast import __version__
from holdfast.auth.rules import Rules
from holdfast.checkpoint import HOLDFAST, RedisSaver, RunSaver, open_checkpointer
from holdfast.core.webhooks.targets import Targets
from holdfast.limits import Rates, Streams
from holdfast.project import Project
from holdfast.redaction import Redactor, choose_redactor
from holdfast.redis.client import Client, connect
from holdfast.redis.disk import Disk
from holdfast.redis.keys import Keys
from holdfast.redis.stream import Hub
from holdfast.settings import Settings
from holdfast.store import NOBODY, Index, RedisStore
from holdfast.telemetry.metrics import Metrics
from holdfast.telemetry.recorder import SILENT, Recorder
from holdfast.telemetry.tracing import Tracing, open_tracing

Graph = Pregel[Any, Any, Any, Any]


@dataclass(frozen=True)
class Platform:
    settings: Settings
    project: Project
    rules: Rules
    redis_url: str
    keys: Keys
    client: Client
    hub: Hub
    disk: Disk
    checkpointer: RunSaver
    rates: Rates
    streams: Streams
    started_at: datetime
    targets: Targets
    index: Index | None = None
    recorder: Recorder = SILENT
    tracing: Tracing | None = None
    _savers: dict[str, RunSaver] = field(default_factory=dict)

    @cached_property
    def redactor(self) -> Redactor | None:
        return choose_redactor(self.settings.redact)

    def told(self, data: bytes) -> bytes:
        """JSON from a checkpoint or a record as the log tells it, where it stands in for the log."""
        return self.redactor.json(data) if self.redactor else data

    @property
    def foreign_checkpointer(self) -> bool:
        """Whether checkpoints are kept by another checkpointer than ours: outside the thread's own keys."""
        return not isinstance(self.checkpointer, RedisSaver)

    def saver(self, graph_id: str, graph: Graph, token: str = "") -> RunSaver:
        """The checkpointer for one claim; without a token, for changes while no run is active."""
        if graph_id not in self._savers:
            self._savers[graph_id] = self.checkpointer.for_graph(graph)
        return self._savers[graph_id].for_run(token)

    def store(self, tenant: str, person: str, *, owner: str = "", reads_shared: bool = False) -> RedisStore:
        """The store of a tenant: what is put belongs to `person`, what is seen to `owner`, "" for all."""
        ttl = self.project.store.ttl
        return RedisStore(
            self.client,
            self.keys,
            tenant,
            person=person,
            owner=owner,
            index=self.index,
            ttl=TTLConfig(default_ttl=ttl.default_ttl, refresh_on_read=ttl.refresh_on_read) if ttl else None,
            reads_shared=reads_shared,
            most=self.settings.max_items_of_tenant,
        )

    def shared_store(self) -> RedisStore:
        """What the project shares with the graphs of all tenants, to be put by the project alone."""
        return RedisStore(self.client, self.keys, NOBODY, index=self.index)


@asynccontextmanager
async def open_platform(settings: Settings, project: Project, redis_url: str) -> AsyncIterator[Platform]:
    targets = Targets.of(settings, project.webhooks.url)
    async with AsyncExitStack() as stack:
        keys = Keys(settings.prefix, settings.lanes)
        recorder = Metrics(__version__) if settings.metrics_port else SILENT
        tracing = await stack.enter_async_context(
            open_tracing(settings.traces, __version__, settings.traces_a_second)
        )
        client = await stack.enter_async_context(connect(redis_url, recorder=recorder))
        await client.open()
        hub = await stack.enter_async_context(Hub(client, keys, redis_url).running())
        disk = Disk(redis_url, keys)
        stack.push_async_callback(disk.close)
        # Ours expires with its thread, in the thread's own keys; another has to look after itself.
        own = settings.checkpointer == HOLDFAST
        checkpointer = await stack.enter_async_context(
            open_checkpointer(
                settings.checkpointer,
                client,
                keys,
                ttl_s=0 if own else max(project.ttl_s, 0),
                allowed=project.allowed_types,
            )
        )
        streams = await stack.enter_async_context(Streams(client, keys, settings).running())
        started_at = await installed_at(client, keys)
        yield Platform(
            settings,
            project,
            Rules(project.auth),
            redis_url,
            keys,
            client,
            hub,
            disk,
            checkpointer,
            Rates(client, keys, settings),
            streams,
            started_at,
            targets,
            make_index(project),
            recorder,
            tracing,
        )


def make_index(project: Project) -> Index | None:
    asked = project.store.index
    if asked is None or project.embeddings is None:
        return None
    return Index(project.embeddings, asked.dims, asked.fields)


async def installed_at(client: Client, keys: Keys) -> datetime:
    """When this installation first started: the time at which its graphs became assistants."""
    await client.call("HSETNX", keys.installation(), "created_at", datetime.now(UTC).isoformat())
    return datetime.fromisoformat((await client.call("HGET", keys.installation(), "created_at")).decode())
