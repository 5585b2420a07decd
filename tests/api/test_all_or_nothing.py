"""What is made in several steps is there whole or not at all, also when the process dies that makes it."""

import asyncio
import sys
from pathlib import Path

import pytest

from holdfast.core import batches, histories, timers
from holdfast.core.platform import Platform
from holdfast.redis import batches as stored
from holdfast.redis.batches import Batch, Held
from holdfast.redis.timers import clock_ms
from holdfast.wire.runs import RunCreateStateless
from tests.api.dying import ANN
from tests.api.wire import Json
from tests.servers import ROOT, Live, said


async def ring(platform: Platform) -> int:
    """What the clock does when a batch should long have been settled."""
    now_ms = await clock_ms(platform.client) + batches.UNDECIDED_MS
    return await timers.ring(platform, 0, 100, now_ms=now_ms)


async def found(server: Live) -> Json:
    async with server.http() as http:
        return (await http.post("/threads/search", json={"limit": 1000})).json()


async def test_a_process_that_dies_leaves_no_part(
    server: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVED_NOTES", str(tmp_path / "notes"))
    platform = server.platform
    program = (sys.executable, "-m", "tests.api.dying", platform.redis_url, platform.keys.prefix)
    process = await asyncio.create_subprocess_exec(*program, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    said_last, _ = await process.communicate()
    assert said_last.split() == [b"9", b"9"]
    await server.sdk().runs.wait(None, "echo", input=said("hi"))  # what could begin before has begun
    assert [thread["status"] for thread in await found(server)] == ["idle", "idle"], "of the batch"
    assert await ring(platform) == 1
    assert await found(server) == []
    assert not (tmp_path / "notes").exists()
    checkpoints = f"{platform.keys.prefix}:*:checkpoint*"
    left = [key async for key in platform.client.redis.scan_iter(match=checkpoints)]
    times = [await platform.client.call("TTL", key) for key in left]
    assert all(0 < seconds <= histories.PASSING_S for seconds in times), "what is left passes"
    for key in left:
        await platform.checkpointer.adelete_thread(key.decode().rpartition(":")[2])


async def made(platform: Platform, count: int) -> Batch:
    """A batch whose runs are made and held."""
    asked = RunCreateStateless(assistant_id="echo", input=said("hi"), on_completion="keep")
    held = [
        Held(f"01a2288b-0000-7000-8000-00000000000{n}", f"01a2288b-0000-7000-8000-1{n:011}", 0)
        for n in range(count)
    ]
    batch = Batch("01a2288b-0000-7000-8000-000000000b00", ANN.tenant, held)
    await stored.begin(platform.client, platform.keys, batch, await clock_ms(platform.client) + 60_000)
    for run in held:
        await batches.hold(platform, ANN, run, asked)
    return batch


async def test_a_batch_that_was_decided_on_begins_without_its_maker(server: Live) -> None:
    batch = await made(server.platform, 2)
    assert await stored.decide(server.platform.client, server.platform.keys, batch.batch_id, "kept") == "kept"
    assert await ring(server.platform) == 1
    for run in batch.runs:
        values: Json = await server.sdk("ann").runs.join(run.thread_id, run.run_id)
        assert values["messages"][-1]["content"] == "echo: hi"


async def test_a_batch_that_was_taken_back_is_not_kept(server: Live) -> None:
    batch = await made(server.platform, 2)
    assert await ring(server.platform) == 1
    assert await batches.settle(server.platform, batch, "kept") == "dropped"
    assert await found(server) == []


async def test_a_clock_that_comes_too_late_takes_nothing_back(
    server: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = server.platform
    batch = await made(platform, 2)

    async def read(*_: object) -> Batch:
        """The clock's look at the batch, after which its maker does all that is left to do."""
        assert await batches.settle(platform, batch, "kept") == "kept"
        return batch

    monkeypatch.setattr(stored, "read", read)
    assert await ring(platform) == 1
    for run in batch.runs:
        values: Json = await server.sdk("ann").runs.join(run.thread_id, run.run_id)
        assert values["messages"][-1]["content"] == "echo: hi"
