"""Runs that are stopped: by a client, by the next run, with their thread."""

import asyncio
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import NotFoundError

from tests.api.wire import Json, has_logged, has_runs, has_status, new_thread, refusal, streamed
from tests.servers import Live, live, said


@pytest.mark.parametrize("mode", ["values", "events"])
async def test_a_cancelled_run_keeps_what_it_did(server: Live, mode: Any) -> None:
    sdk = server.sdk()
    async with server.http() as http:
        thread_id = await new_thread(http)
    run = await sdk.runs.create(thread_id, "steps", input={"delay": 0.2}, stream_mode=mode)
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


async def test_what_was_streamed_before_a_cancel_stays_in_the_thread(server: Live) -> None:
    sdk = server.sdk()
    async with server.http() as http:
        thread_id = await new_thread(http)
        asked = {**said("hi"), "delay": 0.3}
        heard = ""
        async for part in sdk.runs.stream(thread_id, "slow_talk", input=asked, stream_mode="messages-tuple"):
            if part.event == "metadata":
                run_id = part.data["run_id"]
            else:
                heard += part.data[0]["content"]
            if "two" in heard:
                break
        ended = await http.post(f"/threads/{thread_id}/runs/{run_id}/cancel?wait=1")
    assert ended.json() == {"status": "interrupted", "finished_nodes": ["first"]}
    thread: Json = await sdk.threads.get(thread_id)
    assert [message["type"] for message in thread["values"]["messages"]] == ["human", "ai"]
    kept = thread["values"]["messages"][1]["content"]
    assert kept.startswith("one two")
    assert "five" not in kept
    again: Json = await sdk.runs.wait(thread_id, "echo", input=said("go on"))
    assert [message["content"] for message in again["messages"]] == ["hi", kept, "go on", "echo: go on"]


@pytest.mark.parametrize("query", ["", "?wait=1", "?action=rollback"])
async def test_a_run_that_has_ended_cannot_be_cancelled(server: Live, query: str) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    run = await sdk.runs.create(thread_id, "echo", input=said("hi"))
    await sdk.runs.join(thread_id, run["run_id"])
    async with server.http() as http:
        response = await http.post(f"/threads/{thread_id}/runs/{run['run_id']}/cancel{query}")
    assert refusal(response)[0] == 404
    assert (await sdk.runs.get(thread_id, run["run_id"]))["status"] == "success"


async def test_cancelling_answers_at_once_or_when_it_is_done(server: Live) -> None:
    sdk = server.sdk()
    async with server.http() as http:
        thread_id = await new_thread(http)
        for query, status, said_so in (("", 202, False), ("?wait=1", 200, True)):
            run = await sdk.runs.create(thread_id, "steps", input={"delay": 0.2})
            path = f"/threads/{thread_id}/runs/{run['run_id']}/cancel{query}"
            response = await http.post(path)
            assert (response.status_code, b"interrupted" in response.content) == (status, said_so)
            await has_status(sdk, thread_id, run["run_id"], "interrupted")


async def test_a_run_that_never_started_leaves_the_thread_idle(redis_url: str) -> None:
    async with live(redis_url, worker=False) as idle:
        sdk = idle.sdk()
        thread_id = (await sdk.threads.create())["thread_id"]
        run = await sdk.runs.create(thread_id, "echo", input=said("hi"))
        assert (await sdk.threads.get(thread_id))["status"] == "busy"
        await sdk.runs.cancel(thread_id, run["run_id"], wait=True)
        assert (await sdk.threads.get(thread_id))["status"] == "idle"
        assert (await sdk.runs.get(thread_id, run["run_id"]))["status"] == "interrupted"
        dropped = await sdk.runs.create(thread_id, "echo", input=said("hi"))
        await sdk.runs.cancel(thread_id, dropped["run_id"], action="rollback")
        with pytest.raises(NotFoundError):
            await sdk.runs.get(thread_id, dropped["run_id"])


async def test_deleting_a_run_stops_it(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    run = await sdk.runs.create(thread_id, "steps", input={"delay": 0.2})
    await has_logged(sdk, thread_id, 1)
    await sdk.runs.delete(thread_id, run["run_id"])
    with pytest.raises(NotFoundError):
        await sdk.runs.get(thread_id, run["run_id"])
    assert (await sdk.threads.get(thread_id))["status"] == "interrupted"


async def test_deleting_a_busy_thread_ends_what_follows_it(server: Live) -> None:
    sdk = server.sdk()
    async with server.http() as http:
        thread_id = await new_thread(http)
        running = await sdk.runs.create(thread_id, "steps", input={"delay": 0.3})
        await has_status(sdk, thread_id, running["run_id"], "running")
        body = {"assistant_id": "steps", "input": {}}
        queued = asyncio.create_task(streamed(http, f"/threads/{thread_id}/runs/stream", **body))
        joined = asyncio.create_task(http.get(f"/threads/{thread_id}/runs/{running['run_id']}/join"))
        await has_runs(sdk, thread_id, 2)
        await sdk.threads.delete(thread_id)
        error = {"error": "ThreadNotFound", "message": "The thread was deleted."}
        assert [(event.name, event.data) for event in await queued] == [("error", error)]
        assert (await joined).json() == {"__error__": error}


async def test_a_client_that_leaves_may_take_its_run_with_it(server: Live) -> None:
    sdk = server.sdk()
    for leaving, status in (("cancel", "interrupted"), ("continue", "success")):
        thread_id = (await sdk.threads.create())["thread_id"]
        async with server.http() as http:
            body = {"assistant_id": "steps", "input": {"delay": 0.1}, "on_disconnect": leaving}
            path = f"/threads/{thread_id}/runs/stream"
            async with http.stream("POST", path, json=body) as response:
                run_id = response.headers["content-location"].rpartition("/")[2]
                await has_status(sdk, thread_id, run_id, "running")
        await has_status(sdk, thread_id, run_id, status)


async def test_a_client_that_stops_waiting_may_take_its_run_with_it(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    body = {"assistant_id": "steps", "input": {"delay": 0.3}, "on_disconnect": "cancel"}
    async with server.http() as http:
        waiting = asyncio.create_task(http.post(f"/threads/{thread_id}/runs/wait", json=body))
        await has_runs(sdk, thread_id, 1)
        waiting.cancel()
        await asyncio.wait([waiting])
    [run] = await sdk.runs.list(thread_id)
    await has_status(sdk, thread_id, run["run_id"], "interrupted")


# one run a thread: what becomes of another that comes meanwhile


async def busy(sdk: LangGraphClient) -> tuple[str, str, str]:
    """A thread with a run at work, and one in line behind it."""
    thread_id = (await sdk.threads.create())["thread_id"]
    running = await sdk.runs.create(thread_id, "steps", input={"delay": 0.2})
    await has_logged(sdk, thread_id, 1)
    queued = await sdk.runs.create(thread_id, "steps", input={"delay": 0})
    return thread_id, running["run_id"], queued["run_id"]


async def ends(sdk: LangGraphClient, thread_id: str, *run_ids: str) -> list[str]:
    found = {run["run_id"]: run["status"] for run in await sdk.runs.list(thread_id)}
    return [found.get(run_id, "gone") for run_id in run_ids]


@pytest.mark.parametrize("view", ["", "/wait", "/stream"])
async def test_reject(server: Live, view: str) -> None:
    sdk = server.sdk()
    thread_id, running, queued = await busy(sdk)
    async with server.http() as http:
        body = {"assistant_id": "echo", "input": said("hi"), "multitask_strategy": "reject"}
        response = await http.post(f"/threads/{thread_id}/runs{view}", json=body)
    assert refusal(response)[0] == 409
    assert len(await sdk.runs.list(thread_id)) == 2
    await sdk.runs.join(thread_id, queued)
    assert await ends(sdk, thread_id, running, queued) == ["success", "success"]


def log(line: str) -> Json:
    return {"log": [line]}


async def test_enqueue_keeps_the_order(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    runs = [await sdk.runs.create(thread_id, "steps", input=log(f"run {n}")) for n in range(4)]
    values: Json = await sdk.runs.join(thread_id, runs[-1]["run_id"])
    assert [line for line in values["log"] if "run" in line] == [f"run {n}" for n in range(4)]
    assert [values["log"].index(f"run {n}") for n in range(4)] == [0, 4, 8, 12]  # none began before its turn


async def test_interrupt_stops_and_drops_what_was_there(server: Live) -> None:
    sdk = server.sdk()
    thread_id, running, queued = await busy(sdk)
    last = await sdk.runs.create(thread_id, "steps", input={"delay": 0}, multitask_strategy="interrupt")
    values: Json = await sdk.runs.join(thread_id, last["run_id"])
    assert await ends(sdk, thread_id, running, queued, last["run_id"]) == [
        "interrupted",
        "interrupted",
        "success",
    ]
    assert values["log"][0] == "step 0"  # what the stopped run did is still there
    assert len(values["log"]) in (4, 5)
    assert (await sdk.threads.get(thread_id))["status"] == "idle"


async def test_rollback_forgets_what_was_there(server: Live) -> None:
    sdk = server.sdk()
    thread_id, running, queued = await busy(sdk)
    last = await sdk.runs.create(thread_id, "steps", input={"delay": 0}, multitask_strategy="rollback")
    values: Json = await sdk.runs.join(thread_id, last["run_id"])
    assert await ends(sdk, thread_id, running, queued, last["run_id"]) == ["gone", "gone", "success"]
    assert values["log"] == ["step 0", "step 1", "step 2"]
    assert len(await sdk.threads.get_history(thread_id, limit=100)) == 5
