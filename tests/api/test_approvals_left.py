"""Decisions on requests whose question is not what the thread stands at: carried out, or not said to be."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.approving import APPROVE, REJECT, ask, decide, kinds, listed, settled, shown
from tests.api.wire import Json, new_thread, refusal
from tests.servers import Live
from tests.waiting import wait_until

APPROVED = {"decision": {"decisions": [APPROVE]}, "by": ["ann"]}


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What really happened, whatever the state says."""
    path = tmp_path / "notes"
    monkeypatch.setenv("SERVED_NOTES", str(path))
    return path


async def talk(http: httpx.AsyncClient, thread_id: str, **more: Json) -> Json:
    said = {"messages": [{"role": "user", "content": "and?"}], **more}
    response = await http.post(f"/threads/{thread_id}/runs", json={"assistant_id": "desk", "input": said})
    run: Json = response.json()
    return run


async def edit_state(http: httpx.AsyncClient, thread_id: str, **more: str) -> None:
    body = {"values": {"log": ["edited"]}, **more}
    assert (await http.post(f"/threads/{thread_id}/state", json=body)).status_code == 200


async def test_a_decision_after_a_message_that_was_cut_off_is_carried_out(server: Live) -> None:
    async with server.http("ann") as ann:
        thread_id, ids = await ask(ann, graph="desk")
        run_id = (await talk(ann, thread_id, delay=1))["run_id"]
        await wait_until(partial(has_begun, ann, thread_id, run_id), "the run has begun")
        await ann.post(f"/threads/{thread_id}/runs/{run_id}/cancel", params={"wait": 1})
        assert (await shown(ann, ids["one"]))["status"] == "open"
        assert (await decide(ann, ids["one"], APPROVE)).status_code == 200
        assert (await settled(ann, ids["one"]))["answers"] == {"one": APPROVED}
        assert "carried_out" in kinds(await shown(ann, ids["one"]))


async def has_begun(http: httpx.AsyncClient, thread_id: str, run_id: str) -> bool:
    run = (await http.get(f"/threads/{thread_id}/runs/{run_id}")).json()
    return str(run["status"]) != "pending"


async def test_a_decision_after_a_change_of_the_state_is_carried_out(server: Live) -> None:
    async with server.http("ann") as ann:
        thread_id, ids = await ask(ann, graph="desk")
        await edit_state(ann, thread_id, as_node="reply")
        assert (await decide(ann, ids["one"], APPROVE)).status_code == 200
        assert (await settled(ann, ids["one"]))["answers"] == {"one": APPROVED}
        assert "carried_out" in kinds(await shown(ann, ids["one"]))


async def launching(http: httpx.AsyncClient, notes: Path, **given: Any) -> tuple[str, Json]:
    """An approval that was given, and the run that is at it or has failed with it."""
    thread_id = await new_thread(http)
    await http.post(f"/threads/{thread_id}/runs/wait", json={"assistant_id": "launching", "input": given})
    approval_id = f"{thread_id}:{thread_id}-one"
    assert (await decide(http, approval_id, APPROVE)).status_code == 200

    await wait_until(partial(has_launched, notes, thread_id), "the graph has its answer")
    [run, _] = (await http.get(f"/threads/{thread_id}/runs")).json()
    return approval_id, run


async def has_launched(notes: Path, thread_id: str) -> bool:
    def read() -> bool:
        return notes.exists() and f"launch {thread_id} approve" in notes.read_text()

    return await asyncio.to_thread(read)


async def test_a_decision_whose_run_is_cancelled_does_not_count_any_more(server: Live, notes: Path) -> None:
    async with server.http("ann") as ann:
        approval_id, run = await launching(ann, notes, delay=30)
        await ann.post(f"/threads/{run['thread_id']}/runs/{run['run_id']}/cancel", params={"wait": 1})
        assert (await decide(ann, approval_id, REJECT)).status_code == 200
        assert (await settled(ann, approval_id))["log"] == ["reject"]


async def test_a_decision_that_a_node_has_failed_with_stands(server: Live, notes: Path) -> None:
    async with server.http("ann") as ann:
        approval_id, run = await launching(ann, notes)
        await settled(ann, approval_id)
        assert (await ann.get(f"/threads/{run['thread_id']}")).json()["status"] == "error"
        status, sentence = refusal(await decide(ann, approval_id, REJECT))
        assert (status, "decided by ann" in sentence) == (409, True)
        assert kinds(await shown(ann, approval_id)).count("decided") == 1


async def test_a_decision_that_the_graph_was_not_given_waits_until_it_asks_again(server: Live) -> None:
    async with server.http("ann") as ann:
        thread_id, ids = await ask(ann, "one", "two", graph="desk")
        await edit_state(ann, thread_id, as_node="request")  # with which the graph is at its end
        assert (await decide(ann, ids["one"], APPROVE)).status_code == 200
        assert (await settled(ann, ids["one"])).get("answers", {}) == {}
        assert "carried_out" not in kinds(await shown(ann, ids["one"]))
        assert await listed(ann, thread_id=thread_id) == [ids["two"]], "nobody has taken it back"
        await talk(ann, thread_id)
        assert (await settled(ann, ids["one"]))["answers"] == {"one": APPROVED}
        assert "carried_out" in kinds(await shown(ann, ids["one"]))
        assert await listed(ann, thread_id=thread_id) == [ids["two"]]
