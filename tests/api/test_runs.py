"""Runs on a thread: created, waited for, joined, listed."""

from uuid import UUID

import httpx
import pytest
from langgraph_sdk.errors import NotFoundError

from tests.api.wire import Json, new_thread, refusal
from tests.servers import Live, live, said

NOBODY = "7d9f3c1e-5a2b-4f6d-8e9a-0b1c2d3e4f50"


async def test_a_run_says_what_was_asked(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        body: Json = {
            "assistant_id": "echo",
            "input": said("hi"),
            "metadata": {"a": 1},
            "config": {"configurable": {"x": 1}, "tags": ["t"], "recursion_limit": 7},
            "multitask_strategy": "reject",
        }
        response = await http.post(f"/threads/{thread_id}/runs", json=body)
        run = response.json()
        assert response.status_code == 200
        assert response.headers["content-location"] == f"/threads/{thread_id}/runs/{run['run_id']}"
        assert UUID(run["run_id"]).version == 7
        assert set(run) == {
            "run_id",
            "thread_id",
            "assistant_id",
            "metadata",
            "status",
            "kwargs",
            "multitask_strategy",
            "created_at",
            "updated_at",
            "langsmith_session_name",
        }
        assert (run["status"], run["multitask_strategy"], run["thread_id"]) == (
            "pending",
            "reject",
            thread_id,
        )
        assert run["metadata"]["a"] == 1
        assert run["kwargs"]["input"] == said("hi")
        assert run["kwargs"]["config"]["configurable"] == {"x": 1}
        await http.get(f"/threads/{thread_id}/runs/{run['run_id']}/join")
        later = (await http.get(f"/threads/{thread_id}/runs/{run['run_id']}")).json()
    assert {**later, "status": "pending", "updated_at": run["updated_at"]} == run
    assert later["status"] == "success"


async def test_a_thread_is_busy_until_its_run_has_ended(redis_url: str) -> None:
    async with live(redis_url, worker=False) as idle, idle.http() as http:
        thread_id = await new_thread(http)
        run = (await http.post(f"/threads/{thread_id}/runs", json={"assistant_id": "echo"})).json()
        thread = (await http.get(f"/threads/{thread_id}")).json()
        assert (run["status"], thread["status"]) == ("pending", "busy")


async def test_waiting_answers_with_values_and_where_the_run_is(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        body = {"assistant_id": "echo", "input": said("hi")}
        response = await http.post(f"/threads/{thread_id}/runs/wait", json=body)
        [run] = (await http.get(f"/threads/{thread_id}/runs")).json()
        place = f"/threads/{thread_id}/runs/{run['run_id']}"
        assert response.headers["content-location"] == place
        assert response.headers["location"] == f"{place}/join"
        assert response.headers["x-run-status"] == "success"
        assert [message["content"] for message in response.json()["messages"]] == ["hi", "echo: hi"]
        assert (await http.get(response.headers["location"])).json() == response.json()
        state = (await http.get(f"/threads/{thread_id}/state")).json()
        assert state["values"] == response.json()


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_every_durability_keeps_the_end(server: Live, durability: str) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        body = {"assistant_id": "steps", "input": {"delay": 0}, "durability": durability}
        values = (await http.post(f"/threads/{thread_id}/runs/wait", json=body)).json()
        states = (await http.post(f"/threads/{thread_id}/history", json={"limit": 100})).json()
    assert states[0]["values"] == values
    assert len(states) == (1 if durability == "exit" else 5)


async def test_the_old_name_of_durability(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        body = {"assistant_id": "steps", "input": {"delay": 0}, "checkpoint_during": False}
        await http.post(f"/threads/{thread_id}/runs/wait", json=body)
        states = (await http.post(f"/threads/{thread_id}/history", json={"limit": 100})).json()
    assert len(states) == 1


async def test_a_failure_is_no_http_error(server: Live) -> None:
    error = {"__error__": {"error": "ValueError", "message": "boom"}}
    async with server.http() as http:
        thread_id = await new_thread(http)
        response = await http.post(
            f"/threads/{thread_id}/runs/wait", json={"assistant_id": "fail", "input": {}}
        )
        joined = await http.get(response.headers["location"])
        [run] = (await http.get(f"/threads/{thread_id}/runs")).json()
    for answer in (response, joined):
        assert (answer.status_code, answer.json(), answer.headers["x-run-status"]) == (200, error, "error")
    assert run["status"] == "error"


async def test_the_sdk_raises_what_a_run_failed_with(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    with pytest.raises(Exception, match="ValueError: boom"):
        await sdk.runs.wait(thread_id, "fail", input={})
    quiet: Json = await sdk.runs.wait(thread_id, "fail", input={}, raise_error=False)
    assert quiet["__error__"]["message"] == "boom"


async def test_too_many_steps_fail_the_run(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    values: Json = await sdk.runs.wait(
        thread_id, "steps", input={"delay": 0}, config={"recursion_limit": 1}, raise_error=False
    )
    assert values["__error__"]["error"] == "GraphRecursionError"


async def test_a_run_may_make_its_thread(server: Live) -> None:
    async with server.http() as http:
        body = {"assistant_id": "echo", "input": said("hi")}
        path = f"/threads/{NOBODY}/runs/wait"
        assert refusal(await http.post(path, json=body))[0] == 404
        assert (await http.get(f"/threads/{NOBODY}")).status_code == 404
        made = await http.post(path, json={**body, "if_not_exists": "create"})
        assert made.json()["messages"][1]["content"] == "echo: hi"
        assert (await http.get(f"/threads/{NOBODY}")).json()["status"] == "idle"


async def listed(http: httpx.AsyncClient, thread_id: str, query: str) -> httpx.Response:
    return await http.get(f"/threads/{thread_id}/runs?{query}")


async def test_runs_are_listed_newest_first(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        runs: list[str] = []
        for graph in ("echo", "fail", "echo"):
            body = {"assistant_id": graph, "input": said("hi")}
            response = await http.post(f"/threads/{thread_id}/runs/wait", json=body)
            runs.insert(0, response.headers["content-location"].rpartition("/")[2])
        wanted = {
            "": runs,
            "limit=2": runs[:2],
            "limit=2&offset=2": runs[2:],
            "status=error": runs[1:2],
            "status=success": [runs[0], runs[2]],
            "status=nonsense": [],
            "offset=9": [],
        }
        for query, found in wanted.items():
            page = await listed(http, thread_id, query)
            assert [run["run_id"] for run in page.json()] == found, query
        page = await listed(http, thread_id, "limit=2")
        assert (page.headers["x-pagination-total"], page.headers["x-pagination-next"]) == ("3", "2")
        assert "x-pagination-next" not in (await listed(http, thread_id, "limit=2&offset=2")).headers
        picked = (await listed(http, thread_id, "select=run_id&select=status&limit=1")).json()
        assert picked == [{"run_id": runs[0], "status": "success"}]


async def test_a_run_belongs_to_one_thread(server: Live) -> None:
    sdk = server.sdk()
    mine = (await sdk.threads.create())["thread_id"]
    other = (await sdk.threads.create())["thread_id"]
    run = await sdk.runs.create(mine, "echo", input=said("hi"))
    await sdk.runs.join(mine, run["run_id"])
    with pytest.raises(NotFoundError):
        await sdk.runs.get(other, run["run_id"])
    await sdk.runs.delete(mine, run["run_id"])
    assert await sdk.runs.list(mine) == []
    assert (await sdk.threads.get_state(mine))["values"]  # what it did stays


async def test_joining_waits_for_the_end_or_finds_it(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    run = await sdk.runs.create(thread_id, "steps", input={"delay": 0.05})
    live_values = await sdk.runs.join(thread_id, run["run_id"])
    assert live_values == await sdk.runs.join(thread_id, run["run_id"])
    assert (await sdk.runs.get(thread_id, run["run_id"]))["status"] == "success"
