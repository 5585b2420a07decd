"""A log is short-lived: the events of a run go some time after its end, whatever else its thread does."""

import pytest

from tests.engine.conftest import Engine
from tests.waiting import wait_until


async def run_once(engine: Engine, number: int, keep_s: int) -> None:
    await engine.submit(f"run-{number}")
    claim = await engine.claimed()
    await engine.append(claim, 0, str(number))
    await engine.finish(claim, 1, keep_s=keep_s)


async def told(engine: Engine) -> list[str]:
    return [data for _, data in await engine.log() if data.isdecimal()]


async def test_a_thread_that_is_used_on_and_on_forgets_old_runs(engine: Engine) -> None:
    number = 0

    async def forgotten() -> bool:
        nonlocal number
        number += 1
        await run_once(engine, number, keep_s=1)
        return "1" not in await told(engine)

    await wait_until(forgotten, "the first run's events are gone", every_s=0.1)
    left = await told(engine)
    assert left == [str(one) for one in range(number - len(left) + 1, number + 1)]
    assert [id.split("-")[1] for id, _ in await engine.log()][-1] == str(number * 3)


@pytest.mark.parametrize("keep_s", [60, 600])
async def test_what_is_younger_stays(engine: Engine, keep_s: int) -> None:
    for number in range(20):
        await run_once(engine, number, keep_s)
    assert await told(engine) == [str(number) for number in range(20)]
