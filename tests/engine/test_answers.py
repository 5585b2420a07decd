"""A plain interrupt that a run must answer is compared in the script that puts the run in line."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from holdfast.errors import NothingPending
from holdfast.redis import lua
from holdfast.redis.stream import START
from tests.engine.conftest import DONE, Engine


async def ask(engine: Engine, *interrupts: str) -> None:
    """A run that ends with these interrupts waiting."""
    await engine.submit("asking")
    waiting = {"task": [{"id": each, "value": {"id": "looks like one"}} for each in interrupts]}
    outcome = replace(DONE, thread_status="interrupted", interrupts=waiting)
    await engine.finish(await engine.claimed(), outcome=outcome)


async def test_an_interrupt_is_answered_by_one_run_in_line(engine: Engine) -> None:
    await ask(engine, "a", "b")
    await engine.submit("first", answers=["a"])
    for answers in (["a"], ["b", "a"]):
        with pytest.raises(NothingPending, match="Interrupt a is not waiting"):
            await engine.submit("second", answers=answers)
    assert await engine.status("second") is None
    await engine.submit("third", answers=["b"])
    claim = await engine.claimed()
    assert claim.run_id == "first"
    with pytest.raises(NothingPending):
        await engine.submit("second", answers=["a"])  # also while it is being worked on


async def test_what_never_waited_cannot_be_answered(engine: Engine) -> None:
    await ask(engine, "a")
    for other in ("b", "looks like one"):
        with pytest.raises(NothingPending):
            await engine.submit("first", answers=["a", other])
    with pytest.raises(NothingPending):
        await Engine(engine.client, engine.keys, engine.queue).submit("first", answers=["a"])


async def test_a_submit_whose_reply_was_lost_has_answered(engine: Engine) -> None:
    await ask(engine, "a")
    await engine.submit("first", answers=["a"])
    assert await engine.submit("first", answers=["a"]) == START  # by now it may have begun: no place is safe


async def test_an_answer_goes_with_the_run_that_was_to_bring_it(engine: Engine) -> None:
    await ask(engine, "a")
    await engine.submit("first", answers=["a"])
    await lua.cancel(
        engine.client, engine.keys, engine.thread_id, "here", "first", "interrupt", datetime.now(UTC)
    )
    await engine.submit("second", answers=["a"])
    assert await engine.status("second") == "pending"


async def test_a_run_that_need_not_find_it_waiting_is_taken(engine: Engine) -> None:
    await engine.submit("first")
    assert await engine.status("first") == "pending"
