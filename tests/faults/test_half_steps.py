"""A step whose writes are saved, but no checkpoint: LangGraph names no next node, though tasks are left."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient

from holdfast.checkpoint import RedisSaver
from holdfast.checkpoint.names import Address
from holdfast.redis.checkpoints import PUT
from tests.faults.conftest import Valkey, noted, reached
from tests.faults.proxy import Proxy
from tests.servers import SERVED, holdfast, live
from tests.waiting import wait_until

STEPS = ["step 0", "step 1", "step 2"]


async def lies(sdk: LangGraphClient, thread_id: str) -> None:
    """The state is as after a crash at the end of the first step: by `next` alone it is the graph's end."""
    state: Any = await sdk.threads.get_state(thread_id)
    assert state["next"] == []
    assert [task["name"] for task in state["tasks"]] == ["first"]
    assert state["values"]["log"] == STEPS[:1]


async def test_a_worker_that_dies_between_writes_and_checkpoint_has_not_finished(
    valkey: Valkey, proxy: Proxy, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    async with live(f"unix://{valkey.socket}", worker=False) as api:
        sdk = api.sdk()
        command = ("worker", "--config", str(SERVED))
        environment = {
            "HOLDFAST_PREFIX": api.platform.keys.prefix,
            "HOLDFAST_LEASE_S": "1",
            "SERVED_NOTES": str(notes),
        }
        async with holdfast(*command, REDIS_URL=proxy.url, **environment) as process:
            thread_id = (await sdk.threads.create())["thread_id"]
            run = await sdk.runs.create(thread_id, "steps", input={"delay": 1.0})

            async def begun() -> bool:
                return (await sdk.threads.get_state(thread_id))["next"] == ["first"]

            await wait_until(begun, "the first step has begun", 30)
            proxy.swallows_from = PUT.sha.encode()
            await reached(notes, 1)

            async def swallowed() -> bool:
                return proxy.black_hole

            await wait_until(swallowed, "the checkpoint of the step was sent")
            process.kill()
        await lies(sdk, thread_id)
        async with holdfast(*command, REDIS_URL=f"unix://{valkey.socket}", **environment):
            values: Any = await asyncio.wait_for(sdk.runs.join(thread_id, run["run_id"]), 30)
        assert values["log"] == STEPS
        assert noted(notes) == STEPS, "what the first step wrote was kept"
        assert (await sdk.threads.get(thread_id))["status"] == "idle"


async def test_a_run_cancelled_between_writes_and_checkpoint_has_not_finished(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = tmp_path / "notes"
    monkeypatch.setenv("SERVED_NOTES", str(notes))
    put, reaching = RedisSaver.aput, asyncio.Event()

    async def too_slow(saver: RedisSaver, config: Any, checkpoint: Any, metadata: Any, versions: Any) -> Any:
        if metadata["step"] == 1:
            await saver._written(Address.of(config))
            reaching.set()
            await asyncio.Event().wait()
        return await put(saver, config, checkpoint, metadata, versions)

    async with live(redis_url) as server:
        sdk = server.sdk()
        thread_id = (await sdk.threads.create())["thread_id"]
        with monkeypatch.context() as slow:
            slow.setattr(RedisSaver, "aput", too_slow)
            run = await sdk.runs.create(thread_id, "steps", input={})
            await asyncio.wait_for(reaching.wait(), 10)
            await asyncio.wait_for(sdk.runs.cancel(thread_id, run["run_id"], wait=True), 10)
        await lies(sdk, thread_id)
        assert (await sdk.threads.get(thread_id))["status"] == "interrupted"
        values: Any = await sdk.runs.wait(thread_id, "steps", input=None)
        assert values["log"] == STEPS
        assert noted(notes) == STEPS
        await sdk.threads.delete(thread_id)
