"""A worker that stops in the middle of a step which takes longer than its grace time."""

import signal
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chaos.sites import site
from tests.chaos.truth import overlaps, unkept
from tests.chaos.zombies import busy_worker
from tests.chaos.zygote import Zygote, zygote
from tests.waiting import wait_until


@pytest.fixture
async def parent(tmp_path: Path) -> AsyncIterator[Zygote]:
    async with zygote(tmp_path) as running:
        yield running


async def test_a_step_that_is_too_long_has_ended_here_before_it_begins_elsewhere(
    parent: Zygote, tmp_path: Path
) -> None:
    async with site(parent, tmp_path, GRACE_S="0.3") as place:
        await place.work()
        await place.work()
        threads = [str(uuid.uuid4()) for _ in range(20)]
        for thread_id in threads:
            await place.submit(thread_id, 0, steps=1, nap_s=2.0)
        victim = await busy_worker(place, threads[-1])
        victim.send(signal.SIGTERM)
        await victim.wait(15)

        async def elsewhere() -> bool:
            return {step.thread_id for step in place.steps() if step.pid != victim.pid} >= set(threads)

        await wait_until(elsewhere, "every run goes on elsewhere", 15)
        assert overlaps(place.steps(), place.deaths()) == []


async def test_half_of_what_a_cut_off_step_wrote_is_not_taken_for_all(parent: Zygote, tmp_path: Path) -> None:
    """It had written its values, and was choosing what comes next."""
    async with site(parent, tmp_path, GRACE_S="0.3") as place:
        await place.work()
        thread_id = str(uuid.uuid4())
        run_id = await place.submit(thread_id, 0, steps=2, choice_s=1.5)

        async def stepped() -> bool:
            return any(step.whole for step in place.steps())

        await wait_until(stepped, "the first step has ended")
        [victim] = place.workers
        victim.send(signal.SIGTERM)
        await victim.wait(15)
        await place.work()
        await place.wait_for_runs(20)
        assert await unkept(place.platform, {thread_id: [run_id]}, 2) == []
