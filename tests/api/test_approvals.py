"""Approvals as a resource: found, claimed, voted on and decided, over all threads."""

import asyncio
from typing import Any

import pytest

from tests.api.approving import (
    APPROVE,
    REJECT,
    ask,
    ask_one,
    decide,
    edit,
    kinds,
    later,
    listed,
    settled,
    shown,
)
from tests.api.wire import Json, new_thread, refusal
from tests.servers import Live

TWO: Json = {"roles": ["chief"], "deciders": 2}


async def test_what_waits_is_listed_the_next_due_first(server: Live) -> None:
    async with server.http("ann") as ann, server.http("bob", "operator", "chief") as bob:
        never = await ask_one(ann)
        late = await ask_one(ann, expires_at=later(hours=2))
        soon = await ask_one(ann, expires_at=later(hours=1))
        assert await listed(bob) == [soon, late, never]
        assert await listed(bob, sort_by="created_at") == [never, late, soon]
        response = await bob.get("/approvals", params={"limit": 1, "offset": 1})
        assert [one["approval_id"] for one in response.json()] == [late]
        assert response.headers["X-Pagination-Total"] == "3"
        assert response.headers["X-Pagination-Next"] == "2"


async def test_lists_are_filtered(server: Live) -> None:
    async with server.http("ann") as ann, server.http("bob", "operator", "chief") as bob:
        one, other = await ask_one(ann), await ask_one(ann, roles=["chief"])
        await bob.post(f"/approvals/{other}/claim")
        both, none = {one, other}, set[str]()
        for wanted, found in [
            ({"role": "owner"}, {one}),
            ({"role": "chief"}, both),
            ({"assignee": "bob"}, {other}),
            ({"assignee": "ann"}, none),
            ({"assignee": ""}, {one}),
            ({"graph_id": "approve"}, both),
            ({"graph_id": "echo"}, none),
            ({"action": "launch"}, both),
            ({"action": "land"}, none),
            ({"thread_id": one.partition(":")[0]}, {one}),
            ({"min_age_s": "3600"}, none),
            ({"status": "decided"}, none),
            ({"status": "all"}, both),
        ]:
            assert set(await listed(bob, **wanted)) == found, wanted
        await decide(bob, other, REJECT)
        assert await listed(bob) == [one]
        assert await listed(bob, status="decided") == [other]
        assert await listed(bob, status="all") == [one, other]


@pytest.mark.parametrize(
    "wanted", [{"limit": 0}, {"offset": -1}, {"status": "lost"}, {"thread_id": "x"}], ids=str
)
async def test_a_list_that_cannot_be_is_refused(server: Live, wanted: dict[str, Any]) -> None:
    async with server.http("ann") as ann:
        assert (await ann.get("/approvals", params=wanted)).status_code == 400


async def test_a_status_that_is_none_is_told_those_there_are(server: Live) -> None:
    async with server.http("ann") as ann:
        told = (await ann.get("/approvals", params={"status": "lost"})).json()["detail"]
    those = "'open', 'decided', 'expired', 'superseded', 'withdrawn' or 'all'"
    assert told == f"status: Input should be {those}"


async def test_a_request_is_shown_with_its_figures_and_history(server: Live) -> None:
    async with server.http("ann") as ann, server.http("bob", "operator", "chief") as bob:
        one = await ask_one(ann, reason="many", version="v7")
        found = await shown(bob, one)
        assert found["title"] == "Launch"
        assert found["actions"] == ["launch"]
        assert found["facts"] == [{"label": "rockets", "value": "3", "kind": "number"}]
        assert (found["status"], found["requester"], found["owner"]) == ("open", "ann", "ann")
        assert (found["reason"], found["version"], found["roles"]) == ("many", "v7", ["owner", "chief"])
        assert found["question"]["action_requests"][0]["args"] == {"count": "3"}
        assert kinds(found) == ["requested", "viewed"]
        assert [line["by"] for line in found["history"]] == ["ann", "bob"]
        again = await shown(bob, one)
        assert again == found, "looking at it again is nothing new"
        await decide(bob, one, APPROVE)
        values = await settled(ann, one)
        assert values["answers"]["one"] == {"decision": {"decisions": [APPROVE]}, "by": ["bob"]}
        found = await shown(ann, one)
        assert kinds(found) == ["requested", "viewed", "decided", "carried_out", "viewed"]
        assert found["decision"]["by"] == ["bob"]
        assert found["history"][3]["said"]["status"] == "success"


async def test_a_foreign_request_reads_like_a_missing_one(server: Live) -> None:
    async with server.http("ann") as ann, server.http("eve") as eve:
        one = await ask_one(ann)
        missing = "00000000-0000-4000-8000-000000000000:x"
        for approval_id in (one, missing, "nonsense", f"{one}x", one.partition(":")[0]):
            for method, path in [
                ("GET", ""),
                ("POST", "/claim"),
                ("POST", "/release"),
                ("POST", "/decisions"),
            ]:
                body = APPROVE if path == "/decisions" else None
                response = await eve.request(method, f"/approvals/{approval_id}{path}", json=body)
                assert (response.status_code, response.json()["code"]) == (404, "approval_not_found")
                assert "approval" not in response.json()
        assert await listed(eve, status="all") == []
        assert kinds(await shown(ann, one)) == ["requested", "viewed"]


async def test_who_has_the_role_decides_without_seeing_the_thread(server: Live) -> None:
    async with server.http("ann") as ann, server.http("carl", "chief") as carl:
        one = await ask_one(ann)
        assert await listed(carl) == [one]
        assert (await carl.get(f"/threads/{one.partition(':')[0]}")).status_code == 404
        assert (await decide(carl, one, APPROVE)).status_code == 200
        assert (await settled(ann, one))["answers"]["one"]["by"] == ["carl"]


async def test_who_has_not_the_role_is_refused(server: Live) -> None:
    async with server.http("ann") as ann, server.http("eve", "operator") as eve:
        one = await ask_one(ann, roles=["chief"])
        for http in (ann, eve):
            for path in ("decisions", "claim", "release"):
                response = await http.post(f"/approvals/{one}/{path}", json=APPROVE)
                assert refusal(response) == (403, "This request is for chief to decide.")
                assert response.json()["approval"]["status"] == "open"


async def test_who_asked_may_be_excluded(server: Live) -> None:
    async with server.http("ann", "chief") as ann, server.http("bob", "chief") as bob:
        one = await ask_one(ann, roles=["chief"], exclude_requester=True)
        assert (await decide(ann, one, APPROVE)).status_code == 403
        assert (await decide(bob, one, APPROVE)).status_code == 200
        named = await ask_one(ann, roles=["owner", "chief"], exclude_requester=True)
        assert (await decide(ann, named, APPROVE)).status_code == 200, "the owner is named, so never excluded"


async def test_a_decision_is_told_to_who_comes_later(server: Live) -> None:
    async with server.http("ann") as ann, server.http("bob", "operator", "chief") as bob:
        one = await ask_one(ann)
        assert (await decide(bob, one, REJECT)).json()["status"] == "decided"
        for http in (ann, bob):
            response = await decide(http, one, APPROVE)
            status, sentence = refusal(response)
            assert (status, response.json()["code"]) == (409, "no_such_interrupt")
            assert "decided by bob at 20" in sentence
            assert response.json()["approval"]["decision"]["by"] == ["bob"]


async def test_a_malformed_answer_changes_nothing(server: Live) -> None:
    async with server.http("ann") as ann:
        one = await ask_one(ann)
        before = await shown(ann, one)
        malformed: list[Json] = [
            {},
            {"type": "maybe"},
            {"decisions": []},
            edit("4"),
            edit("NaN"),
            {"type": 5},
        ]
        for given in malformed:
            response = await decide(ann, one, given)
            assert refusal(response)[0] == 422, given
            assert response.json()["approval"]["revision"] == before["revision"]
        assert await shown(ann, one) == before


async def test_two_have_to_agree(server: Live) -> None:
    async with (
        server.http("ann") as ann,
        server.http("bob", "chief") as bob,
        server.http("carl", "chief") as carl,
    ):
        one = await ask_one(ann, **TWO)
        first = (await decide(bob, one, APPROVE)).json()
        assert (first["status"], [vote["by"] for vote in first["votes"]]) == ("open", ["bob"])
        status, sentence = refusal(await decide(bob, one, APPROVE))
        assert status == 409
        assert "somebody else" in sentence
        assert not (await settled(ann, one))["answers"]
        second = (await decide(carl, one, APPROVE)).json()
        assert (second["status"], second["decision"]["by"]) == ("decided", ["bob", "carl"])
        assert (await settled(ann, one))["answers"]["one"]["by"] == ["bob", "carl"]
        assert kinds(await shown(ann, one)) == ["requested", "voted", "decided", "carried_out", "viewed"]


async def test_one_no_is_enough(server: Live) -> None:
    async with (
        server.http("ann") as ann,
        server.http("bob", "chief") as bob,
        server.http("carl", "chief") as carl,
    ):
        one = await ask_one(ann, **TWO)
        await decide(bob, one, APPROVE)
        assert (await decide(carl, one, REJECT)).json()["decision"]["by"] == ["carl"]
        values = await settled(ann, one)
        assert values["answers"]["one"] == {"decision": {"decisions": [REJECT]}, "by": ["carl"]}


async def test_an_edit_voids_the_votes_before_it_and_is_what_others_agree_to(server: Live) -> None:
    async with (
        server.http("ann") as ann,
        server.http("bob", "chief") as bob,
        server.http("carl", "chief") as carl,
    ):
        one = await ask_one(ann, **TWO)
        await decide(bob, one, APPROVE)
        lowered = (await decide(carl, one, edit("2"))).json()
        assert [(vote["by"], vote["type"]) for vote in lowered["votes"]] == [("carl", "edit")]
        assert (await decide(bob, one, APPROVE)).json()["decision"]["by"] == ["carl", "bob"]
        values = await settled(ann, one)
        assert values["answers"]["one"]["decision"] == {"decisions": [edit("2")]}


async def test_an_answer_to_what_was_read_does_not_hold_for_what_came_since(server: Live) -> None:
    async with (
        server.http("ann") as ann,
        server.http("bob", "chief") as bob,
        server.http("carl", "chief") as carl,
    ):
        one = await ask_one(ann, **TWO)
        read = (await shown(bob, one))["revision"]
        await decide(carl, one, edit("1"))
        assert refusal(await decide(bob, one, APPROVE, revision=read))[0] == 409
        now = (await shown(bob, one))["revision"]
        assert (await decide(bob, one, APPROVE, revision=now)).status_code == 200


async def test_a_first_vote_by_a_resume_leaves_the_question_standing(server: Live) -> None:
    async with server.http("ann", "chief") as ann, server.http("bob", "operator", "chief") as bob:
        thread_id, ids = await ask(ann, **TWO)
        body = {"assistant_id": "approve", "command": {"resume": APPROVE}}
        first = await ann.post(f"/threads/{thread_id}/runs/wait", json=body)
        assert first.status_code == 200
        [interrupt] = first.json()["__interrupt__"]
        assert [vote["by"] for vote in (await shown(ann, ids["one"]))["votes"]] == ["ann"]
        body["command"] = {"resume": {interrupt["id"]: APPROVE}}
        second = await bob.post(f"/threads/{thread_id}/runs/wait", json=body)
        assert second.json()["answers"]["one"]["by"] == ["ann", "bob"]


async def test_a_claim_keeps_others_off_until_it_ends(server: Live) -> None:
    async with (
        server.http("ann") as ann,
        server.http("bob", "chief") as bob,
        server.http("carl", "chief") as carl,
    ):
        one = await ask_one(ann, roles=["chief"])
        claimed = (await bob.post(f"/approvals/{one}/claim", json={"seconds": 60})).json()
        assert claimed["claim"]["by"] == "bob"
        for refused in (await decide(carl, one, APPROVE), await carl.post(f"/approvals/{one}/claim")):
            status, sentence = refusal(refused)
            assert status == 409
            assert "bob has claimed this request until 20" in sentence
        assert (await carl.post(f"/approvals/{one}/release")).status_code == 409
        assert (await ann.post(f"/approvals/{one}/claim")).status_code == 403
        assert (await bob.post(f"/approvals/{one}/claim", json={"seconds": 120})).status_code == 200
        assert (await bob.post(f"/approvals/{one}/release")).json()["claim"] is None
        assert (await bob.post(f"/approvals/{one}/release")).status_code == 200, "nothing is left to release"
        assert (await decide(carl, one, APPROVE)).status_code == 200
        assert kinds(await shown(ann, one))[:4] == ["requested", "claimed", "claimed", "released"]


@pytest.mark.parametrize("seconds", [0, -1, 86_401, "9", 1.5, None])
async def test_a_claim_has_a_sensible_length(server: Live, seconds: Any) -> None:
    async with server.http("ann") as ann:
        one = await ask_one(ann)
        assert (await ann.post(f"/approvals/{one}/claim", json={"seconds": seconds})).status_code == 422


async def test_of_racing_claims_one_holds(twins: tuple[Live, Live]) -> None:
    one, other = twins
    async with one.http("ann") as ann, one.http("bob", "chief") as bob, other.http("carl", "chief") as carl:
        for _ in range(10):
            approval = await ask_one(ann)
            replies = await asyncio.gather(
                *(http.post(f"/approvals/{approval}/claim") for http in (bob, carl))
            )
            assert sorted(reply.status_code for reply in replies) == [200, 409]


async def test_a_request_that_is_not_asked_again_is_withdrawn(server: Live) -> None:
    async with server.http("ann") as ann:
        one = await ask_one(ann)
        thread_id = one.partition(":")[0]
        body = {"assistant_id": "echo", "input": {"messages": [{"role": "user", "content": "never mind"}]}}
        await ann.post(f"/threads/{thread_id}/runs/wait", json=body)
        found = await shown(ann, one)
        assert (found["status"], kinds(found)[:2]) == ("withdrawn", ["requested", "withdrawn"])
        assert refusal(await decide(ann, one, APPROVE))[0] == 409
        assert await listed(ann) == []


async def test_a_request_goes_on_waiting_while_the_conversation_does(server: Live) -> None:
    async with server.http("ann") as ann:
        thread_id, ids = await ask(ann, graph="desk")
        for _ in range(2):
            body = {"assistant_id": "desk", "input": {"messages": [{"role": "user", "content": "and?"}]}}
            await ann.post(f"/threads/{thread_id}/runs/wait", json=body)
        found = await shown(ann, ids["one"])
        assert (found["status"], kinds(found)) == ("open", ["requested", "viewed"])
        assert (await decide(ann, ids["one"], APPROVE)).status_code == 200
        assert (await settled(ann, ids["one"]))["answers"]["one"]["by"] == ["ann"]


async def test_a_run_that_fails_leaves_its_threads_requests_open(server: Live) -> None:
    async with server.http("ann") as ann:
        one = await ask_one(ann)
        thread_id = one.partition(":")[0]
        await ann.patch(f"/threads/{thread_id}", json={"ttl": {"ttl": 10}})
        await ann.post(f"/threads/{thread_id}/runs/wait", json={"assistant_id": "fail", "input": {}})
        assert (await shown(ann, one))["status"] == "open"
        assert await server.platform.client.call("TTL", server.platform.keys.thread(thread_id)) == -1


async def test_a_decision_goes_with_the_run_that_was_to_carry_it_out(server: Live) -> None:
    async with server.http("ann") as ann:
        thread_id, ids = await ask(ann)
        body: Json = {"assistant_id": "steps", "input": {"delay": 2}}
        first = (await ann.post(f"/threads/{thread_id}/runs", json=body)).json()
        assert (await decide(ann, ids["one"], APPROVE)).json()["status"] == "decided"
        queued = (await ann.get(f"/threads/{thread_id}/runs")).json()[0]
        assert (await ann.post(f"/threads/{thread_id}/runs/{queued['run_id']}/cancel")).status_code == 202
        found = await shown(ann, ids["one"])
        assert (found["status"], found["decision"]) == ("open", None)
        assert kinds(found)[:3] == ["requested", "decided", "reopened"]
        await ann.post(f"/threads/{thread_id}/runs/{first['run_id']}/cancel", params={"wait": 1})


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ({"roles": []}, "roles"),
        ({"roles": "chief"}, "roles"),
        ({"deciders": 0}, "deciders"),
        ({"deciders": "2"}, "deciders"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"expires_at": "2030-01-01T00:00:00"}, "expires_at"),
        ({"on_expiry": "approve"}, "on_expiry"),
        ({"on_expiry": {"escalate": []}}, "on_expiry"),
        ({"request_id": "no spaces"}, "request_id"),
        ({"request_id": ""}, "request_id"),
        ({"request_id": None}, "request_id"),
        ({"request_id": 5}, "request_id"),
        ({"supersedes": ["one"]}, "supersedes"),
        ({"edit_schema": "any"}, "edit_schema"),
    ],
    ids=str,
)
async def test_a_policy_that_makes_no_sense_fails_the_run(server: Live, policy: Json, told: str) -> None:
    async with server.http("ann") as ann:
        thread_id = await new_thread(ann)
        body = {"assistant_id": "approve", "input": {"questions": ["one"], "policy": policy}}
        answer = (await ann.post(f"/threads/{thread_id}/runs/wait", json=body)).json()
        assert f"The policy of a request is not well formed: {told}" in answer["__error__"]["message"]
        assert await listed(ann) == []
        assert (await ann.get(f"/threads/{thread_id}")).json()["status"] == "error"


async def test_a_request_in_other_words_is_shown_so_and_voids_the_votes(server: Live) -> None:
    async with server.http("ann") as ann, server.http("bob", "chief") as bob:
        thread_id, ids = await ask(ann, graph="desk", **TWO)
        await decide(bob, ids["one"], APPROVE)
        said = [{"role": "user", "content": "and?"}]
        changed = {"messages": said, "questions": ["one"], "policy": {**TWO, "reason": "more of them"}}
        await ann.post(f"/threads/{thread_id}/runs/wait", json={"assistant_id": "desk", "input": changed})
        found = await shown(ann, ids["one"])
        assert (found["reason"], found["votes"]) == ("more of them", [])
        assert found["question"]["policy"]["reason"] == "more of them"
        assert kinds(found) == ["requested", "voted", "requested", "viewed"]
