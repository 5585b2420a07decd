"""Where a scenario takes place: a Valkey, a parent that forks processes, the driver's own connection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from uuid_utils.compat import uuid7

from holdfast.core.platform import Platform, open_platform
from holdfast.core.requests import kwargs
from holdfast.errors import Unavailable
from holdfast.project import load_project
from holdfast.redis import lua
from holdfast.redis.assistants import NO_CONTENT
from holdfast.redis.records import Caller
from holdfast.settings import read_settings
from holdfast.wire.runs import RunCreate
from tests.chaos.truth import Step, read_notes
from tests.chaos.valkeys import Valkey, valkey
from tests.chaos.zygote import CONFIG, Child, Zygote
from tests.waiting import wait_until

CALLER = Caller("demo", "default", ("operator",))
T = TypeVar("T")


@dataclass
class Report:
    """What a scenario measured, and everything that was wrong."""

    figures: dict[str, float | int | str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@dataclass
class Site:
    valkey: Valkey
    zygote: Zygote
    platform: Platform
    notes: Path
    environment: dict[str, str]
    workers: list[Child] = field(default_factory=list)

    async def work(self) -> Child:
        child = self.zygote.fork("worker", **self.environment)
        self.workers.append(child)
        return child

    async def serve(self, port: int) -> Child:
        return self.zygote.fork("serve", str(port), **self.environment)

    async def submit(
        self, thread_id: str, number: int, *, steps: int = 3, nap_s: float = 0.01, choice_s: float = 0
    ) -> str:
        """Puts run `number` of a thread in line, once, however often that has to be tried."""
        run_id, now = str(uuid7()), datetime.now(UTC)
        spec = self.platform.project.graph("work")
        of_graph = {"graph_id": spec.graph_id, "assistant_id": spec.assistant_id}
        asked = RunCreate.model_validate(
            {
                "assistant_id": "work",
                "input": {"number": number, "steps": steps, "nap_s": nap_s, "at": 0, "choice_s": choice_s},
                "stream_mode": ["custom"],
                "config": {"recursion_limit": 10_000},
            }
        )
        request = {
            "run_id": run_id,
            "thread_id": thread_id,
            **of_graph,
            "metadata": of_graph,
            "multitask_strategy": "enqueue",
            "created_at": now.isoformat(),
            "caller": CALLER.subject,
            "roles": list(CALLER.roles),
            "kwargs": kwargs(asked, NO_CONTENT),
        }
        submission = lua.Submission(thread_id, run_id, request, CALLER, now, create=True, metadata=of_graph)
        await insist(lambda: lua.submit(self.platform.client, self.platform.keys, submission))
        return run_id

    async def left(self) -> int:
        """How many runs have not ended."""
        client, keys = self.platform.client, self.platform.keys
        count = await insist(lambda: client.call("HGET", keys.queued(0), ""))
        return int(count or 0)

    async def wait_for_runs(self, timeout_s: float) -> None:
        async def none_left() -> bool:
            return not await self.left()

        await wait_until(none_left, "every run has ended", timeout_s, every_s=0.1)

    def steps(self) -> list[Step]:
        return read_notes(self.notes)

    def deaths(self) -> dict[int, int]:
        return {pid: child.process.ended_at for pid, child in self.zygote.children.items() if child.ended}


async def insist(call: Callable[[], Awaitable[T]]) -> T:
    """Repeats what may be repeated until the server has answered."""
    while True:
        try:
            return await call()
        except Unavailable:
            await asyncio.sleep(0.1)


@asynccontextmanager
async def site(
    zygote: Zygote, folder: Path, *, fsync: str = "everysec", **settings: str
) -> AsyncIterator[Site]:
    """`settings` are those of the processes, by their names in the environment without HOLDFAST_."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(valkey(fsync))
        notes = folder / "notes"
        environment = {
            "REDIS_URL": server.url,
            "HOLDFAST_LOG_FORMAT": "json",
            "CHAOS_NOTES": str(notes),
            **{f"HOLDFAST_{name}": value for name, value in settings.items()},
        }
        platform = await stack.enter_async_context(
            open_platform(read_settings({}), load_project(CONFIG), server.url)
        )
        made = Site(server, zygote, platform, notes, environment)
        try:
            yield made
        finally:
            await zygote.end()
