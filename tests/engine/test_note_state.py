"""A state that was written from outside a run is told once, in step with the thread's record."""

from dataclasses import replace
from typing import Any

import pytest

from holdfast.errors import ThreadNotFound
from holdfast.redis import states
from holdfast.redis.records import Caller
from holdfast.redis.states import Told
from tests.engine.conftest import DONE, ME, Engine, now

IDLE = Told("idle", {}, b'{"state":1}', b'{"status":"idle"}')
WAITS = Told("interrupted", {"task": [{"id": "i"}]}, b'{"state":2}', b'{"status":"interrupted"}')


async def note(engine: Engine, told: Told = IDLE, **more: Any) -> bool:
    seq = more.pop("seq", None)
    options = {"mark": "m", "now": now(), "ttl_s": 0, "keep_s": 60, **more}
    return await states.note_state(
        engine.client,
        engine.keys,
        engine.thread_id,
        options.pop("caller", ME),
        told,
        seq=(await engine.thread()).seq if seq is None else seq,
        **options,
    )


async def finished(engine: Engine, **outcome: Any) -> None:
    await engine.submit("a")
    await engine.finish(await engine.claimed(), outcome=replace(DONE, **outcome))


async def modes(engine: Engine, after: int = 2) -> list[str]:
    return [mode for _, mode in (await engine.log())[after:]]


async def test_the_log_counts_on_and_the_record_follows(engine: Engine) -> None:
    await finished(engine)
    assert await note(engine, WAITS)
    assert await engine.log() == [
        ("1-1", "metadata"),
        ("1-2", "end"),
        ("1-3", "state_update"),
        ("1-4", "standing"),
    ]
    thread = await engine.thread()
    assert (thread.status, thread.interrupts, thread.seq) == ("interrupted", WAITS.interrupts, 4)


async def test_a_call_whose_reply_was_lost_is_repeated_without_effect(engine: Engine) -> None:
    await finished(engine)
    for _ in range(2):
        assert await note(engine, seq=2)
    assert await modes(engine) == ["state_update"]
    assert await note(engine, mark="n")
    assert await modes(engine) == ["state_update"] * 2


async def test_a_state_that_was_read_too_early_is_not_told(engine: Engine) -> None:
    await finished(engine)
    assert not await note(engine, WAITS, seq=1)
    assert await modes(engine) == []
    assert (await engine.thread()).status == "idle"


async def test_a_run_at_work_tells_its_state_itself(engine: Engine) -> None:
    await engine.submit("a")
    await engine.claimed()
    assert await note(engine, WAITS)
    assert await modes(engine, 1) == []
    assert (await engine.thread()).interrupts == {}


async def test_a_run_in_line_begins_with_the_state(engine: Engine) -> None:
    await finished(engine, thread_status="interrupted", interrupts=WAITS.interrupts)
    await engine.submit("b")
    assert await note(engine)
    assert await modes(engine) == ["state_update"], "how it stands is for the run to say"
    thread = await engine.thread()
    assert (thread.status, thread.interrupts) == ("busy", {})
    assert (await engine.claimed()).run_id == "b"


@pytest.mark.parametrize(
    ("before", "told", "standing"),
    [
        ({}, IDLE, False),
        ({}, WAITS, True),
        ({"thread_status": "interrupted"}, IDLE, True),
        ({"thread_status": "error", "interrupts": WAITS.interrupts}, IDLE, True),
        ({"thread_status": "error"}, IDLE, False),
    ],
)
async def test_how_a_thread_stands_is_told_where_it_waits_or_did(
    engine: Engine, before: dict[str, Any], told: Told, standing: bool
) -> None:
    await finished(engine, **before)
    await note(engine, told)
    assert await modes(engine) == ["state_update"] + ["standing"] * standing


async def test_a_stranger_can_tell_nothing(engine: Engine) -> None:
    await finished(engine)
    for stranger in (Caller("you", "here"), Caller("me", "elsewhere", staff=True)):
        with pytest.raises(ThreadNotFound):
            await note(engine, caller=stranger)
    assert await modes(engine) == []


async def lifetimes(engine: Engine) -> dict[str, int]:
    keys = [engine.keys.queue(engine.thread_id), *engine.keys.lapsing(engine.thread_id)]
    found = {key.split(":")[2]: await engine.client.call("TTL", key) for key in keys}
    return {name: ttl for name, ttl in found.items() if ttl != -2}


async def write_checkpoint(engine: Engine) -> None:
    await engine.client.call("HSET", engine.keys.checkpoints(engine.thread_id), "c", "1")
    await engine.client.call("ZADD", engine.keys.checkpoint_index(engine.thread_id), 0, "c")


async def test_a_log_that_was_gone_goes_again(engine: Engine) -> None:
    await finished(engine)
    await engine.client.call("DEL", engine.keys.events(engine.thread_id))
    await note(engine)
    kept = await lifetimes(engine)
    assert 0 < kept.pop("events") <= 60
    assert set(kept.values()) == {-1}


async def test_a_thread_is_kept_as_a_whole_from_its_last_change_on(engine: Engine) -> None:
    await finished(engine)
    await write_checkpoint(engine)
    await note(engine, ttl_s=30)
    kept = await lifetimes(engine)
    assert set(kept) == {"thread", "runs", "run-order", "events", "checkpoints", "checkpoint-index"}
    assert all(0 < ttl <= 30 for ttl in kept.values())


async def test_nothing_goes_before_a_run_that_is_to_come(engine: Engine) -> None:
    await finished(engine)
    await engine.submit("b", delay_ms=60_000)
    await note(engine, ttl_s=30)
    assert set((await lifetimes(engine)).values()) == {-1}
