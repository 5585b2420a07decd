"""The state of a thread and its history: read, written, gone back to."""

from itertools import pairwise

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import BadRequestError

from tests.api.wire import Json, has_status, new_thread, refusal
from tests.servers import Live

EMPTY: Json = {
    "values": {},
    "next": [],
    "tasks": [],
    "metadata": None,
    "created_at": None,
    "checkpoint": None,
    "parent_checkpoint": None,
    "interrupts": [],
    "checkpoint_id": None,
    "parent_checkpoint_id": None,
}


async def walked(sdk: LangGraphClient) -> str:
    """A thread that went through three steps."""
    thread_id = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(thread_id, "steps", input={"delay": 0})
    return thread_id


async def test_a_thread_that_never_ran_has_an_empty_state(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        assert (await http.get(f"/threads/{thread_id}/state")).json() == EMPTY
        assert (await http.get(f"/threads/{thread_id}/history")).json() == []
        assert (await http.post(f"/threads/{thread_id}/history", json={"limit": 5})).json() == []
        refused = await http.post(f"/threads/{thread_id}/state", json={"values": {"log": ["x"]}})
        assert refusal(refused)[0] == 400  # it has no graph yet


async def test_a_state_says_where_it_stands(server: Live) -> None:
    sdk = server.sdk()
    thread_id = await walked(sdk)
    state: Json = await sdk.threads.get_state(thread_id)
    assert set(state) == set(EMPTY)
    assert (state["values"]["log"], state["next"], state["tasks"]) == (["step 0", "step 1", "step 2"], [], [])
    assert state["checkpoint"] == {
        "thread_id": thread_id,
        "checkpoint_ns": "",
        "checkpoint_id": state["checkpoint_id"],
    }
    assert state["parent_checkpoint"]["checkpoint_id"] == state["parent_checkpoint_id"]
    assert (state["metadata"]["source"], state["metadata"]["step"]) == ("loop", 3)


async def test_what_a_failed_step_left_hides_no_thread(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    refused: Json = {"messages": [{"role": "user"}]}  # the reducer wants content
    await sdk.runs.wait(thread_id, "echo", input=refused, raise_error=False)
    thread: Json = await sdk.threads.get(thread_id)
    state: Json = await sdk.threads.get_state(thread_id)
    assert (thread["status"], state["values"]["messages"]) == ("error", [])
    assert thread_id in [found["thread_id"] for found in await sdk.threads.search()]


async def test_history_is_newest_first_and_paged(server: Live) -> None:
    sdk = server.sdk()
    thread_id = await walked(sdk)
    whole: Json = await sdk.threads.get_history(thread_id, limit=100)
    assert [state["metadata"]["step"] for state in whole] == [3, 2, 1, 0, -1]
    assert [state["next"] for state in whole] == [[], ["third"], ["second"], ["first"], ["__start__"]]
    for newer, older in pairwise(whole):
        assert newer["parent_checkpoint_id"] == older["checkpoint_id"]
    async with server.http() as http:
        path = f"/threads/{thread_id}/history"
        assert (await http.post(path, json={})).json() == whole[:1]  # one, unless told otherwise
        assert (await http.get(path, params={"limit": 3})).json() == whole[:3]
        at = whole[1]["checkpoint_id"]
        for before in (
            at,
            {"checkpoint_id": at},
            {"configurable": {"checkpoint_id": at}},
            whole[1]["checkpoint"],
        ):
            assert (await http.post(path, json={"limit": 9, "before": before})).json() == whole[2:], before
        found = (await http.post(path, json={"limit": 9, "metadata": {"step": 1}})).json()
        assert found == [whole[2]]


async def test_an_older_state_can_be_read(server: Live) -> None:
    sdk = server.sdk()
    thread_id = await walked(sdk)
    older: Json = (await sdk.threads.get_history(thread_id, limit=3))[2]
    by_id: Json = await sdk.threads.get_state(thread_id, checkpoint_id=older["checkpoint_id"])
    by_address: Json = await sdk.threads.get_state(thread_id, checkpoint=older["checkpoint"])
    assert by_id == by_address == older
    assert by_id["values"]["log"] == ["step 0"]


async def test_a_run_goes_on_from_an_older_state(server: Live) -> None:
    sdk = server.sdk()
    thread_id = await walked(sdk)
    older: Json = (await sdk.threads.get_history(thread_id, limit=3))[2]
    values: Json = await sdk.runs.wait(thread_id, "steps", checkpoint_id=older["checkpoint_id"])
    assert values["log"] == ["step 0", "step 1", "step 2"]
    latest: Json = await sdk.threads.get_history(thread_id, limit=3)
    assert latest[-1]["parent_checkpoint_id"] == older["checkpoint_id"]
    fork: Json = await sdk.runs.wait(thread_id, "steps", input=log("fork"), checkpoint=older["checkpoint"])
    assert fork["log"][:2] == ["step 0", "fork"]


def log(*lines: str) -> Json:
    return {"log": list(lines)}


async def test_values_can_be_written(server: Live) -> None:
    sdk = server.sdk()
    thread_id = await walked(sdk)
    before: Json = await sdk.threads.get_state(thread_id)
    written: Json = await sdk.threads.update_state(thread_id, log("by hand"))
    after: Json = await sdk.threads.get_state(thread_id)
    assert after["values"]["log"][3:] == ["by hand"]
    assert written["checkpoint"] == written["configurable"] == after["checkpoint"]
    assert written["checkpoint_id"] == after["checkpoint_id"]
    assert after["parent_checkpoint"] == before["checkpoint"]
    assert after["metadata"]["source"] == "update"
    thread: Json = await sdk.threads.get(thread_id)
    assert (thread["values"], thread["status"]) == (after["values"], "idle")


async def test_values_written_as_a_node_go_on_after_it(server: Live) -> None:
    sdk = server.sdk()
    thread_id = await walked(sdk)
    await sdk.threads.update_state(thread_id, log("as first"), as_node="first")
    state: Json = await sdk.threads.get_state(thread_id)
    assert state["next"] == ["second"]
    assert (await sdk.threads.get(thread_id))["status"] == "interrupted"
    values: Json = await sdk.runs.wait(thread_id, "steps")
    assert values["log"][3:] == ["as first", "step 4", "step 5"]


async def test_writing_answers_no_question_and_drops_it(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(thread_id, "ask", input={})
    await sdk.threads.update_state(thread_id, {"answer": "by hand"}, as_node="question")
    thread: Json = await sdk.threads.get(thread_id)
    assert (thread["status"], thread["interrupts"]) == ("interrupted", {})
    values: Json = await sdk.runs.wait(thread_id, "ask")
    assert values["log"] == ["did by hand"]


async def test_a_state_is_not_written_under_a_running_run(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    run = await sdk.runs.create(thread_id, "steps", input={"delay": 0.2})
    await has_status(sdk, thread_id, run["run_id"], "running")
    async with server.http() as http:
        refused = await http.post(f"/threads/{thread_id}/state", json={"values": log("x")})
        assert refusal(refused)[0] == 409
    values: Json = await sdk.runs.join(thread_id, run["run_id"])
    assert values["log"] == ["step 0", "step 1", "step 2"]


async def test_a_node_that_is_none_is_a_bad_request(server: Live) -> None:
    sdk = server.sdk()
    thread_id = await walked(sdk)
    with pytest.raises(BadRequestError, match="Node nobody does not exist"):
        await sdk.threads.update_state(thread_id, log("x"), as_node="nobody")


async def test_the_state_of_a_subgraph_is_shown_when_asked_for(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(thread_id, "inner", input={"delay": 0})
    plain: Json = await sdk.threads.get_state(thread_id)
    whole: Json = await sdk.threads.get_state(thread_id, subgraphs=True)
    [task], [opened] = plain["tasks"], whole["tasks"]
    assert (task["name"], task["state"]) == ("child", None)
    assert task["checkpoint"]["checkpoint_ns"].startswith("child:")
    assert opened["state"]["next"] == ["question"]
    inner: Json = await sdk.threads.get_state(thread_id, checkpoint=task["checkpoint"])
    assert inner["next"] == ["question"]
