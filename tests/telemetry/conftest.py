"""Holdfast that counts, and its port of metrics and probes."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from holdfast.cli.monitoring import monitored
from holdfast.core.health import Health
from holdfast.telemetry import metrics
from tests.servers import Live, free_port, live


@dataclass
class Watched:
    """A server, and the port beside it; `stopping` as if it was told to stop."""

    server: Live
    port: int
    stopping: bool = False

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """On another thread, as the port is: also while the loop is blocked."""
        url = f"http://127.0.0.1:{self.port}{path}"
        return await asyncio.to_thread(httpx.get, url, headers=headers, timeout=10)

    async def scrape(self) -> "Samples":
        return Samples.read((await self.get("/metrics")).text)


@dataclass
class Samples:
    """What was scraped: values by name and labels, and the type of each family."""

    values: Mapping[tuple[str, frozenset[tuple[str, str]]], float]
    types: Mapping[str, str]

    @classmethod
    def read(cls, text: str) -> "Samples":
        families = list(text_string_to_metric_families(text))
        samples = [sample for family in families for sample in family.samples]
        values = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
        return cls(values, {family.name: family.type for family in families})

    def value(self, name: str, **labels: str) -> float:
        """0 for what has not happened."""
        return self.values.get((f"holdfast_{name}", frozenset(labels.items())), 0.0)

    @property
    def labels(self) -> Iterable[tuple[str, frozenset[str]]]:
        """The names of the labels of each sample."""
        return [(name, frozenset(dict(labels))) for name, labels in self.values]


@asynccontextmanager
async def watched(redis_url: str, **settings: Any) -> AsyncIterator[Watched]:
    """What is read from Redis is always new."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "FLEET_KEEP_S", 0.0)
        async with opened(redis_url, **settings) as found:
            yield found


@asynccontextmanager
async def opened(redis_url: str, **settings: Any) -> AsyncIterator[Watched]:
    async with live(redis_url, metrics_port=free_port(), **settings) as server:
        port = server.platform.settings.metrics_port
        assert port
        found = Watched(server, port)
        health = Health(server.platform, lambda: found.stopping)
        if server.worker:
            health.watch_worker(server.worker.working)
        async with monitored(server.platform, health):
            yield found


@pytest.fixture(scope="module")
async def holdfast(redis_url: str) -> AsyncIterator[Watched]:
    async with watched(redis_url) as one:
        yield one
