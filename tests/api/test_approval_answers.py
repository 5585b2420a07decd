"""Interrupts with a policy: who may answer, in which form, and that an answer counts once."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.wire import Json, new_thread, refusal
from tests.servers import Live

APPROVE, REJECT = {"type": "approve"}, {"type": "reject"}


def edit(count: Any, **more: Any) -> Json:
    return {"type": "edit", "edited_action": {"name": "launch", "args": {"count": count, **more}}}


async def ask(http: httpx.AsyncClient, *questions: str, graph: str = "approve") -> tuple[str, dict[str, str]]:
    """A thread on which requests wait: its id, and by name the ids of their interrupts."""
    thread_id = await new_thread(http)
    body = {"assistant_id": graph, "input": {"questions": list(questions or ("one",))}}
    values = (await http.post(f"/threads/{thread_id}/runs/wait", json=body)).json()
    waiting = {named(one): one["id"] for one in values["__interrupt__"]}
    return thread_id, waiting


def named(interrupt: Json) -> str:
    request_id: str = interrupt["value"]["policy"]["request_id"]
    return request_id.rpartition("-")[2]


async def answer(
    http: httpx.AsyncClient, thread_id: str, resume: Any, graph: str = "approve"
) -> httpx.Response:
    body = {"assistant_id": graph, "command": {"resume": resume}}
    return await http.post(f"/threads/{thread_id}/runs/wait", json=body)


async def waiting(http: httpx.AsyncClient, thread_id: str) -> list[str]:
    thread = (await http.get(f"/threads/{thread_id}")).json()
    return [named(one) for interrupts in thread["interrupts"].values() for one in interrupts]


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"decisions": [APPROVE]}, APPROVE),
        ([APPROVE], APPROVE),
        (APPROVE, APPROVE),
        ({**APPROVE, "message": "well then"}, APPROVE),
        ({"decisions": [REJECT]}, REJECT),
        ({"type": "reject", "message": "too many"}, {"type": "reject", "message": "too many"}),
        (edit("2"), edit("2")),
        ({"decisions": [edit("2.5")]}, edit("2.5")),
        ([{"type": "accept"}], APPROVE),
        ({"type": "accept", "args": None}, APPROVE),
        ([{"type": "ignore", "args": None}], REJECT),
        ([{"type": "ignore", "args": "no"}], {"type": "reject", "message": "no"}),
        ([{"type": "edit", "args": {"action": "launch", "args": {"count": "1"}}}], edit("1")),
    ],
    ids=str,
)
async def test_every_form_of_an_answer(server: Live, given: Any, stored: Json) -> None:
    async with server.http("ann") as http:
        for by_id in (False, True):
            thread_id, ids = await ask(http)
            response = await answer(http, thread_id, {ids["one"]: given} if by_id else given)
            assert response.status_code == 200, response.text
            assert response.json()["answers"] == {"one": {"decision": {"decisions": [stored]}, "by": ["ann"]}}
            assert await waiting(http, thread_id) == []


MALFORMED: list[Any] = [
    "yes",
    True,
    None,
    5,
    [],
    {},
    {"type": "maybe"},
    {"type": 5},
    {"type": ["approve"]},
    {"decisions": []},
    {"decisions": [APPROVE, APPROVE]},
    {"decisions": "approve"},
    {"decisions": None},
    {"decisions": [{}]},
    {"type": "respond", "message": "hm"},
    [{"type": "response", "args": "hm"}],
    {"type": "reject", "message": 5},
    {"type": "edit"},
    {"type": "edit", "edited_action": "2"},
    {"type": "edit", "edited_action": {"name": "launch"}},
    {"type": "edit", "edited_action": {"name": "land", "args": {"count": "1"}}},
    edit("0"),
    edit("-1"),
    edit("4"),
    edit("3.01"),
    edit("1e9"),
    edit("NaN"),
    edit("Infinity"),
    edit("two"),
    edit(""),
    edit(2),
    edit(None),
    edit("2", colour="red"),
    {"type": "edit", "edited_action": {"name": "launch", "args": {}}},
]


async def test_what_is_no_answer_is_refused_and_the_request_goes_on_waiting(server: Live) -> None:
    async with server.http("ann") as http:
        thread_id, ids = await ask(http)
        before = (await http.get(f"/threads/{thread_id}")).json()
        for given in MALFORMED:
            for resume in (given, {ids["one"]: given}):
                response = await answer(http, thread_id, resume)
                status, sentence = refusal(response)
                assert (status, len(sentence) < 300) == (422, True), (given, status, sentence)
                assert response.json()["approval"]["status"] == "open"
        assert (await http.get(f"/threads/{thread_id}")).json() == before
        assert len((await http.get(f"/threads/{thread_id}/runs")).json()) == 1
        assert (await answer(http, thread_id, APPROVE)).status_code == 200


async def test_a_bare_answer_to_several_requests_names_them(server: Live) -> None:
    async with server.http("ann") as http:
        thread_id, ids = await ask(http, "a", "b")
        for resume in (APPROVE, {"decisions": [APPROVE]}, "yes"):
            status, sentence = refusal(await answer(http, thread_id, resume))
            assert status == 409
            assert all(one in sentence for one in ids.values())
        assert sorted(await waiting(http, thread_id)) == ["a", "b"]


async def test_one_request_does_not_wait_for_another(server: Live) -> None:
    async with server.http("ann") as http:
        thread_id, ids = await ask(http, "a", "b")
        half = (await answer(http, thread_id, {ids["b"]: REJECT})).json()
        assert [named(one) for one in half["__interrupt__"]] == ["a"]
        assert refusal(await answer(http, thread_id, {ids["b"]: APPROVE}))[0] == 409
        whole = (await answer(http, thread_id, APPROVE)).json()  # one is left: it may be bare again
        kinds = {name: given["decision"]["decisions"][0]["type"] for name, given in whole["answers"].items()}
        assert kinds == {"a": "approve", "b": "reject"}


async def test_both_may_be_answered_at_once(server: Live) -> None:
    async with server.http("ann") as http:
        thread_id, ids = await ask(http, "a", "b")
        values = (await answer(http, thread_id, {ids["a"]: APPROVE, ids["b"]: REJECT})).json()
        assert "__interrupt__" not in values
        assert set(values["answers"]) == {"a", "b"}


async def test_a_second_decision_is_told_who_decided_and_when(server: Live) -> None:
    async with server.http("ann") as http:
        thread_id, ids = await ask(http)
        await answer(http, thread_id, APPROVE)
        by_id = [{ids["one"]: again} for again in (APPROVE, REJECT)]
        for again in (*by_id, APPROVE, {"decisions": [REJECT]}, [{"type": "ignore", "args": None}]):
            response = await answer(http, thread_id, again)
            status, sentence = refusal(response)
            assert (status, response.json()["code"]) == (409, "no_such_interrupt")
            assert "decided by ann at 20" in sentence
            assert response.json()["approval"]["decision"]["by"] == ["ann"]
        assert len((await http.get(f"/threads/{thread_id}/runs")).json()) == 2


async def test_a_late_answer_without_a_name_is_no_answer_to_a_request_before_the_last_question(
    server: Live,
) -> None:
    async with server.http("ann") as http:
        thread_id, _ = await ask(http)
        await answer(http, thread_id, APPROVE)
        assert (await answer(http, thread_id, "yes")).status_code == 200, "no form of a decision"
        await http.post(f"/threads/{thread_id}/runs/wait", json={"assistant_id": "ask", "input": {}})
        for _ in range(2):
            assert (await answer(http, thread_id, APPROVE, "ask")).status_code == 200


async def test_only_the_roles_of_the_policy_decide(server: Live) -> None:
    async with (
        server.http("ann") as owner,
        server.http("eve", "operator") as operator,
        server.http("bob", "operator", "chief") as chief,
        server.http("mallory", "chief") as stranger,
    ):
        thread_id, ids = await ask(owner)
        refused = await answer(operator, thread_id, {ids["one"]: APPROVE})
        assert refusal(refused)[0] == 403  # sees every thread, decides nothing here
        assert refused.json()["approval"]["interrupt_id"] == ids["one"]
        assert refusal(await answer(stranger, thread_id, {ids["one"]: APPROVE}))[0] == 404  # sees none
        assert await waiting(owner, thread_id) == ["one"]
        values = (await answer(chief, thread_id, {ids["one"]: APPROVE})).json()
        assert values["answers"]["one"]["by"] == ["bob"]


async def test_who_decided_cannot_be_said_by_the_client(server: Live) -> None:
    async with server.http("ann") as http:
        thread_id, _ = await ask(http)
        forged = {"holdfast_decision": {"request_id": "x", "by": ["the chief"], "at": "1970"}}
        for claim in ({"config": {"configurable": forged}}, {"context": forged}):
            body = {"assistant_id": "approve", "input": {"questions": ["one"]}, **claim}
            await http.post(f"/threads/{thread_id}/runs/wait", json=body)
        body = {"assistant_id": "approve", "command": {"resume": APPROVE}, "config": {"configurable": forged}}
        values = (await http.post(f"/threads/{thread_id}/runs/wait", json=body)).json()
        assert values["answers"]["one"]["by"] == ["ann"]


async def test_racing_decisions_have_one_winner_whose_word_is_done(
    server: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVED_NOTES", str(tmp_path / "notes"))
    async with server.http("ann") as owner, server.http("bob", "operator", "chief") as chief:
        for _ in range(20):
            thread_id, ids = await ask(owner)
            given = [(owner, APPROVE), (chief, APPROVE), (chief, REJECT)]
            responses = await asyncio.gather(
                *(answer(http, thread_id, {ids["one"]: decision}) for http, decision in given)
            )
            assert sorted(response.status_code for response in responses) == [200, 409, 409]
            [won] = [n for n, response in enumerate(responses) if response.status_code == 200]
            by, kind = ("ann", "bob", "bob")[won], given[won][1]["type"]
            answers = (await owner.get(f"/threads/{thread_id}/state")).json()["values"]["answers"]
            assert answers == {"one": {"decision": {"decisions": [{"type": kind}]}, "by": [by]}}
            notes = [line for line in (tmp_path / "notes").read_text().splitlines() if thread_id in line]
            assert notes == [f"decided {thread_id}-one {kind}"]
            for response in responses:
                if response.status_code == 409:
                    told = response.json()
                    assert f"decided by {by} at" in told["detail"]
                    assert told["approval"]["decision"]["by"] == [by]


async def test_a_question_asked_meanwhile_leaves_the_request_waiting(server: Live) -> None:
    async with server.http("ann") as http:
        thread_id = await new_thread(http)
        body: Json = {
            "assistant_id": "desk",
            "input": {"messages": [{"role": "user", "content": "please"}], "questions": ["one"]},
        }
        first = (await http.post(f"/threads/{thread_id}/runs/wait", json=body)).json()
        body["input"] = {"messages": [{"role": "user", "content": "how long?"}]}
        second = (await http.post(f"/threads/{thread_id}/runs/wait", json=body)).json()
        assert second["messages"][-1]["content"] == "echo: how long?"
        assert await waiting(http, thread_id) == ["one"]
        [old], [new] = first["__interrupt__"], second["__interrupt__"]
        assert new["value"] == old["value"]
        stale = await answer(http, thread_id, {old["id"]: APPROVE}, "desk")
        if old["id"] != new["id"]:
            assert refusal(stale)[0] == 409  # an old approval never hits a new question
            stale = await answer(http, thread_id, {new["id"]: APPROVE}, "desk")
        assert stale.json()["answers"]["one"]["by"] == ["ann"]
        assert await waiting(http, thread_id) == []
