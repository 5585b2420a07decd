"""Metrics and probes of a process, on a port of their own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client.exposition import choose_encoder

from holdfast.core.health import Check, Health, Report
from holdfast.core.platform import Platform
from holdfast.errors import Unavailable
from holdfast.events import dump
from holdfast.redis.figures import read_fleet
from holdfast.redis.leases import BLOCKED_LEASES
from holdfast.telemetry.fleet import Fleet
from holdfast.telemetry.metrics import Metrics
from holdfast.telemetry.pulse import PATIENCE_S, Pulse
from holdfast.telemetry.server import Page, Pages, serving

FLEET_S = 1.0  # that Redis has for the figures of a scrape
REPORT_S = 3.0


class Monitor:
    """Answers on a thread beside the event loop, which it asks."""

    def __init__(self, platform: Platform, health: Health, metrics: Metrics) -> None:
        self._platform = platform
        self._health = health
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._pulse = Pulse(self._loop)
        self._given_up_s = platform.settings.lease_s * BLOCKED_LEASES
        metrics.read_fleet(self._read_fleet)
        metrics.watch_loop(self._pulse.delay)

    @property
    def pages(self) -> Pages:
        return {"/metrics": self._show, "/livez": self._live, "/readyz": self._ready}

    def _show(self, accepted: str) -> Page:
        encode, media_type = choose_encoder(accepted)
        return Page(encode(self._metrics.registry), media_type=media_type)

    def _live(self, _accepted: str) -> Page:
        """A loop that is blocked for so long has lost its leases: only a restart helps it."""
        delay_s = self._pulse.delay()
        return shown(Report([turning(delay_s, self._given_up_s)]))

    def _ready(self, _accepted: str) -> Page:
        delay_s = self._pulse.delay()
        loop = turning(delay_s, PATIENCE_S)
        if not loop.ok:
            return shown(Report([loop]))
        asked = asyncio.run_coroutine_threadsafe(self._health.report(), self._loop)
        try:
            report = asked.result(REPORT_S)
        except TimeoutError:
            return shown(Report([turning(delay_s + REPORT_S, PATIENCE_S)]))
        return shown(Report([*report.checks, loop], report.warning))

    def _read_fleet(self) -> Fleet | None:
        read = read_fleet(self._platform.client, self._platform.keys)
        try:
            return asyncio.run_coroutine_threadsafe(read, self._loop).result(FLEET_S)
        except (TimeoutError, Unavailable):
            return None


def turning(delay_s: float, limit_s: float) -> Check:
    if delay_s < limit_s:
        return Check("loop", f"The event loop answered after {delay_s:.3f} s.")
    return Check(
        "loop",
        f"The event loop has not turned for {delay_s:.1f} s: something in a graph or a route blocks it.",
        "blocked",
    )


def shown(report: Report) -> Page:
    return Page(dump(report.shown()), 200 if report.ok else 503)


@asynccontextmanager
async def monitored(platform: Platform, health: Health) -> AsyncIterator[None]:
    """Serves them where HOLDFAST_METRICS_PORT is set. Raises `StartError` when that cannot be used."""
    settings = platform.settings
    if settings.metrics_port is None or not isinstance(platform.recorder, Metrics):
        yield
        return
    monitor = Monitor(platform, health, platform.recorder)
    async with serving(settings.metrics_host, settings.metrics_port, monitor.pages):
        yield
