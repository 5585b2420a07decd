"""Timers on a real server: who gets what is due, and what becomes of it."""

from typing import Any

import pytest

from holdfast.redis import timers
from holdfast.redis.timers import Timer
from tests.engine.conftest import Engine

HELD_MS = 1000


async def take(engine: Engine, now_ms: int, *kinds: str, count: int = 10, until_ms: int = 0) -> list[Timer]:
    until_ms = until_ms or now_ms + HELD_MS
    known = kinds or ("bell",)
    return await timers.take(engine.client, engine.keys, 0, known, now_ms, until_ms=until_ms, count=count)


async def settle(engine: Engine, timer: Timer, due_ms: int | None, *, until_ms: int) -> None:
    await timers.settle(engine.client, engine.keys, 0, {timer: due_ms}, until_ms=until_ms)


async def ring_at(engine: Engine, id: str, due_ms: int, kind: str = "bell") -> None:
    await timers.set_timer(engine.client, engine.keys, 0, kind, id, due_ms)


async def left(engine: Engine) -> dict[str, float]:
    found: Any = await engine.client.call("ZRANGE", engine.keys.timers(0), 0, -1, "WITHSCORES")
    return {found[i].decode(): float(found[i + 1]) for i in range(0, len(found), 2)}


async def test_a_timer_is_taken_when_it_is_due_and_by_one(engine: Engine) -> None:
    await ring_at(engine, "a", 100)
    assert await take(engine, 99) == []
    assert await take(engine, 100) == [Timer(0, "bell", "a", 100)]
    assert await take(engine, 101) == []


async def test_what_is_not_dealt_with_in_time_is_due_again(engine: Engine) -> None:
    await ring_at(engine, "a", 100)
    assert len(await take(engine, 100)) == 1
    assert await take(engine, 100 + HELD_MS - 1) == []
    assert len(await take(engine, 100 + HELD_MS)) == 1


async def test_a_repeated_take_finds_its_own(engine: Engine) -> None:
    """The first reply was lost on its way."""
    await ring_at(engine, "a", 100)
    first = await take(engine, 100)
    again = await engine.client.run(
        timers.TAKE, [engine.keys.timers(0)], [100, 100 + HELD_MS, first[0].member]
    )
    assert again == [first[0].member.encode()]


@pytest.mark.parametrize(("due_ms", "expected"), [(None, {}), (900, {"bell\x1fa": 900})])
async def test_what_is_dealt_with_goes_or_gets_its_next_time(
    engine: Engine, due_ms: int | None, expected: dict[str, float]
) -> None:
    await ring_at(engine, "a", 100)
    [timer] = await take(engine, 100)
    await settle(engine, timer, due_ms, until_ms=100 + HELD_MS)
    assert await left(engine) == expected


async def test_what_was_set_since_it_was_taken_stays(engine: Engine) -> None:
    await ring_at(engine, "a", 100)
    [timer] = await take(engine, 100)
    await ring_at(engine, "a", 500)
    await settle(engine, timer, None, until_ms=100 + HELD_MS)
    assert await left(engine) == {"bell\x1fa": 500}


async def test_a_worker_that_is_late_takes_nothing_off_that_another_holds(engine: Engine) -> None:
    await ring_at(engine, "a", 100)
    [timer] = await take(engine, 100)
    await take(engine, 5000)
    await settle(engine, timer, None, until_ms=100 + HELD_MS)
    assert await left(engine) == {"bell\x1fa": 5000 + HELD_MS}


async def test_a_kind_that_is_not_known_is_left_for_those_who_know_it(engine: Engine) -> None:
    await ring_at(engine, "a", 50, "newer")
    await ring_at(engine, "b", 100)
    assert [timer.id for timer in await take(engine, 100)] == ["b"]
    assert (await left(engine))["newer\x1fa"] == 50
    assert [timer.id for timer in await take(engine, 100, "newer")] == ["a"]


async def test_the_first_come_first_and_no_more_than_asked_for(engine: Engine) -> None:
    for number in range(5):
        await ring_at(engine, str(number), 100 - number)
    assert {timer.id for timer in await take(engine, 100, count=2)} == {"4", "3"}
    assert {timer.id for timer in await take(engine, 100, count=9)} == {"2", "1", "0"}


async def test_a_timer_is_cleared(engine: Engine) -> None:
    await ring_at(engine, "a", 100)
    await timers.clear_timer(engine.client, engine.keys, 0, "bell", "a")
    assert await left(engine) == {}


async def test_the_clock_is_the_servers(engine: Engine) -> None:
    seconds, _ = await engine.client.call("TIME")
    assert abs(await timers.clock_ms(engine.client) - int(seconds) * 1000) < 5000
