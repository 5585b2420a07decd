"""Who changes a thing that others change meanwhile tries again, and is told so when that does not end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from holdfast.auth.dev import TENANT
from holdfast.core import assistants, crons, holds, racing, ratings
from holdfast.errors import Contended
from holdfast.redis.lua import Raced
from holdfast.redis.records import Caller
from holdfast.wire.assistants import AssistantPatch
from holdfast.wire.crons import CronPatch
from holdfast.wire.threads import HoldPut, RatingPut
from tests.servers import Live

ANN = Caller("ann", TENANT)
AT_ONCE = 5

Change = Callable[[int], Awaitable[object]]


async def rate(server: Live) -> Change:
    thread = await server.sdk("ann").threads.create()
    return lambda number: ratings.put(
        server.platform, ANN, thread["thread_id"], RatingPut(score=1 + number % 5)
    )


async def take(server: Live) -> Change:
    thread = await server.sdk("ann").threads.create()
    takers = [
        Caller(f"eve {number}", TENANT, ("operator",), staff=True, may_hold=True) for number in range(AT_ONCE)
    ]
    return lambda number: holds.put(server.platform, takers[number], thread["thread_id"], HoldPut())


async def hand_back(server: Live) -> Change:
    thread = await server.sdk("ann").threads.create()
    await holds.put(server.platform, ANN, thread["thread_id"], HoldPut())
    return lambda _: holds.release(server.platform, ANN, thread["thread_id"], None)


async def plan(server: Live) -> Change:
    cron: Any = await server.sdk("ann").crons.create("echo", schedule="0 0 1 1 *", input={})
    asked = CronPatch(schedule="0 0 2 1 *")
    return lambda _: crons.update(server.platform, ANN, cron["cron_id"], asked)


async def rename(server: Live) -> Change:
    made = await server.sdk("ann").assistants.create("voiced")
    return lambda number: assistants.update(
        server.platform, ANN, made["assistant_id"], AssistantPatch(name=f"{number}")
    )


@pytest.mark.parametrize("prepare", [rate, take, hand_back, plan, rename])
async def test_a_change_gives_up_in_the_end(
    server: Live, monkeypatch: pytest.MonkeyPatch, prepare: Callable[[Live], Awaitable[Change]]
) -> None:
    """All of these read before any of them writes."""
    monkeypatch.setattr(racing, "TRIES", 1)
    change = await prepare(server)
    done = await asyncio.gather(*(change(number) for number in range(AT_ONCE)), return_exceptions=True)
    assert sorted(isinstance(one, Contended) for one in done) == [False, *[True] * (AT_ONCE - 1)], done


async def test_it_is_tried_again_until_it_is_done() -> None:
    left = iter(range(racing.TRIES - 1))

    async def attempt() -> str:
        for _ in left:
            raise Raced
        return "done"

    assert await racing.again(attempt) == "done"


async def test_the_refusal_says_what_to_do() -> None:
    async def attempt() -> None:
        raise Raced

    with pytest.raises(Contended, match="try again in a moment") as refused:
        await racing.again(attempt)
    assert (refused.value.status, refused.value.code) == (409, "contended")
