"""What the fields of a run's body come to: where it stops, where it begins, what it writes first."""

from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient

from tests.api.wire import Json, new_thread
from tests.servers import Live


async def thread_at(sdk: LangGraphClient, graph: str, **asked: Any) -> tuple[str, Json]:
    thread_id = (await sdk.threads.create())["thread_id"]
    given: Json = {"input": {}, **asked}
    return thread_id, await sdk.runs.wait(thread_id, graph, **given)


@pytest.mark.parametrize(
    ("stop", "done"),
    [
        ({"interrupt_before": "*"}, [0, 1, 2, 3]),
        ({"interrupt_after": "*"}, [1, 2, 3]),
        ({"interrupt_before": ["third"]}, [2, 3]),
        ({"interrupt_after": ["first", "second"]}, [1, 2, 3]),
    ],
    ids=str,
)
async def test_a_run_stops_where_it_is_told_to(server: Live, stop: Json, done: list[int]) -> None:
    sdk = server.sdk()
    thread_id, values = await thread_at(sdk, "steps", **stop)
    for lines in done[:-1]:
        assert len(values.get("log") or ()) == lines
        assert (await sdk.threads.get(thread_id))["status"] == "interrupted"
        values = await sdk.runs.wait(thread_id, "steps", **stop)
    assert len(values["log"]) == done[-1]
    assert (await sdk.threads.get(thread_id))["status"] == "idle"


@pytest.mark.parametrize(
    ("command", "log"),
    [
        ({"update": {"log": ["x"]}, "goto": "third"}, ["x", "step 4"]),
        ({"update": [["log", ["x"]], ["log", ["y"]]], "goto": "third"}, ["x", "y", "step 5"]),
        ({"goto": {"node": "third", "input": {"log": ["a"]}}}, ["step 1"]),
        ({"goto": ["second", {"node": "third", "input": {}}]}, ["step 3", "step 0", "step 5"]),
    ],
    ids=str,
)
async def test_a_command_writes_and_goes_on_where_it_says(
    server: Live, command: Json, log: list[str]
) -> None:
    sdk = server.sdk()
    thread_id, _ = await thread_at(sdk, "steps")
    values: Json = await sdk.runs.wait(thread_id, "steps", command=command)
    assert values["log"][3:] == log


async def test_a_run_begins_at_a_checkpoint_however_it_is_named(server: Live) -> None:
    sdk = server.sdk()
    thread_id, _ = await thread_at(sdk, "steps")
    history: Json = await sdk.threads.get_history(thread_id, limit=10)
    [second] = [one for one in history if one["next"] == ["second"]]
    for named in (
        {"checkpoint_id": second["checkpoint_id"]},
        {"checkpoint": {"checkpoint_id": second["checkpoint_id"], "checkpoint_ns": ""}},
        {"config": {"configurable": {"checkpoint_id": second["checkpoint_id"]}}},
    ):
        given: Json = named
        values: Json = await sdk.runs.wait(thread_id, "steps", input=None, **given)
        assert values["log"] == ["step 0", "step 1", "step 2"]
        since: Json = await sdk.threads.get_history(thread_id, limit=100)
        assert len(since) >= len(history) + 2, "two steps ran again"
        history = since


async def test_what_means_nothing_here_is_taken_all_the_same(server: Live) -> None:
    sdk = server.sdk()
    async with server.http() as http:
        thread_id = await new_thread(http)
        asked = {"assistant_id": "steps", "input": {}, "feedback_keys": ["good"], "langsmith_tracer": {}}
        run = await http.post(f"/threads/{thread_id}/runs", json=asked)
        assert run.status_code == 200
    values: Json = await sdk.runs.join(thread_id, run.json()["run_id"])
    assert len(values["log"]) == 3
