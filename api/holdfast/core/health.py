"""Whether a process takes new work, and why not: each thing that this hangs on, with a sentence."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.core.checkup import Checkup
from holdfast.core.platform import Platform
from holdfast.errors import Unavailable
from holdfast.redis.checks import KEEPS, check_ready, read_policy

POLICY_AGAIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing; `reason` is a word for programs, of what is not as it should be."""

    name: str
    detail: str
    reason: str = ""

    @property
    def ok(self) -> bool:
        return not self.reason


@dataclass(frozen=True, slots=True)
class Report:
    """All of them; a `warning` makes nobody unready."""

    checks: Sequence[Check]
    warning: str | None = None

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    def shown(self) -> dict[str, Any]:
        """With `reason` and `detail` of the first that is not as it should be."""
        checks = [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in self.checks]
        failed = next((check for check in self.checks if not check.ok), None)
        why = {"reason": failed.reason, "detail": failed.detail, "code": Unavailable.code} if failed else {}
        warning = {"warning": self.warning} if self.warning else {}
        return {"ok": self.ok, **why, **warning, "checks": checks}


class Health:
    """What a process says of itself; `stopping` whether it was told to stop."""

    def __init__(self, platform: Platform, stopping: Callable[[], bool]) -> None:
        self._platform = platform
        self._stopping = stopping
        self._working: Callable[[], bool] | None = None
        self._checkup = Checkup(platform.project.hooks.check)
        self._policy = KEEPS
        self._asked_at = -math.inf

    def watch_worker(self, working: Callable[[], bool]) -> None:
        """Has it say also whether the worker in this process is at work."""
        self._working = working

    async def report(self) -> Report:
        checks = [self._process(), await self._redis()]
        if checks[-1].ok:
            checks.append(await self._memory())
        if self._working:
            checks.append(worker(working=self._working()))
        return Report(checks, self._checkup.problem())

    def _process(self) -> Check:
        if self._stopping():
            return Check("process", "This process is stopping: ask another one.", "stopping")
        return Check("process", "This process takes new work.")

    async def _redis(self) -> Check:
        try:
            await check_ready(self._platform.client, self._platform.keys)
        except Unavailable as error:
            return Check("redis", error.detail, error.reason)
        return Check("redis", "Redis takes what is written.")

    async def _memory(self) -> Check:
        """Whether Redis keeps what it took, which somebody may have changed since the start."""
        if time.monotonic() - self._asked_at >= POLICY_AGAIN_S:
            try:
                self._policy = await read_policy(self._platform.client)
            except Unavailable as error:
                return Check("memory", error.detail, error.reason)
            self._asked_at = time.monotonic()
        if self._policy == KEEPS or self._platform.settings.allow_eviction:
            return Check("memory", f"Redis has maxmemory-policy {self._policy}.")
        return Check(
            "memory",
            f"Redis may evict what it keeps (maxmemory-policy {self._policy}): set it to {KEEPS}.",
            "evicting",
        )


def worker(*, working: bool) -> Check:
    if working:
        return Check("worker", "The worker takes runs.")
    return Check("worker", "A part of the worker has ended: restart this process.", "worker")
