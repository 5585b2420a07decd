"""What a run has written is in the log once, in order, whether or not its end waited for it."""

import asyncio
from typing import Any

from holdfast.events import Event
from holdfast.redis.claims import Claim, Outcome
from holdfast.redis.log import Log
from tests.engine.conftest import DONE, Engine
from tests.engine.test_queue import waiting


def event(claim: Claim, text: str) -> Event:
    return Event(claim.run_id, "custom", "", 0, text.encode())


def written(engine_log: list[tuple[str, str]]) -> list[str]:
    return [what for _, what in engine_log]


async def test_the_end_of_a_run_takes_along_what_is_under_way(engine: Engine) -> None:
    await engine.submit("a")
    claim = await engine.claimed()
    log = Log(engine.client, engine.keys, claim)
    texts = [str(i) for i in range(20)]
    for text in texts:
        log.write(event(claim, text))
    assert await log.finish(DONE, [event(claim, "end")], keep_s=60) == {}
    assert written(await engine.log()) == ["metadata", *texts, "end"]
    assert await engine.status("a") == "success"


async def test_what_is_there_already_is_not_written_again(engine: Engine) -> None:
    await engine.submit("a")
    claim = await engine.claimed()
    log = Log(engine.client, engine.keys, claim)
    for text in ("one", "two"):
        log.write(event(claim, text))
    await engine.append(claim, 0, "one")  # as an append does whose reply is still to come
    await log.finish(DONE, [event(claim, "end")], keep_s=60)
    assert written(await engine.log()) == ["metadata", "one", "two", "end"]


async def about_to_park(engine: Engine) -> tuple[Claim, Log, asyncio.Task[dict[str, Any]]]:
    """A run whose end is under way, and is going to find that what it waits for was decided meanwhile."""
    await engine.submit("a")
    claim = await engine.claimed()
    await engine.submit("b", decisions={"q": {"by": ["p"], "at": "now", "value": 1}})
    log = Log(engine.client, engine.keys, claim)
    parked = Outcome("success", "interrupted", {"t": []}, None, 0, requests=waiting("q"))
    ending = asyncio.create_task(log.finish(parked, [], keep_s=60))
    await asyncio.sleep(0)
    return claim, log, ending


async def are_counted(engine: Engine) -> bool:
    return await engine.client.call("HGET", engine.keys.runs(engine.thread_id), "a:tokens") is not None


async def test_tokens_that_are_told_while_a_run_was_about_to_end_are_counted(engine: Engine) -> None:
    _, log, ending = await about_to_park(engine)
    log.spend("task", 7)
    assert await ending != {}
    await log.flush()
    assert await are_counted(engine)


async def test_tokens_that_are_told_while_an_end_is_cancelled_are_counted(engine: Engine) -> None:
    claim, log, ending = await about_to_park(engine)
    ending.cancel()
    log.spend("task", 7)
    await log.flush()
    assert await are_counted(engine)
    assert await log.finish(DONE, [event(claim, "end")], keep_s=60) == {}
    assert written(await engine.log()) == ["metadata", "end"]


async def test_a_run_that_goes_on_with_a_decision_writes_on(engine: Engine) -> None:
    await engine.submit("a")
    claim = await engine.claimed()
    await engine.submit("b", decisions={"q": {"by": ["p"], "at": "now", "value": 1}})
    log = Log(engine.client, engine.keys, claim)
    log.write(event(claim, "one"))
    parked = Outcome("success", "interrupted", {"t": []}, None, 0, requests=waiting("q"))
    assert await log.finish(parked, [event(claim, "not the end")], keep_s=60) != {}
    log.write(event(claim, "two"))
    await log.flush()
    assert written(await engine.log()) == ["metadata", "one", "two"]
    answered = Outcome("success", "interrupted", {"t": []}, None, 0, requests=waiting("q", answered=True))
    assert await log.finish(answered, [event(claim, "end")], keep_s=60) == {}
    assert written(await engine.log()) == ["metadata", "one", "two", "end"]
