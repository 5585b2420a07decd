"""What is taken in: bounded, and at its time."""

import time
from typing import Any

from tests.api.protocols import command, new_id
from tests.servers import Live, live, said


async def test_runs_past_the_bound_are_refused_with_a_time_to_come_back(redis_url: str) -> None:
    async with (
        live(redis_url, worker=False, max_runs=3, max_runs_of_tenant=2) as server,
        server.http() as http,
    ):
        body = {"assistant_id": "echo", "input": said("hi"), "if_not_exists": "create"}
        answers = [
            await http.post(f"/threads/00000000-0000-4000-8000-00000000000{n}/runs", json=body)
            for n in range(3)
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].headers["retry-after"] == "1"
    assert answers[-1].json() == {
        "detail": "At most 2 runs of a tenant may wait or run at once: try again when one has ended.",
        "code": "too_many_runs",
    }


async def test_a_caller_who_has_enough_runs_is_refused_at_every_door(redis_url: str) -> None:
    async with (
        live(redis_url, max_runs_of_caller=1) as server,
        server.http("me") as http,
        server.http("you") as others,
    ):
        slow = {"assistant_id": "steps", "input": {"delay": 60}}
        waiting = (await http.post("/runs", json=slow)).json()
        asked = {"assistant_id": "echo", "input": said("hi")}
        for path, body in (
            ("/runs", asked),
            ("/runs/wait", asked),
            ("/runs/stream", asked),
            (f"/threads/{new_id()}/runs/stream", {**asked, "if_not_exists": "create"}),
            ("/chat", {"message": "hi"}),
            ("/chat/stream", {"message": "hi"}),
            ("/chat/async", {"message": "hi"}),
        ):
            refused = await http.post(path, json=body)
            assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1"), path
            assert refused.json()["code"] == "too_many_runs"
            assert refused.json()["detail"].startswith("At most 1 runs of a caller may wait or run at once")
        reply = await command(http, new_id(), "run.start", **asked)
        assert (reply["type"], reply["error"]) == ("error", "too_many_runs")
        assert (await others.post("/runs/wait", json=asked)).status_code == 200
        await http.post(f"/threads/{waiting['thread_id']}/runs/{waiting['run_id']}/cancel?wait=1")
        assert (await http.post("/runs/wait", json=asked)).status_code == 200


async def test_a_run_after_some_seconds_starts_then(server: Live) -> None:
    sdk = server.sdk()
    thread = await sdk.threads.create()
    asked = time.monotonic()
    run = await sdk.runs.create(thread["thread_id"], "echo", input=said("hi"), after_seconds=1)
    assert run["status"] == "pending"
    assert (await sdk.threads.get(thread["thread_id"]))["status"] == "idle"
    values: Any = await sdk.runs.join(thread["thread_id"], run["run_id"])
    assert values["messages"][-1]["content"] == "echo: hi"
    assert time.monotonic() - asked >= 1


async def test_a_delay_is_a_number_of_seconds_within_a_year(server: Live) -> None:
    async with server.http() as http:
        for wrong in (-1, 1e12, "soon"):
            body = {"assistant_id": "echo", "input": said("hi"), "after_seconds": wrong}
            assert (await http.post("/runs", json=body)).status_code == 422
