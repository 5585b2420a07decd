"""Runs without a thread of their client's: they have one of their own, which goes with them."""

import time
from typing import Any

import httpx
import pytest

from tests.api.wire import Json, names, new_thread, read_stream, refusal
from tests.servers import Live, said
from tests.waiting import wait_until

ECHO = {"assistant_id": "echo", "input": said("hi")}


def place(response: httpx.Response) -> tuple[str, str]:
    """Thread and run, from the Content-Location."""
    _, _, thread_id, _, run_id = response.headers["content-location"].split("/")
    return thread_id, run_id


async def no_threads(http: httpx.AsyncClient) -> bool:
    count: int = (await http.post("/threads/count", json={})).json()
    return count == 0


async def test_waiting(server: Live) -> None:
    async with server.http() as http:
        response = await http.post("/runs/wait", json=ECHO)
        thread_id, run_id = place(response)
        assert response.json()["messages"][1]["content"] == "echo: hi"
        assert response.headers["location"] == f"/threads/{thread_id}/runs/{run_id}/join"
        assert await no_threads(http)


async def test_streaming(server: Live) -> None:
    async with server.http() as http:
        response = await http.post("/runs/stream", json={**ECHO, "stream_mode": ["updates", "values"]})
        events = read_stream(response.text)
        thread_id, run_id = place(response)
        assert names(events) == ["metadata", "values", "updates", "values"]
        # A Location that is there while the run is; the official server's leads nowhere.
        assert response.headers["location"] == f"/threads/{thread_id}/runs/{run_id}/stream"
        assert events[0].data["run_id"] == run_id
        assert await no_threads(http)


async def test_the_sdk_streams_to_the_end(server: Live) -> None:
    parts: list[Any] = [part async for part in server.sdk().runs.stream(None, "echo", input=said("hi"))]
    assert [part.event for part in parts] == ["metadata", "values", "values"]
    values: Json = await server.sdk().runs.wait(None, "echo", input=said("hi"))
    assert values["messages"][1]["content"] == "echo: hi"


async def test_in_the_background(server: Live) -> None:
    async with server.http() as http:
        response = await http.post("/runs", json=ECHO)
        run = response.json()
        assert (run["status"], (run["thread_id"], run["run_id"])) == ("pending", place(response))
        await wait_until(lambda: no_threads(http), "the run's thread gone")


async def test_a_thread_may_be_kept(server: Live) -> None:
    async with server.http() as http:
        response = await http.post("/runs/wait", json={**ECHO, "on_completion": "keep"})
        thread_id, run_id = place(response)
        assert (await http.get(f"/threads/{thread_id}/state")).json()["values"] == response.json()
        assert (await http.get(f"/threads/{thread_id}/runs/{run_id}")).json()["status"] == "success"


async def test_a_thread_of_the_clients_stays_whatever_is_asked(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        asked = {**ECHO, "on_completion": "delete"}
        values = (await http.post(f"/threads/{thread_id}/runs/wait", json=asked)).json()
        assert (await http.get(f"/threads/{thread_id}/state")).json()["values"] == values


async def test_a_failure_and_a_question_end_it_too(server: Live) -> None:
    async with server.http() as http:
        failed = await http.post("/runs/wait", json={"assistant_id": "fail", "input": {}})
        assert failed.json() == {"__error__": {"error": "ValueError", "message": "boom"}}
        asked = await http.post("/runs/wait", json={"assistant_id": "ask", "input": {}})
        assert [one["value"] for one in asked.json()["__interrupt__"]] == [{"question": "go on?"}]
        assert await no_threads(http)


@pytest.mark.parametrize("view", ["", "/wait", "/stream"])
async def test_there_is_nothing_to_resume(server: Live, view: str) -> None:
    async with server.http() as http:
        response = await http.post(f"/runs{view}", json={"assistant_id": "ask", "command": {"resume": 1}})
        assert refusal(response) == (400, "You must provide a thread_id when resuming.")
        for wrong in ({"assistant_id": "nope"}, {"on_completion": "zz"}, {"stream_mode": "zz"}):
            assert refusal(await http.post(f"/runs{view}", json={**ECHO, **wrong}))[0] == 422
        assert await no_threads(http)


async def test_a_thread_may_be_made_under_the_same_id(server: Live) -> None:
    async with server.http() as http, server.http("somebody else") as other:
        thread_id, _ = place(await http.post("/runs/wait", json=ECHO))
        assert refusal(await other.post("/threads", json={"thread_id": thread_id}))[0] == 409
        assert (await http.post("/threads", json={"thread_id": thread_id})).status_code == 200
        begun = time.monotonic()
        values = (await http.post(f"/threads/{thread_id}/runs/wait", json=ECHO)).json()
        assert [one["content"] for one in values["messages"]] == ["hi", "echo: hi"]
        assert time.monotonic() - begun < server.platform.settings.lease_s
