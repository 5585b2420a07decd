"""Runs that are stopped: by a client, by the next run, with their thread."""

from typing import Any

import pytest
from langgraph_sdk.errors import NotFoundError

from tests.api.wire import has_logged, new_thread
from tests.servers import Live

Json = Any


async def test_a_cancelled_run_keeps_what_it_did(server: Live) -> None:
    sdk = server.sdk()
    async with server.http() as http:
        thread_id = await new_thread(http)
    run = await sdk.runs.create(thread_id, "steps", input={"delay": 0.2})
    await has_logged(sdk, thread_id, 1)
    await sdk.runs.cancel(thread_id, run["run_id"], wait=True)
    assert (await sdk.runs.get(thread_id, run["run_id"]))["status"] == "interrupted"
    thread: Json = await sdk.threads.get(thread_id)
    assert thread["status"] == "interrupted"  # it stands between two steps
    assert thread["values"]["log"][0] == "step 0"


async def test_a_rollback_takes_the_run_and_its_checkpoints_and_nothing_else(server: Live) -> None:
    sdk = server.sdk()
    other = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(other, "steps", input={})
    thread_id = (await sdk.threads.create())["thread_id"]
    before: Json = await sdk.runs.wait(thread_id, "steps", input={})
    run = await sdk.runs.create(thread_id, "steps", input={"delay": 0.2})
    await has_logged(sdk, thread_id, 4)
    await sdk.runs.cancel(thread_id, run["run_id"], wait=True, action="rollback")
    with pytest.raises(NotFoundError):
        await sdk.runs.get(thread_id, run["run_id"])
    thread: Json = await sdk.threads.get(thread_id)
    assert (thread["status"], thread["values"]) == ("idle", before)
    assert len(await sdk.threads.get_history(other, limit=100)) == 5
