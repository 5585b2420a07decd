"""A thread made under the id of one that has just gone with its only run, and whose log is still there."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from holdfast.errors import ThreadExists, ThreadNotFound
from holdfast.redis import lua
from holdfast.redis.lua import Place
from holdfast.redis.records import Caller
from tests.engine.conftest import DONE, ME, Engine

YOU = Caller("you", "here")


async def gone(engine: Engine) -> None:
    """A run that had the thread to itself, and said two things."""
    await engine.submit("r1")
    claim = await engine.claimed()
    await engine.append(claim, 0, "a", "b")
    await engine.finish(claim, 2, replace(DONE, after="delete"))


async def create(engine: Engine, caller: Caller, ttl_s: int = 0) -> None:
    await lua.create_thread(
        engine.client,
        engine.keys,
        engine.thread_id,
        caller,
        now=datetime.now(UTC),
        metadata={},
        ttl_minutes=None,
        default_ttl_s=ttl_s,
    )


async def test_its_first_run_is_claimed_and_logged_after_what_is_there(engine: Engine) -> None:
    await gone(engine)
    before = await engine.log()
    assert before == [("1-1", "metadata"), ("1-2", "a"), ("1-3", "b"), ("1-4", "end")]
    assert await engine.submit("r2") == Place(1, 4)
    claim = await engine.claimed()
    await engine.append(claim, 0, "c")
    await engine.finish(claim, 1)
    assert await engine.log() == [*before, ("2-5", "metadata"), ("2-6", "c"), ("2-7", "end")]
    assert await engine.client.call("EXISTS", engine.keys.departed(engine.thread_id)) == 0


async def test_what_is_logged_before_a_claim_comes_after_it_too(engine: Engine) -> None:
    await gone(engine)
    await engine.submit("r2")
    await engine.submit("r3", strategy="rollback")
    assert (await engine.log())[-1] == ("1-5", "end")


async def test_events_that_were_taken_out_count_too(engine: Engine) -> None:
    await gone(engine)
    events = engine.keys.events(engine.thread_id)
    await engine.client.call("XDEL", events, *(id for id, _ in await engine.log()))
    assert await engine.submit("r2") == Place(1, 4)
    await engine.claimed()
    assert await engine.log() == [("2-5", "metadata")]


async def test_a_thread_without_a_run_is_made_the_same_way(engine: Engine) -> None:
    await gone(engine)
    await create(engine, ME, ttl_s=20)
    assert 0 < await engine.client.call("TTL", engine.keys.events(engine.thread_id)) <= 20
    await engine.submit("r2")
    await engine.claimed()
    assert (await engine.log())[-1] == ("2-5", "metadata")
    assert await engine.client.call("TTL", engine.keys.events(engine.thread_id)) == -1


async def test_nobody_else_gets_the_id_while_its_log_is_kept(engine: Engine) -> None:
    await gone(engine)
    before = await engine.log()
    with pytest.raises(ThreadExists):
        await create(engine, YOU)
    with pytest.raises(ThreadNotFound):
        await engine.submit("r2", caller=YOU)
    with pytest.raises(ThreadNotFound):
        await engine.submit("r2", caller=Caller("me", "elsewhere"))
    assert await engine.log() == before
    gone_keys = engine.keys.events(engine.thread_id), engine.keys.departed(engine.thread_id)
    await engine.client.call("DEL", *gone_keys)  # their time is up
    assert await engine.submit("r2", caller=YOU) == Place(0, 0)
