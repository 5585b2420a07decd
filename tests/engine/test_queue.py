"""Submit, claim, renew, release, finish and cancel: each happens once, whatever is lost or repeated."""

import asyncio

import pytest
from redis.exceptions import ResponseError

from holdfast.errors import Decided, Fenced, RunNotFound, ThreadBusy, ThreadNotFound
from holdfast.redis import claims, lua
from holdfast.redis.approvals import Asked, Requests
from holdfast.redis.claims import Outcome
from holdfast.redis.queue import open_queue
from holdfast.redis.records import Caller
from tests.engine.conftest import DONE, Engine, now
from tests.waiting import wait_until


def waiting(request: str, *, answered: bool = False) -> Requests:
    return Requests(heed=True, waiting=[Asked(request, answered, card='{"tenant":"here"}')])


async def test_runs_of_a_thread_are_claimed_one_after_the_other_in_order(engine: Engine) -> None:
    for run_id in ("a", "b", "c"):
        await engine.submit(run_id)
    assert await engine.ready() == 1
    order = []
    for _ in range(3):
        claim = await engine.claimed()
        assert await engine.ready() == 1, "the next run must not be ready while this one is active"
        order.append(claim.run_id)
        await engine.finish(claim)
    assert order == ["a", "b", "c"]
    assert await engine.ready() == 0
    assert (await engine.thread()).status == "idle"


async def test_a_submit_whose_reply_was_lost_is_repeated_without_effect(engine: Engine) -> None:
    first, second = await engine.submit("a"), await engine.submit("a")
    assert first == second
    await engine.finish(await engine.claimed())
    await engine.submit("a")
    assert await engine.ready() == 0
    assert await engine.status("a") == "success"


async def test_a_claim_whose_reply_was_lost_is_repeated_without_effect(engine: Engine) -> None:
    await engine.submit("a")
    [entry] = await engine.queue.take(0, 1)
    first, second = (await engine.claim_entry(entry.id, "n1"), await engine.claim_entry(entry.id, "n1"))
    assert first == second
    assert first is not None
    assert (first.attempt, first.failures) == (1, 1)
    assert [what for _, what in await engine.log()] == ["metadata"]


async def test_a_later_claim_fences_the_earlier_one(engine: Engine) -> None:
    await engine.submit("a")
    [entry] = await engine.queue.take(0, 1)
    old, new = await engine.claim_entry(entry.id), await engine.claim_entry(entry.id)
    assert old is not None
    assert new is not None
    assert (new.attempt, new.failures) == (2, 2)
    with pytest.raises(Fenced):
        await engine.append(old, 0, "late")
    with pytest.raises(Fenced):
        await engine.finish(old)
    await engine.append(new, 0, "mine")
    assert [what for _, what in await engine.log()] == ["metadata", "metadata", "mine"]
    assert await engine.status("a") == "running"
    await engine.finish(new, 1)
    with pytest.raises(Fenced):
        await engine.append(new, 2, "after the end")


async def test_an_append_whose_reply_was_lost_is_repeated_without_effect(engine: Engine) -> None:
    await engine.submit("a")
    claim = await engine.claimed()
    await engine.append(claim, 0, "one", "two")
    await engine.append(claim, 0, "one", "two")
    await engine.append(claim, 2, "three")
    assert await engine.log() == [("1-1", "metadata"), ("1-2", "one"), ("1-3", "two"), ("1-4", "three")]


async def test_an_append_that_would_leave_a_hole_is_refused(engine: Engine) -> None:
    await engine.submit("a")
    claim = await engine.claimed()
    with pytest.raises(ResponseError, match="HOLE"):
        await engine.append(claim, 3, "four")
    assert [what for _, what in await engine.log()] == ["metadata"]


async def test_a_finish_whose_reply_was_lost_is_repeated_without_effect(engine: Engine) -> None:
    await engine.submit("a")
    await engine.submit("b")
    claim = await engine.claimed()
    await engine.finish(claim)
    await engine.finish(claim)
    assert [what for _, what in await engine.log()] == ["metadata", "end"]
    assert (await engine.claimed()).run_id == "b"


async def test_the_sequence_runs_on_over_claims_and_over_an_expired_log(engine: Engine) -> None:
    await engine.submit("a")
    await engine.finish(await engine.claimed())
    await engine.client.call("DEL", engine.keys.events(engine.thread_id))
    await engine.submit("b")
    await engine.claimed()
    assert await engine.log() == [("2-3", "metadata")]


async def test_a_silent_worker_loses_its_entry_to_another(engine: Engine, redis_url: str) -> None:
    await engine.submit("a")
    old = await engine.claimed()
    async with open_queue(redis_url, engine.keys, "worker-2", 0.5) as other:
        found = []

        async def reclaimed() -> bool:
            found.extend(await other.reclaim(0, 10))
            return bool(found)

        await wait_until(reclaimed, "the lease has run out")
        new = await engine.claim_entry(found[0].id, worker="worker-2")
    assert new is not None
    assert (new.run_id, new.attempt) == ("a", 2)
    with pytest.raises(Fenced):
        await engine.finish(old)


async def test_a_renewed_entry_is_not_taken(engine: Engine, redis_url: str) -> None:
    await engine.submit("a")
    claim = await engine.claimed()
    keys = [engine.keys.thread(engine.thread_id), engine.keys.runs(engine.thread_id), engine.keys.ready(0)]
    async with open_queue(redis_url, engine.keys, "worker-2", 0.5) as other:
        for _ in range(8):  # 0.8 s in all, past the lease of 0.5 s
            await asyncio.sleep(0.1)
            asked = [claim.token, claim.entry, "worker-1", "a", "reply"]
            assert await engine.client.run(claims.RENEW, keys, asked) == b"held"
            assert await other.reclaim(0, 10) == []


async def test_a_run_handed_back_goes_on_elsewhere_and_counts_no_failure(engine: Engine) -> None:
    await engine.submit("a")
    claim = await engine.claimed()
    await claims.release(engine.client, engine.keys, claim, now())
    assert await engine.status("a") == "pending"
    with pytest.raises(Fenced):
        await engine.append(claim, 0, "late")
    again = await engine.claimed()
    assert (again.run_id, again.attempt, again.failures) == ("a", 2, 1)
    await claims.release(engine.client, engine.keys, claim, now())  # it has nothing left to hand back
    await engine.append(again, 0, "mine")


async def test_eight_workers_get_an_entry_once(engine: Engine) -> None:
    for round_number in range(50):
        await engine.submit(f"r{round_number}")
        [entry] = await engine.queue.take(0, 1)
        claims = await asyncio.gather(*(engine.claim_entry(entry.id, f"n{i}") for i in range(8)))
        writers = []
        for claim in claims:
            assert claim is not None
            try:
                await engine.append(claim, 0, "mine")
            except Fenced:
                continue
            writers.append(claim)
        assert len(writers) == 1
        await engine.finish(writers[0], 1)


async def test_reject_leaves_a_busy_thread_alone(engine: Engine) -> None:
    await engine.submit("a")
    with pytest.raises(ThreadBusy):
        await engine.submit("b", strategy="reject")
    assert await engine.status("b") is None


@pytest.mark.parametrize(("strategy", "left"), [("interrupt", "interrupted"), ("rollback", None)])
async def test_a_new_run_ends_those_that_wait_and_asks_the_active_one(
    engine: Engine, strategy: str, left: str | None
) -> None:
    await engine.submit("a")
    active = await engine.claimed()
    await engine.submit("b")
    await engine.submit("c", strategy=strategy)
    assert await engine.status("b") == left
    assert (
        await engine.client.call("HGET", engine.keys.runs(engine.thread_id), "a:cancel") == strategy.encode()
    )
    await engine.finish(active)
    assert (await engine.claimed()).run_id == "c"


async def test_a_new_run_ends_one_that_has_not_started(engine: Engine) -> None:
    await engine.submit("a")
    await engine.submit("b", strategy="interrupt")
    assert await engine.status("a") == "interrupted"
    assert (await engine.claimed()).run_id == "b"
    assert await engine.ready() == 1


async def test_a_hundred_racing_submits_end_in_one_active_run(engine: Engine) -> None:
    outcomes = await asyncio.gather(
        *(engine.submit(f"r{i}", strategy="reject") for i in range(100)), return_exceptions=True
    )
    assert sum(isinstance(outcome, ThreadBusy) for outcome in outcomes) == 99
    assert await engine.ready() == 1


async def test_cancel(engine: Engine) -> None:
    async def cancel(run_id: str) -> bool:
        return await lua.cancel(
            engine.client, engine.keys, engine.thread_id, "here", run_id, "interrupt", now()
        )

    await engine.submit("a")
    active = await engine.claimed()
    await engine.submit("b")
    assert await cancel("b") is True
    assert await engine.status("b") == "interrupted"
    assert await cancel("a") is False
    assert await cancel("a") is False
    await engine.finish(active, 0, Outcome("interrupted", "idle", {}, None, 0))
    for run_id in ("a", "b", "none"):
        with pytest.raises(RunNotFound):
            await cancel(run_id)
    await engine.submit("c")
    assert await cancel("c") is True
    assert (await engine.thread()).status == "idle"
    assert await engine.claim() is None, "the entry of a run that was cancelled leads to nothing"
    assert await engine.ready() == 0


async def test_a_request_is_decided_once(engine: Engine) -> None:
    await engine.submit("a")
    await engine.finish(await engine.claimed())
    outcomes = await asyncio.gather(
        *(engine.submit(f"d{i}", decisions={"q": {"by": [f"p{i}"], "at": "now"}}) for i in range(20)),
        return_exceptions=True,
    )
    winners = [i for i, outcome in enumerate(outcomes) if not isinstance(outcome, BaseException)]
    assert len(winners) == 1
    assert {type(outcome) for i, outcome in enumerate(outcomes) if i not in winners} == {Decided}
    assert f"p{winners[0]}" in str(next(outcome for i, outcome in enumerate(outcomes) if i not in winners))
    assert await engine.ready() == 1


async def test_a_decision_made_before_the_park_is_given_to_the_run(engine: Engine) -> None:
    await engine.submit("a")
    claim = await engine.claimed()
    await engine.submit("b", decisions={"q": {"by": ["p"], "at": "now", "value": 1}})
    parked = Outcome("success", "interrupted", {"t": []}, None, 0, requests=waiting("q"))
    assert await engine.finish(claim, 0, parked) == {"q": {"by": ["p"], "at": "now", "value": 1}}
    assert await engine.status("a") == "running"
    answered = Outcome("success", "interrupted", {"t": []}, None, 0, requests=waiting("q", answered=True))
    assert await engine.finish(claim, 0, answered) == {}
    await engine.finish(await engine.claimed())
    await engine.submit("c", decisions={"q": {"by": ["again"], "at": "later"}})


async def test_an_overtaken_worker_cannot_take_a_decision_back(engine: Engine) -> None:
    await engine.submit("a", decisions={"q": {"by": ["p"], "at": "now"}})
    [entry] = await engine.queue.take(0, 1)
    old, _new = await engine.claim_entry(entry.id), await engine.claim_entry(entry.id)
    assert old is not None
    with pytest.raises(Fenced):
        await engine.finish(
            old, 0, Outcome("success", "idle", {}, None, 0, requests=waiting("q", answered=True))
        )
    assert set((await engine.thread()).decisions) == {"q"}


async def test_an_overtaken_worker_is_told_no_decision(engine: Engine) -> None:
    await engine.submit("a")
    [entry] = await engine.queue.take(0, 1)
    old, _new = await engine.claim_entry(entry.id), await engine.claim_entry(entry.id)
    assert old is not None
    await engine.submit("b", decisions={"q": {"by": ["p"], "at": "now"}})
    with pytest.raises(Fenced):
        await engine.finish(old, 0, Outcome("success", "interrupted", {}, None, 0, requests=waiting("q")))


async def test_a_decision_goes_with_the_run_that_was_to_carry_it_out(engine: Engine) -> None:
    decision = {"q": {"by": ["p"], "at": "now"}}
    await engine.submit("a", decisions=decision)
    await lua.cancel(engine.client, engine.keys, engine.thread_id, "here", "a", "interrupt", now())
    assert (await engine.thread()).decisions == {}
    await engine.submit("b", decisions=decision)
    await engine.submit("c", strategy="interrupt")
    await engine.submit("d", decisions=decision)
    assert set((await engine.thread()).decisions) == {"q"}


async def test_a_stranger_cannot_submit(engine: Engine) -> None:
    await engine.submit("a")
    for stranger in (
        Caller("you", "here"),
        Caller("me", "elsewhere"),
        Caller("you", "elsewhere", staff=True),
    ):
        with pytest.raises(ThreadNotFound):
            await engine.submit("b", caller=stranger)
    await engine.submit("c", caller=Caller("you", "here", staff=True))


async def test_a_thread_deleted_under_a_run_leaves_nothing(engine: Engine) -> None:
    await engine.submit("a")
    claim = await engine.claimed()
    await lua.delete_thread(engine.client, engine.keys, engine.thread_id, "here")
    with pytest.raises(Fenced):
        await engine.append(claim, 0, "late")
    with pytest.raises(Fenced):
        await engine.finish(claim)
    assert await engine.claim_entry(claim.entry) is None
    found = await engine.client.call("KEYS", f"{engine.keys.prefix}:*")
    assert set(found) == {engine.keys.ready(0).encode()}
    assert await engine.ready() == 0


async def test_a_finished_thread_expires_as_a_whole_and_a_busy_one_never(engine: Engine) -> None:
    await engine.submit("a")
    await engine.finish(await engine.claimed(), 0, Outcome("success", "idle", {}, None, 100))

    async def lifetimes() -> dict[str, int]:
        keys = [engine.keys.queue(engine.thread_id), *engine.keys.lapsing(engine.thread_id)]
        found = {key.split(":")[2]: await engine.client.call("TTL", key) for key in keys}
        return {name: ttl for name, ttl in found.items() if ttl != -2}

    assert set(await lifetimes()) == {"thread", "runs", "run-order", "events"}
    assert all(50 < ttl <= 100 for ttl in (await lifetimes()).values())
    await engine.submit("b")
    assert set((await lifetimes()).values()) == {-1}
    await engine.finish(await engine.claimed(), 0, DONE)
    kept = await lifetimes()
    assert 0 < kept.pop("events") <= 60
    assert set(kept.values()) == {-1}
