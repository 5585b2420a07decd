"""Letters: written with what they tell of, taken by one, and settled by whoever has them."""

import asyncio
import uuid
from dataclasses import replace

import orjson
import pytest

from holdfast.errors import Fenced
from holdfast.redis import lua, outbox
from holdfast.redis.outbox import Address, Letter, Notice
from holdfast.redis.stream import Hub
from tests.engine.conftest import DONE, ME, Engine, now
from tests.waiting import wait_until

HOOKS = ["https://one.example/?a=ü", "https://two.example/"]
TOLD = replace(DONE, report=b'{"values":{"a":[]},"interrupts":[],"error":null}')
LEASE_MS = 60_000


async def submit(engine: Engine, run_id: str) -> None:
    request = {
        "run_id": run_id,
        "created_at": now().isoformat(),
        "multitask_strategy": "enqueue",
        "webhooks": HOOKS,
        "kwargs": {"input": {"empty": [], "exact": 1.0}},
    }
    asked = lua.Submission(engine.thread_id, run_id, request, ME, now(), create=True, metadata={})
    await lua.submit(engine.client, engine.keys, asked)


async def due(engine: Engine) -> list[Address]:
    return await outbox.due(engine.client, engine.keys, 0, 100)


async def take(engine: Engine, address: Address, lease_ms: int = LEASE_MS) -> Letter | None:
    return await outbox.take(engine.client, engine.keys, address, lease_ms)


async def taken(engine: Engine, address: Address, lease_ms: int = LEASE_MS) -> Letter:
    letter = await take(engine, address, lease_ms)
    assert letter is not None
    return letter


async def posted(engine: Engine) -> Address:
    """A letter on a thread that is at rest."""
    await engine.submit("r1")
    await engine.finish(await engine.claimed())
    notice = Notice("e", "approval.decided", HOOKS[:1], b'{"a":1}')
    await outbox.post(engine.client, engine.keys, engine.thread_id, notice)
    [address] = await due(engine)
    return address


async def test_an_end_and_its_letters_are_one(engine: Engine) -> None:
    await submit(engine, "r1")
    claim = await engine.claimed()
    assert await due(engine) == []
    await engine.finish(claim, outcome=TOLD)
    addresses = await due(engine)
    assert addresses == [Address(engine.thread_id, "r1-1"), Address(engine.thread_id, "r1-2")]
    letters = [await taken(engine, address) for address in addresses]
    assert [letter.url for letter in letters] == HOOKS
    content = letters[0].content
    assert content["run"]["outcome"] == orjson.loads(TOLD.report)
    assert content["run"]["request"]["kwargs"] == {"input": {"empty": [], "exact": 1.0}}
    assert content["run"]["started_at"] <= content["run"]["ended_at"]
    assert (content["type"], content["tenant"], content["digest"]) == ("run.ended", "here", ME.digest)


async def test_an_end_that_is_told_twice_is_delivered_once(engine: Engine) -> None:
    await submit(engine, "r1")
    claim = await engine.claimed()
    await engine.finish(claim, outcome=TOLD)
    for address in await due(engine):
        await outbox.withdraw(engine.client, engine.keys, address)
    await engine.finish(claim, outcome=TOLD)  # its reply was lost
    assert await due(engine) == []


async def test_a_worker_that_lost_its_thread_tells_nobody(engine: Engine) -> None:
    await submit(engine, "r1")
    claim = await engine.claimed()
    with pytest.raises(Fenced):
        await engine.finish(replace(claim, token="0:stale"), outcome=TOLD)
    assert await due(engine) == []


async def test_an_end_that_nobody_is_told_of_writes_no_letter(engine: Engine) -> None:
    await engine.submit("r1")
    await engine.finish(await engine.claimed())
    assert await engine.client.redis.keys(f"{engine.keys.prefix}:*outbox*") == []


async def test_a_thread_that_goes_with_its_run_leaves_the_letters(engine: Engine) -> None:
    await submit(engine, "r1")
    await engine.finish(await engine.claimed(), outcome=replace(TOLD, after="delete"))
    assert len(await due(engine)) == 2
    assert not await engine.client.call("EXISTS", engine.keys.thread(engine.thread_id))


async def test_only_one_takes_a_letter_until_its_lease_is_over(engine: Engine) -> None:
    address = await posted(engine)
    found = await asyncio.gather(*(take(engine, address, 50) for _ in range(20)))
    [first] = [letter for letter in found if letter]
    assert first.attempt == 1
    assert first.content["payload"] == {"a": 1}

    async def again() -> bool:
        return bool(await due(engine))

    await wait_until(again, "the lease is over")
    assert (await taken(engine, address)).attempt == 2


async def test_who_comes_late_says_nothing_any_more_unless_it_has_arrived(engine: Engine) -> None:
    client, keys = engine.client, engine.keys
    address = await posted(engine)
    late, own = await taken(engine, address, -1), await taken(engine, address)
    await outbox.give_up(client, keys, late, "late")
    await outbox.retry(client, keys, late, "late", 0)
    assert await due(engine) == []
    assert await outbox.read(client, keys, address) == own
    await outbox.withdraw(client, keys, late.address)
    await outbox.retry(client, keys, own, "why", 0)
    assert await outbox.read(client, keys, address) is None
    assert await outbox.filed(client, keys, 0) == []


async def test_a_letter_is_put_back_given_up_and_replayed(engine: Engine) -> None:
    client, keys = engine.client, engine.keys
    address = await posted(engine)
    await outbox.retry(client, keys, await taken(engine, address), "busy", 0, counted=False)
    letter = await taken(engine, address)
    assert (letter.attempt, letter.error) == (1, "busy")
    await outbox.retry(client, keys, letter, "answered 500", LEASE_MS)
    assert await due(engine) == []
    assert await outbox.replay(client, keys, address)
    letter = await taken(engine, address)
    assert (letter.attempt, letter.error) == (1, "")
    await outbox.give_up(client, keys, letter, "answered 410")
    [one] = await outbox.filed(client, keys, 0)
    assert (one.dead, one.address) == (True, address)
    assert await outbox.replay(client, keys, address)
    assert await outbox.prune(client, keys, 0, keep_s=-5, most=0) == 0, "it is not dead any more"
    assert await due(engine) == [address]
    assert await outbox.withdraw(client, keys, address)
    assert not await outbox.replay(client, keys, address)


async def test_whoever_delivers_is_woken(engine: Engine, redis_url: str) -> None:
    woken = asyncio.Event()
    async with Hub(engine.client, engine.keys, redis_url).running() as hub:
        await hub.listen(engine.keys.outbox(0), lambda _: woken.set())
        await posted(engine)
        await asyncio.wait_for(woken.wait(), 5)


async def test_nothing_is_told_of_a_thread_that_has_gone(engine: Engine) -> None:
    gone = str(uuid.uuid4())
    await outbox.post(engine.client, engine.keys, gone, Notice("e", "approval.decided", HOOKS, b"{}"))
    assert await due(engine) == []


async def test_a_deleted_thread_leaves_no_letter_waiting_or_dead(engine: Engine) -> None:
    client, keys = engine.client, engine.keys
    address = await posted(engine)
    await outbox.give_up(client, keys, await taken(engine, address), "answered 410")
    await outbox.post(client, keys, engine.thread_id, Notice("f", "approval.decided", HOOKS, b"{}"))
    await lua.delete_thread(client, keys, engine.thread_id, ME.tenant)
    assert await client.redis.keys(f"{keys.prefix}:*letters*") == []
    assert await outbox.filed(client, keys, 0) == []
