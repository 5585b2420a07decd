"""What is somebody else's reads like what is not there: on every wire, and in the time it takes."""

import statistics
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.api.wire import Json, new_thread
from tests.servers import Live, said

MEGABYTE = "x" * 1_000_000
ROUNDS = 60


@pytest.fixture
async def ann(server: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with server.http("ann") as http:
        yield http


@pytest.fixture
async def eve(server: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with server.http("eve") as http:
        yield http


async def large(http: httpx.AsyncClient) -> tuple[str, str]:
    """A thread and a run of it that take long to read."""
    thread_id = await new_thread(http, metadata={"note": MEGABYTE})
    run = {"assistant_id": "echo", "input": said(MEGABYTE)}
    run_id = (await http.post(f"/threads/{thread_id}/runs", json=run)).json()["run_id"]
    await http.get(f"/threads/{thread_id}/runs/{run_id}/join")
    return thread_id, run_id


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/threads/T", None),
        ("GET", "/threads/T/state", None),
        ("GET", "/threads/T/runs", None),
        ("GET", "/threads/T/runs/R", None),
        ("GET", "/threads/T/runs/R/join", None),
        ("POST", "/threads/T/runs/R/cancel", None),
        ("PATCH", "/threads/T", {"metadata": {}}),
        ("DELETE", "/threads/T", None),
        ("POST", "/threads/search", {"ids": ["T"]}),
        ("POST", "/threads/T/runs", {"assistant_id": "echo", "command": {"resume": 1}}),
    ],
)
async def test_it_takes_as_long(
    ann: httpx.AsyncClient, eve: httpx.AsyncClient, method: str, path: str, body: Json
) -> None:
    thread_id, run_id = await large(ann)
    nothing = str(uuid.uuid4())
    took: dict[str, list[float]] = {thread_id: [], nothing: []}
    for _ in range(ROUNDS):
        for thread in took:
            run = run_id if thread == thread_id else nothing
            where = path.replace("/T", f"/{thread}").replace("/R", f"/{run}")
            asked = {"ids": [thread]} if body and "ids" in body else body
            begun = time.perf_counter()
            response = await eve.request(method, where, json=asked)
            took[thread].append(time.perf_counter() - begun)
            assert response.status_code == (200 if path == "/threads/search" else 404)
    foreign, missing = (statistics.median(times) for times in took.values())
    # Reading the megabyte would take several times as long; both differ by chance on a busy machine.
    assert foreign < 1.5 * missing + 0.0005, f"{foreign * 1e3:.2f} ms, not {missing * 1e3:.2f} ms"


async def test_a_task_of_the_short_door(ann: httpx.AsyncClient, eve: httpx.AsyncClient) -> None:
    task = (await ann.post("/chat/async", json={"message": "hi", "session_id": "s"})).json()["task_id"]
    never = task[::-1]
    answers = [(await eve.get(f"/chat/result/{one}")).json() for one in (task, never)]
    assert answers == [{"status": "not_found"}] * 2


async def test_commands_of_protocol_v3(ann: httpx.AsyncClient, eve: httpx.AsyncClient) -> None:
    thread_id = await new_thread(ann)
    await ann.post(f"/threads/{thread_id}/runs/wait", json={"assistant_id": "ask", "input": {}})
    [[waiting]] = (await ann.get(f"/threads/{thread_id}")).json()["interrupts"].values()
    nothing = str(uuid.uuid4())
    params = {"interrupt_id": waiting["id"], "response": "yes"}
    command = {"id": 1, "method": "input.respond", "params": params}
    replies = [
        (await eve.post(f"/threads/{one}/commands", json=command)).text.replace(one, "T")
        for one in (thread_id, nothing)
    ]
    assert replies[0] == replies[1]
    start = {"id": 1, "method": "run.start", "params": {"assistant_id": "ask", "input": {}}}
    assert (await eve.post(f"/threads/{thread_id}/commands", json=start)).json()[
        "error"
    ] == "thread_not_found"
    assert (await ann.get(f"/threads/{thread_id}")).json()["status"] == "interrupted"


@asynccontextmanager
async def events(http: httpx.AsyncClient, thread_id: str) -> AsyncIterator[AsyncIterator[str]]:
    asked = {"channels": ["values", "lifecycle", "input", "messages"], "since": 0}
    async with http.stream("POST", f"/threads/{thread_id}/stream/events", json=asked) as response:
        assert response.status_code == 200
        yield response.aiter_lines()


async def test_frames_of_protocol_v3(ann: httpx.AsyncClient, eve: httpx.AsyncClient) -> None:
    """A stream may be opened before its thread is there; on somebody else's it stays as silent as on none."""
    thread_id, body = await new_thread(ann), {"assistant_id": "echo", "input": said("hi")}
    await ann.post(f"/threads/{thread_id}/runs/wait", json=body)
    async with events(eve, thread_id) as foreign, events(eve, str(uuid.uuid4())) as missing:
        async with events(ann, thread_id) as own:
            await ann.post(f"/threads/{thread_id}/runs/wait", json=body)
            ended = 0
            async for line in own:
                ended += '"completed"' in line
                if ended == 2:  # by now the stranger would have seen the first run, and the second
                    break
        for stream in (foreign, missing):
            assert await anext(stream) == ": heartbeat"
