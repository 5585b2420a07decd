"""Ending the tasks that talk to Redis."""

import asyncio

import pytest

from holdfast.redis.client import cancel


async def deaf(times: int) -> None:
    """Swallows cancels, as `asyncio.wait_for` of Python 3.11 does when its work ends at the same moment."""
    for _ in range(times):
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            continue
    await asyncio.sleep(3600)


async def test_a_task_that_swallows_a_cancel_is_cancelled_again() -> None:
    tasks = [asyncio.create_task(deaf(times)) for times in (0, 1, 2)]
    await asyncio.sleep(0)
    await asyncio.wait_for(cancel(*tasks, reason="the test ends"), 10)
    assert [task.cancelled() for task in tasks] == [True, True, True]


async def test_a_task_that_failed_is_left_to_whoever_awaits_it() -> None:
    async def fail() -> None:
        raise ValueError("boom")

    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    await cancel(task, reason="the test ends")
    with pytest.raises(ValueError, match="boom"):
        await task
