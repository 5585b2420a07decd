"""Many runs at once: put in line together, told to end together."""

from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import NotFoundError

from tests.api.wire import Json, has_runs, has_status, new_thread, refusal
from tests.servers import Live, said

NOWHERE = "01a2288b-0000-7000-8000-000000000000"
SLOW: Json = {"delay": 30}


async def in_line(sdk: LangGraphClient, count: int, **more: Any) -> tuple[str, list[str]]:
    """A thread with so many runs, the first of which is at work unless it has to wait."""
    thread_id = (await sdk.threads.create())["thread_id"]
    runs = [(await sdk.runs.create(thread_id, "steps", input=SLOW, **more))["run_id"] for _ in range(count)]
    if not more:
        await has_status(sdk, thread_id, runs[0], "running")
    return thread_id, runs


async def statuses(sdk: LangGraphClient, thread_id: str) -> list[str]:
    return [run["status"] for run in reversed(await sdk.runs.list(thread_id))]


async def ended(sdk: LangGraphClient, thread_id: str, run_id: str) -> None:
    await has_status(sdk, thread_id, run_id, "interrupted")


async def test_a_batch_is_put_in_line_together(server: Live) -> None:
    sdk = server.sdk()
    payloads: Json = [
        {"assistant_id": "echo", "input": said(text), "on_completion": "keep", "webhook": None}
        for text in ("one", "two", "three")
    ]
    made = await sdk.runs.create_batch(payloads)
    assert len({run["thread_id"] for run in made}) == 3
    for run, text in zip(made, ("one", "two", "three"), strict=True):
        values: Json = await sdk.runs.join(run["thread_id"], run["run_id"])
        assert values["messages"][-1]["content"] == f"echo: {text}"


async def test_of_a_batch_that_is_refused_nothing_stays(server: Live) -> None:
    good: Json = {"assistant_id": "steps", "input": SLOW}
    cases: list[tuple[int, Json]] = [
        (422, [good, good, {"assistant_id": "none"}]),
        (400, [good, {**good, "command": {"resume": 1}}]),
        (422, [good, {**good, "stream_mode": "none"}]),
        (422, []),
        (422, good),
    ]
    async with server.http() as http:
        for status, body in cases:
            assert refusal(await http.post("/runs/batch", json=body))[0] == status
            assert (await http.post("/threads/search", json={})).json() == []


async def test_runs_of_a_thread_end_by_their_ids(server: Live) -> None:
    sdk = server.sdk()
    thread_id, [first, second, third] = await in_line(sdk, 3)
    await sdk.runs.cancel_many(thread_id=thread_id, run_ids=[third, first, NOWHERE])
    await ended(sdk, thread_id, first)
    await has_status(sdk, thread_id, second, "running")
    assert await statuses(sdk, thread_id) == ["interrupted", "running", "interrupted"]
    with pytest.raises(NotFoundError):
        await sdk.runs.cancel_many(thread_id=thread_id, run_ids=[first, third])
    await sdk.runs.cancel_many(thread_id=thread_id, run_ids=[second], action="rollback")
    await has_runs(sdk, thread_id, 2)


@pytest.mark.parametrize(
    ("status", "then"),
    [
        ("pending", ["running", "interrupted"]),
        ("running", ["interrupted", "running"]),
        ("all", ["interrupted", "interrupted"]),
    ],
)
async def test_all_runs_in_a_state_end(server: Live, status: Any, then: list[str]) -> None:
    sdk = server.sdk()
    threads = [await in_line(sdk, 2) for _ in range(2)]
    later, [waiting] = await in_line(sdk, 1, after_seconds=3600)
    await sdk.runs.cancel_many(status=status)
    for thread_id, runs in threads:
        for run_id, reached in zip(runs, then, strict=True):
            await has_status(sdk, thread_id, run_id, reached)
    await has_status(sdk, later, waiting, "pending" if status == "running" else "interrupted")
    if status == "all":
        with pytest.raises(NotFoundError):
            await sdk.runs.cancel_many(status="all")


async def test_only_runs_that_the_caller_may_use_end(server: Live) -> None:
    ann, bob, staff = server.sdk("ann"), server.sdk("bob"), server.sdk("op", "operator")
    thread_id, [run_id] = await in_line(ann, 1)
    own, [of_bob] = await in_line(bob, 1)
    with pytest.raises(NotFoundError):
        await bob.runs.cancel_many(thread_id=thread_id, run_ids=[run_id])
    await bob.runs.cancel_many(status="all")
    await ended(bob, own, of_bob)
    await has_status(ann, thread_id, run_id, "running")
    await staff.runs.cancel_many(status="all")
    await ended(ann, thread_id, run_id)


async def test_which_runs_are_meant_is_said_in_one_way(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        ids: Json = {"thread_id": thread_id, "run_ids": [NOWHERE]}
        for body in (
            {},
            {"thread_id": thread_id},
            {"run_ids": [NOWHERE]},
            {**ids, "status": "all"},
            {"run_ids": [NOWHERE], "status": "all"},
            {"status": "done"},
            {"thread_id": thread_id, "run_ids": ["x"]},
        ):
            assert refusal(await http.post("/runs/cancel", json=body))[0] == 422, body
        for body in (ids, {**ids, "run_ids": []}, {"status": "all"}):
            assert refusal(await http.post("/runs/cancel", json=body))[0] == 404, body
