"""Who has a thread: changed by compare-and-set, asked for by workers under their fence, told once."""

from dataclasses import replace
from typing import Any

import pytest

from holdfast.errors import Fenced, ThreadNotFound
from holdfast.events import HOLD, Event
from holdfast.redis import claims, holds
from holdfast.redis.claims import Claim
from holdfast.redis.holds import Change
from holdfast.redis.records import Caller, Handback, Hold, tell_hold
from holdfast.redis.stream import read_push
from tests.engine.conftest import DONE, ME, Engine, now
from tests.engine.indexed import check

ASKED = Hold("helper", None, "2026-01-01T00:00:00+00:00")
TAKEN = Hold("helper", "eve", "2026-01-01T00:01:00+00:00")
BACK = Handback("eve", "all is well", "2026-01-01T00:02:00+00:00")


async def change(engine: Engine, old: Hold | None, new: Hold | None, **more: Any) -> bool:
    mark = more.pop("mark", f"{old}{new}{more.get('handback')}")
    asked = Change(mark, old, new, more.pop("handback", None), tell_hold(new))
    options = {"now": now(), "ttl_s": 0, "keep_s": 60, **more}
    caller = options.pop("caller", ME)
    return await holds.change(engine.client, engine.keys, engine.thread_id, caller, asked, **options)


async def hand_back(engine: Engine, note: str = "all is well") -> None:
    assert await change(engine, None, TAKEN, mark=f"take {note}")
    assert await change(engine, TAKEN, None, handback=replace(BACK, note=note))


async def ask(engine: Engine, claim: Claim, written: int, hold: Hold = ASKED, *others: str) -> None:
    events = [Event("", HOLD, "", 0, tell_hold(hold))]
    events += [Event(claim.run_id, "custom", "", 0, text.encode()) for text in others]
    encoded = [event.encode() for event in events]
    await claims.append(engine.client, engine.keys, claim, written, encoded)


async def finished(engine: Engine, run_id: str = "a", **outcome: Any) -> Claim:
    await engine.submit(run_id)
    claim = await engine.claimed()
    await engine.finish(claim, outcome=replace(DONE, **outcome))
    return claim


async def told(engine: Engine) -> list[str]:
    """The data of the events that tell who has the thread."""
    rows = await engine.client.call("XRANGE", engine.keys.events(engine.thread_id), "-", "+")
    events = [Event.decode(fields[b"e"]) for _, fields in rows]
    return [event.data.decode() for event in events if event.mode == HOLD]


# from outside of runs


async def test_a_change_is_recorded_and_told(engine: Engine) -> None:
    await finished(engine)
    assert await change(engine, None, ASKED)
    assert await change(engine, ASKED, TAKEN)
    assert (await engine.thread()).hold == TAKEN
    assert await change(engine, TAKEN, None)
    thread = await engine.thread()
    assert (thread.hold, thread.hold_known) == (None, True)
    assert await told(engine) == [tell_hold(one).decode() for one in (ASKED, TAKEN, None)]


async def test_what_somebody_else_has_changed_stays(engine: Engine) -> None:
    await finished(engine)
    assert await change(engine, None, TAKEN)
    for old, new in ((None, ASKED), (ASKED, replace(TAKEN, by="bob")), (replace(TAKEN, by="bob"), None)):
        assert not await change(engine, old, new)
    assert (await engine.thread()).hold == TAKEN
    assert len(await told(engine)) == 1


async def test_a_call_whose_reply_was_lost_is_repeated_without_effect(engine: Engine) -> None:
    await finished(engine)
    for _ in range(2):
        assert await change(engine, None, TAKEN)
    for _ in range(2):
        assert await change(engine, TAKEN, None, handback=BACK)
    assert len(await told(engine)) == 2


async def test_a_foreign_thread_is_a_missing_one(engine: Engine) -> None:
    await finished(engine)
    for stranger in (Caller("eve", "here"), Caller("me", "elsewhere"), Caller("me", "elsewhere", staff=True)):
        with pytest.raises(ThreadNotFound):
            await change(engine, None, TAKEN, caller=stranger)
    assert (await engine.thread()).hold is None


async def test_a_thread_is_kept_while_a_person_is_asked_for(engine: Engine) -> None:
    keys, client = engine.keys, engine.client
    await finished(engine, ttl_s=100)
    assert await client.call("TTL", keys.thread(engine.thread_id)) == 100
    assert await change(engine, None, ASKED, ttl_s=100)
    assert await client.call("TTL", keys.thread(engine.thread_id)) == -1
    await finished(engine, "b", ttl_s=100)  # what is said meanwhile does not begin it
    for key in (keys.thread(engine.thread_id), keys.runs(engine.thread_id)):
        assert await client.call("TTL", key) == -1
    assert await client.call("TTL", keys.events(engine.thread_id)) == 60
    assert await change(engine, ASKED, None, ttl_s=100)
    for key in (keys.thread(engine.thread_id), keys.runs(engine.thread_id)):
        assert await client.call("TTL", key) == 100


# by a graph


async def test_a_graph_asks_together_with_its_events(engine: Engine) -> None:
    await engine.submit("a")
    claim = await engine.claimed()
    await ask(engine, claim, 0, ASKED, "1")
    assert (await engine.thread()).hold == ASKED
    assert [what for _, what in await engine.log()] == ["metadata", HOLD, "1"]
    await check(engine.client, engine.keys, "here")


async def test_a_graph_asks_for_nobody_where_somebody_is_asked_for(engine: Engine) -> None:
    await finished(engine)
    assert await change(engine, None, TAKEN)
    await engine.submit("b")
    claim = await engine.claimed()
    await ask(engine, claim, 0)
    await ask(engine, claim, 1, ASKED, "1")
    await engine.append(claim, 3, "2")  # what is not told counts all the same: nothing is missing
    assert (await engine.thread()).hold == TAKEN
    assert len(await told(engine)) == 1
    assert [what for _, what in (await engine.log())[-2:]] == ["1", "2"]


async def test_where_nothing_is_to_be_told_nothing_is_pushed(engine: Engine) -> None:
    await finished(engine)
    assert await change(engine, None, TAKEN)
    await engine.submit("b")
    claim = await engine.claimed()
    async with engine.client.redis.pubsub() as pushed:
        await pushed.ssubscribe(engine.keys.events(engine.thread_id))
        await ask(engine, claim, 0)
        await engine.append(claim, 1, "1")
        kind, _, payload = await pushed.parse_response(timeout=5)
        while kind != b"smessage":
            kind, _, payload = await pushed.parse_response(timeout=5)
    assert [stored.event.data for stored in read_push(payload)] == [b"1"]


async def test_of_two_wishes_in_one_batch_the_first_counts(engine: Engine) -> None:
    await engine.submit("a")
    claim = await engine.claimed()
    events = [Event("", HOLD, "", 0, tell_hold(replace(ASKED, role=role))).encode() for role in "xy"]
    for _ in range(2):  # the second time as if the reply was lost
        await claims.append(engine.client, engine.keys, claim, 0, events)
    assert (await engine.thread()).hold == replace(ASKED, role="x")
    assert len(await told(engine)) == 1


async def test_a_worker_that_lost_its_thread_asks_for_nobody(engine: Engine) -> None:
    await engine.submit("a")
    zombie = await engine.claimed()
    await claims.release(engine.client, engine.keys, zombie, now())
    claim = await engine.claimed()
    with pytest.raises(Fenced):
        await ask(engine, zombie, 0)
    assert (await engine.thread()).hold is None
    await engine.finish(claim)
    with pytest.raises(Fenced):
        await ask(engine, claim, 1)
    assert (await engine.thread()).hold is None
    assert await told(engine) == []


# handed back


async def test_what_was_left_goes_to_one_run_that_ends_well(engine: Engine) -> None:
    await finished(engine)
    await hand_back(engine)
    for status in ("error", "interrupted", "timeout"):
        assert (await finished(engine, status, status=status)).handback == BACK
    assert (await finished(engine, "b")).handback == BACK
    assert (await finished(engine, "c")).handback is None


async def test_another_attempt_is_told_again(engine: Engine) -> None:
    await finished(engine)
    await hand_back(engine)
    await engine.submit("b")
    claim = await engine.claimed()
    await claims.release(engine.client, engine.keys, claim, now())
    claim = await engine.claimed()
    assert (claim.attempt, claim.handback) == (2, BACK)
    await engine.finish(claim)
    assert (await finished(engine, "c")).handback is None


async def test_a_run_in_line_before_is_not_told(engine: Engine) -> None:
    """It was asked for while the person had the thread, most likely by the person."""
    await finished(engine)
    assert await change(engine, None, TAKEN)
    await engine.submit("b")
    await engine.submit("c")
    running = await engine.claimed()
    assert await change(engine, TAKEN, None, handback=BACK)
    await engine.finish(running)
    waiting = await engine.claimed()
    assert (waiting.run_id, waiting.hold, waiting.handback) == ("c", None, None)
    await engine.finish(waiting)
    assert (await finished(engine, "d")).handback == BACK


async def test_a_run_is_not_told_while_a_person_has_the_thread(engine: Engine) -> None:
    await finished(engine)
    await hand_back(engine)
    assert await change(engine, None, TAKEN, mark="again")
    claim = await finished(engine, "b")
    assert (claim.hold, claim.handback) == (TAKEN, None)
    assert await change(engine, TAKEN, None, mark="withdrawn")
    assert (await finished(engine, "c")).handback == BACK


async def test_what_was_left_while_a_run_was_told_of_another_is_for_the_next(engine: Engine) -> None:
    await finished(engine)
    await hand_back(engine, "first")
    await engine.submit("b")
    claim = await engine.claimed()
    await hand_back(engine, "second")
    await engine.finish(claim)
    assert claim.handback == replace(BACK, note="first")
    assert (await finished(engine, "c")).handback == replace(BACK, note="second")
