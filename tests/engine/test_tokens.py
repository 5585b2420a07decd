"""The tokens that runs use of models: each counted once, toward the day of who asked for the run."""

import pytest

from holdfast.errors import Fenced
from holdfast.redis import claims
from holdfast.redis.claims import Claim
from holdfast.redis.limits import spent
from holdfast.redis.records import Caller
from tests.engine.conftest import Engine

YOU = Caller("you", "here", staff=True)


async def spend(engine: Engine, claim: Claim, **used: int) -> None:
    await claims.spend(engine.client, engine.keys, claim, used)


async def counted(engine: Engine, subject: str = "me") -> int:
    used, _ = await spent(engine.client, engine.keys, "here", subject)
    return used


async def test_tasks_and_runs_add_up_for_who_asked(engine: Engine) -> None:
    await engine.submit("a")
    await engine.submit("b", caller=YOU)
    first = await engine.claimed()
    await spend(engine, first, one=10)
    await spend(engine, first, one=15, two=7)
    assert await counted(engine) == 22
    await engine.finish(first)
    second = await engine.claimed()
    await spend(engine, second, one=5)
    assert (await counted(engine), await counted(engine, "you")) == (22, 5)


async def test_a_count_whose_reply_was_lost_is_repeated_without_effect(engine: Engine) -> None:
    await engine.submit("a")
    claim = await engine.claimed()
    await spend(engine, claim, one=10, two=5)
    await spend(engine, claim, one=10, two=5)
    assert await counted(engine) == 15


async def test_what_runs_again_after_a_worker_died_counts_once(engine: Engine) -> None:
    await engine.submit("a")
    [entry] = await engine.queue.take(0, 1)
    old, new = await engine.claim_entry(entry.id), await engine.claim_entry(entry.id)
    assert old is not None
    assert new is not None
    with pytest.raises(Fenced):
        await spend(engine, old, one=10)
    await spend(engine, new, one=10, two=20)
    newest = await engine.claim_entry(entry.id)
    assert newest is not None
    await spend(engine, newest, two=12, three=8)
    assert await counted(engine) == 38, "the second task had used more before"
    await spend(engine, newest, two=24)
    assert await counted(engine) == 42


async def test_the_count_goes_at_midnight_and_the_tasks_with_their_run(engine: Engine) -> None:
    await engine.submit("a")
    claim = await engine.claimed()
    await spend(engine, claim, one=10)
    key = engine.keys.tokens(0, "here", "me")
    now, _ = await engine.client.call("TIME")
    ends = await engine.client.call("EXPIRETIME", key)
    assert ends % 86_400 == 0
    assert 0 < ends - int(now) <= 86_400
    used, left_s = await spent(engine.client, engine.keys, "here", "me")
    assert used == 10
    assert 0 <= left_s - (ends - int(now)) <= 1
    runs = engine.keys.runs(engine.thread_id)
    assert await engine.client.call("HEXISTS", runs, "a:tokens") == 1
    await engine.finish(claim)
    assert await engine.client.call("HEXISTS", runs, "a:tokens") == 0
    with pytest.raises(Fenced):
        await spend(engine, claim, one=20)
    await engine.client.call("DEL", key)  # midnight
    assert await counted(engine) == 0


async def test_the_lanes_of_a_caller_add_up(engine: Engine) -> None:
    keys = type(engine.keys)(engine.keys.prefix, 4)
    for lane in range(4):
        await engine.client.call("SET", keys.tokens(lane, "here", "me"), 10 + lane, "EX", 100)
    assert await spent(engine.client, keys, "here", "me") == (46, 100)
