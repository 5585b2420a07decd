"""Workers that die, stop, hang or are poisoned: real processes, and the runs go on elsewhere."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers import SERVED, Live, holdfast, live, said
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(120)


@dataclass
class Workers:
    """An API in this process; workers in processes of their own, that write into one file what they do."""

    api: Live
    notes: Path
    environment: dict[str, str]

    def work(self) -> Any:
        return holdfast("worker", "--config", str(SERVED), **self.environment)

    def noted(self) -> list[str]:
        return self.notes.read_text().splitlines() if self.notes.exists() else []

    async def wait_for_notes(self, count: int) -> None:
        async def there() -> bool:
            return len(self.noted()) >= count

        await wait_until(there, f"{count} notes", 30)

    async def steps(self, delay: float) -> tuple[str, str]:
        """A run of three steps of so many seconds: its thread and itself."""
        sdk = self.api.sdk()
        thread = await sdk.threads.create()
        run = await sdk.runs.create(thread["thread_id"], "steps", input={"delay": delay})
        return thread["thread_id"], run["run_id"]

    async def counts(self, thread_id: str, run_id: str) -> tuple[int, int]:
        """(attempts, attempts that counted as failures) so far."""
        platform = self.api.platform
        runs = platform.keys.runs(thread_id)
        attempt, failures = await platform.client.call(
            "HMGET", runs, f"{run_id}:attempt", f"{run_id}:failures"
        )
        return int(attempt), int(failures)


@asynccontextmanager
async def workers(redis_url: str, folder: Path, **settings: Any) -> AsyncIterator[Workers]:
    notes = folder / "notes"
    async with live(redis_url, worker=False, **settings) as api:
        environment = {
            "REDIS_URL": redis_url,
            "HOLDFAST_PREFIX": api.platform.keys.prefix,
            "HOLDFAST_LEASE_S": "1",
            "SERVED_NOTES": str(notes),
        }
        yield Workers(api, notes, environment)


@pytest.fixture
async def group(redis_url: str, tmp_path: Path) -> AsyncIterator[Workers]:
    async with workers(redis_url, tmp_path) as found:
        yield found


async def test_the_runs_of_a_killed_worker_go_on_where_they_were(group: Workers) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(group.work())
        thread_id, run_id = await group.steps(0.4)
        await group.wait_for_notes(1)
        first.send_signal(signal.SIGKILL)
        await stack.enter_async_context(group.work())
        values: Any = await group.api.sdk().runs.join(thread_id, run_id)
    assert values["log"] == ["step 0", "step 1", "step 2"]
    # The step that was cut off runs again, a step that had ended does not.
    assert len(group.noted()) <= 4
    assert await group.counts(thread_id, run_id) == (2, 2)


async def test_a_stopping_worker_hands_its_runs_back_at_the_next_step(group: Workers) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(group.work())
        thread_id, run_id = await group.steps(0.4)
        await group.wait_for_notes(1)
        first.send_signal(signal.SIGTERM)
        await asyncio.wait_for(first.wait(), 10)
        assert (await group.api.sdk().runs.get(thread_id, run_id))["status"] == "pending"
        await stack.enter_async_context(group.work())
        values: Any = await group.api.sdk().runs.join(thread_id, run_id)
    assert values["log"] == ["step 0", "step 1", "step 2"]
    assert group.noted() == ["step 0", "step 1", "step 2"], "no step runs twice"
    assert await group.counts(thread_id, run_id) == (2, 1)


async def test_a_stopped_worker_that_wakes_up_writes_nothing(group: Workers) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(group.work())
        thread_id, run_id = await group.steps(0.6)
        await group.wait_for_notes(1)
        first.send_signal(signal.SIGSTOP)
        await stack.enter_async_context(group.work())
        values: Any = await group.api.sdk().runs.join(thread_id, run_id)
        before = await state(group.api, thread_id)
        first.send_signal(signal.SIGCONT)
        # Its next write is refused: it gives the run up and says so.
        await said_by(first, b"run given up")
        assert await state(group.api, thread_id) == before
    assert values["log"] == ["step 0", "step 1", "step 2"]


async def test_a_run_that_ends_its_worker_is_given_up(redis_url: str, tmp_path: Path) -> None:
    async with workers(redis_url, tmp_path) as group, AsyncExitStack() as stack:
        sdk = group.api.sdk()
        thread = await sdk.threads.create()
        run = await sdk.runs.create(thread["thread_id"], "poison", input=said("die"))
        for attempt in range(1, 4):
            process = await stack.enter_async_context(group.work())
            await asyncio.wait_for(process.wait(), 30)
            assert len(group.noted()) == attempt
        await stack.enter_async_context(group.work())
        neighbour = await sdk.threads.create()
        assert await sdk.runs.wait(neighbour["thread_id"], "echo", input=said("hi"))
        values: Any = await sdk.runs.join(thread["thread_id"], run["run_id"])
        assert "poisoned" in values["__error__"]["message"]
        assert (await sdk.runs.get(thread["thread_id"], run["run_id"]))["status"] == "error"
        assert len(group.noted()) == 3


async def test_a_graph_that_blocks_the_loop_keeps_its_run(group: Workers) -> None:
    """Leases are renewed on a thread of their own."""
    async with group.work(), group.work():
        sdk = group.api.sdk()
        thread = await sdk.threads.create()
        values: Any = await sdk.runs.wait(thread["thread_id"], "block", input={"delay": 3})
    assert values["log"] == ["blocked"]
    assert group.noted() == ["blocked"]


async def said_by(process: asyncio.subprocess.Process, words: bytes) -> None:
    """Reads what a process says until it has said this."""
    assert process.stdout is not None
    async with asyncio.timeout(30):
        async for line in process.stdout:
            if words in line:
                return
    raise AssertionError(f"the process never said {words!r}")


async def state(api: Live, thread_id: str) -> Any:
    """Everything that a zombie could change: record, runs, events, checkpoints."""
    client, keys = api.platform.client, api.platform.keys
    return [
        await client.call("HGETALL", keys.thread(thread_id)),
        await client.call("HGETALL", keys.runs(thread_id)),
        await client.call("XRANGE", keys.events(thread_id), "-", "+"),
        await client.call("HGETALL", keys.checkpoints(thread_id)),
    ]
