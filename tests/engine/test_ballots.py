"""Ballots on a real server: a decision holds only for the request as it was read."""

import asyncio
from typing import Any

import orjson
import pytest

from holdfast.redis import approvals, lua
from holdfast.redis.acts import Act
from holdfast.redis.approvals import Asked, Ballot, Requests
from holdfast.redis.claims import Outcome
from holdfast.redis.lua import Raced, Submission
from tests.engine.conftest import ME, Engine, now

CARD = orjson.dumps({"tenant": "here", "roles": ["chief"]}).decode()


async def park(engine: Engine, request: str = "q") -> None:
    """A request waits on the thread."""
    await engine.submit("a")
    asked = Requests(heed=True, waiting=[Asked(request, answered=False, interrupt="i", card=CARD)])
    await engine.finish(
        await engine.claimed(), 0, Outcome("success", "interrupted", {}, None, 0, requests=asked)
    )


async def cast(engine: Engine, run_id: str, ballot: Ballot) -> None:
    request: dict[str, Any] = {"caller": "me", "run_id": run_id, "multitask_strategy": "enqueue"}
    request["decisions"] = {ballot.request: orjson.loads(ballot.decision)} if ballot.decision else {}
    asked = Submission(
        engine.thread_id, run_id, request, ME, now(), create=False, metadata={}, ballots=[ballot]
    )
    await lua.submit(engine.client, engine.keys, asked)


async def test_a_decision_on_another_revision_is_refused_and_changes_nothing(engine: Engine) -> None:
    await park(engine)
    before = await approvals.read(engine.client, engine.keys, engine.thread_id, "q")
    assert before is not None
    await cast(engine, "vote", Ballot("q", "", before.revision, '[{"by":"x"}]'))
    with pytest.raises(Raced):
        await cast(engine, "late", Ballot("q", '{"by":["y"]}', before.revision))
    found = await approvals.read(engine.client, engine.keys, engine.thread_id, "q")
    assert found is not None
    assert (found.status, found.decision, found.votes) == ("open", None, [{"by": "x"}])
    assert await engine.status("late") is None
    await cast(engine, "last", Ballot("q", '{"by":["y"]}', found.revision))
    found = await approvals.read(engine.client, engine.keys, engine.thread_id, "q")
    assert found is not None
    assert (found.status, found.decision) == ("decided", {"by": ["y"]})


async def test_a_change_whose_reply_was_lost_is_made_once(engine: Engine) -> None:
    await park(engine)
    approval = await approvals.read(engine.client, engine.keys, engine.thread_id, "q")
    assert approval is not None
    act, times = Act("claimed", "p", "x"), {"due": None, "wake": None}
    changes = (
        approvals.change(
            engine.client, engine.keys, approval, act, {":claim": '{"by":"x"}'}, now=now(), **times
        )
        for _ in range(5)
    )
    assert sorted(await asyncio.gather(*changes)) == [False] * 4 + [True]
    history = await approvals.read_history(engine.client, engine.keys, engine.thread_id, "q")
    assert [line["kind"] for line in history] == ["requested", "claimed"]


async def test_what_ends_without_being_asked_again_is_gone(engine: Engine) -> None:
    await park(engine)
    assert await engine.client.call("ZCARD", engine.keys.open_approvals(0, "here")) == 1
    await lua.delete_thread(engine.client, engine.keys, engine.thread_id, "here")
    for key in (engine.keys.open_approvals(0, "here"), engine.keys.approvals(engine.thread_id)):
        assert await engine.client.call("EXISTS", key) == 0
