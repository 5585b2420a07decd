"""What waits, shown and answered through the short door."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.chat_graphs import gates
from tests.api.chats import OWN, SERVED, Answer, Door, finished, opened, post, streamed
from tests.servers import Live

APPROVE = {"type": "approve"}


@pytest.fixture
def door(redis_url: str, tmp_path: Path) -> Door:
    return partial(opened, redis_url, tmp_path)


async def refused(http: httpx.AsyncClient, status: int, resume: Any) -> str:
    """The sentence with which an answer is refused, the same on every way in."""
    details = set()
    for path in ("/chat", "/chat/stream", "/chat/async"):
        response = await http.post(path, json={"session_id": "ann", "resume": resume})
        assert response.status_code == status, response.text
        details.add(response.json()["detail"])
    [detail] = details
    return str(detail)


async def kept(server: Live, http: httpx.AsyncClient) -> Answer:
    """The values of the one thread there is."""
    [thread] = (await http.post("/threads/search", json={})).json()
    values: Answer = thread["values"]
    return values


@pytest.mark.parametrize(
    "answer",
    [
        APPROVE,
        [APPROVE],
        {"decisions": [APPROVE]},
        [{"type": "accept", "args": None}],
        {"type": "reject", "message": "no"},
        {"type": "edit", "edited_action": {"name": "launch", "args": {"count": "2"}}},
    ],
)
async def test_an_approval_is_shown_and_answered_in_every_form(door: Door, answer: Any) -> None:
    async with door(f"{SERVED}:approve") as server, server.http() as http:
        waiting = await post(http, message="go", session_id="ann")
        [thread] = (await http.post("/threads/search", json={})).json()
        [[interrupt]] = thread["interrupts"].values()
        request_id = interrupt["value"]["policy"]["request_id"]
        approval = {"id": request_id, "display": interrupt["value"]["display"]}
        assert waiting == {
            "reply": "",
            "session_id": "ann",
            "thread_id": thread["thread_id"],
            "approval": approval,
            "approvals": [approval],
        }
        assert await post(http, resume=answer, session_id="ann") == {"reply": "", "session_id": "ann"}
        decided = (await kept(server, http))["answers"]["one"]["decision"]["decisions"]
        given = answer["decisions"] if isinstance(answer, dict) and "decisions" in answer else answer
        kind = (given[0] if isinstance(given, list) else given)["type"]
        assert decided[0]["type"] == kind.replace("accept", "approve")


async def test_several_requests_are_answered_by_their_own_ids(door: Door) -> None:
    async with door(f"{OWN}:asking") as server, server.http() as http:
        waiting = await post(http, message="alpha beta", session_id="ann")
        alpha, beta = (one["id"] for one in waiting["approvals"])
        assert [one["display"]["title"] for one in waiting["approvals"]] == ["Launch alpha", "Launch beta"]
        assert waiting["approval"] == waiting["approvals"][0]

        detail = await refused(http, 409, APPROVE)
        assert alpha in detail
        assert beta in detail
        assert "other" in await refused(http, 409, {alpha: APPROVE, "other": APPROVE})
        assert "not a decision" in await refused(http, 422, {alpha: {"type": "maybe"}})

        *deltas, done = await streamed(http, resume={alpha: APPROVE}, session_id="ann")
        assert [delta["content"] for delta in deltas] == ["alpha: approve"]
        assert done["content"] == "alpha: approve"
        assert [one["id"] for one in done["approvals"]] == [beta]
        assert "decided by demo" in await refused(http, 409, {alpha: APPROVE})

        answer = await post(http, resume={"type": "reject"}, session_id="ann")
        assert answer == {"reply": "beta: reject", "session_id": "ann"}
        assert "Nothing waits" in await refused(http, 409, APPROVE)


async def test_a_task_that_answers_one_of_two_tells_of_that_one(door: Door) -> None:
    async with door(f"{OWN}:asking") as server, server.http() as http:
        await post(http, message="earlier", session_id="ann")
        await post(http, resume=APPROVE, session_id="ann")
        alpha, beta = (await post(http, message="alpha beta", session_id="ann"))["approvals"]
        answer = {"resume": {alpha["id"]: APPROVE}, "session_id": "ann"}
        task = (await post(http, "/chat/async", **answer))["task_id"]
        state = await finished(http, task)
        assert (state["status"], state["reply"]) == ("waiting_for_approval", "alpha: approve")
        assert state["approvals"] == [beta]
        await server.platform.client.redis.delete(server.platform.keys.events(state["thread_id"]))
        assert await finished(http, task) == state

        answer = {"resume": {beta["id"]: APPROVE}, "session_id": "ann"}
        other = (await post(http, "/chat/async", **answer))["task_id"]
        assert (await finished(http, other))["reply"] == "beta: approve"


async def test_both_requests_are_answered_at_once(door: Door) -> None:
    async with door(f"{OWN}:asking") as server, server.http() as http:
        waiting = await post(http, message="alpha beta", session_id="ann")
        decisions = {one["id"]: APPROVE for one in waiting["approvals"]}
        answer = await post(http, resume=decisions, session_id="ann")
        assert answer == {"reply": "alpha: approve\n\nbeta: approve", "session_id": "ann"}


async def test_a_task_waits_until_its_own_request_is_decided(door: Door) -> None:
    async with door(f"{OWN}:asking") as server, server.http() as http:
        task = (await post(http, "/chat/async", message="alpha", session_id="ann"))["task_id"]
        state = await finished(http, task)
        assert (state["status"], state["session_id"]) == ("waiting_for_approval", "ann")
        assert state["approval"]["display"]["title"] == "Launch alpha"
        keys, redis = server.platform.keys, server.platform.client.redis
        await redis.delete(keys.events(state["thread_id"]))
        assert await finished(http, task) == state

        answer = (await post(http, "/chat/async", resume=APPROVE, session_id="ann"))["task_id"]
        done = {"status": "done", "reply": "alpha: approve", "session_id": "ann"}
        assert await finished(http, answer) == done
        assert (await finished(http, task))["status"] == "done"
        await redis.delete(keys.events(state["thread_id"]))
        assert await finished(http, answer) == done

        await post(http, message="beta", session_id="ann")
        assert (await finished(http, task))["status"] == "done"


async def test_a_decided_request_waits_no_more_while_it_is_carried_out(door: Door) -> None:
    async with door(f"{OWN}:asking") as server, server.http() as http:
        task = (await post(http, "/chat/async", message="held", session_id="ann"))["task_id"]
        assert (await finished(http, task))["status"] == "waiting_for_approval"
        answer = (await post(http, "/chat/async", resume=APPROVE, session_id="ann"))["task_id"]
        assert (await finished(http, task))["status"] == "done"
        assert (await http.get(f"/chat/result/{answer}")).json()["status"] == "running"
        gates["held"].set()
        assert (await finished(http, answer))["reply"] == "held: approve"


@pytest.mark.parametrize("answer", ["yes", 0, False, ["a", {"b": None}], {"type": "approve"}])
async def test_a_plain_interrupt_takes_any_answer_once(door: Door, answer: Any) -> None:
    async with door(f"{SERVED}:ask") as server, server.http() as http:
        waiting = await post(http, message="go", session_id="ann")
        assert waiting["approval"]["display"] == {"question": "go on?"}
        assert len(waiting["approval"]["id"]) == 32
        assert (await post(http, resume=answer, session_id="ann"))["reply"] == ""
        assert (await kept(server, http))["log"] == [f"did {answer}"]
        assert "Nothing waits" in await refused(http, 409, answer)


async def test_a_plain_interrupt_is_answered_by_its_id(door: Door) -> None:
    async with door(f"{SERVED}:ask") as server, server.http() as http:
        waiting = await post(http, message="go", session_id="ann")
        assert "Nothing that this" in await refused(http, 409, {"0" * 32: "yes"})
        await post(http, resume={waiting["approval"]["id"]: "yes"}, session_id="ann")
        assert (await kept(server, http))["log"] == ["did yes"]


async def test_of_two_answers_at_once_one_counts(door: Door) -> None:
    async with door(f"{SERVED}:approve") as server, server.http() as http:
        await post(http, message="go", session_id="ann")
        body = {"session_id": "ann", "resume": APPROVE}
        answers = await asyncio.gather(*(http.post("/chat", json=body) for _ in range(8)))
        assert sorted(answer.status_code for answer in answers) == [200, *[409] * 7]


async def test_an_answer_where_nothing_waits_is_refused(server: Live) -> None:
    async with server.http() as http:
        assert "Nothing waits" in await refused(http, 409, APPROVE)
        assert (await http.post("/threads/search", json={})).json() == []
        await post(http, message="hi", session_id="ann")
        for resume in (APPROVE, "yes", {"request": APPROVE}, {"0" * 32: APPROVE}):
            assert "Nothing waits" in await refused(http, 409, resume)
        assert (await post(http, message="hi", session_id="ann"))["reply"] == "echo: hi"


async def test_nobody_answers_in_a_session_of_somebody_else(door: Door) -> None:
    async with door(f"{SERVED}:approve") as server, server.http("ann") as ann, server.http("bob") as bob:
        waiting = await post(ann, message="go", session_id="ann")
        for resume in (APPROVE, {waiting["approval"]["id"]: APPROVE}):
            assert "Nothing waits" in await refused(bob, 409, resume)
        assert await post(ann, resume=APPROVE, session_id="ann") == {"reply": "", "session_id": "ann"}
