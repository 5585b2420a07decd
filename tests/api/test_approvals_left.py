"""Decisions on requests whose question is not what the thread stands at: carried out, or not said to be."""

from functools import partial

import httpx

from tests.api.approving import APPROVE, ask, decide, kinds, listed, settled, shown
from tests.api.wire import Json
from tests.servers import Live
from tests.waiting import wait_until

APPROVED = {"decision": {"decisions": [APPROVE]}, "by": ["ann"]}


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
