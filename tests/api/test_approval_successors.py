"""Requests that follow others: asked in their place, or by the run that carries a decision out."""

from tests.api.approving import APPROVE, ask, decide, listed, settled, shown
from tests.api.wire import Json, refusal
from tests.servers import Live


async def test_a_request_that_another_takes_the_place_of_is_superseded(server: Live) -> None:
    async with server.http("ann") as ann:
        thread_id, ids = await ask(ann, "old")
        body = {
            "assistant_id": "approve",
            "input": {"questions": ["new"], "policy": {"supersedes": f"{thread_id}-old"}},
        }
        await ann.post(f"/threads/{thread_id}/runs/wait", json=body)
        found = await shown(ann, ids["old"])
        assert found["status"] == "superseded"
        status, sentence = refusal(await decide(ann, ids["old"], APPROVE))
        assert status == 409
        assert "another one has taken its place" in sentence
        assert await listed(ann) == [f"{thread_id}:{thread_id}-new"]


async def test_who_decides_does_not_ask_for_what_follows(server: Live) -> None:
    async with server.http("ann") as ann, server.http("bob", "operator", "chief") as bob:
        thread_id, ids = await ask(ann, graph="renewed", roles=["chief"], exclude_requester=True)
        assert (await decide(bob, ids["one"], APPROVE)).status_code == 200
        for name in ("new", "more"):  # one that takes the place of what was decided, and one that does not
            await settled(ann, ids["one"])
            found = await shown(bob, f"{thread_id}:{thread_id}-{name}")
            assert (found["requester"], found["history"][0]["by"]) == ("ann", "ann")
            assert (await decide(bob, found["approval_id"], APPROVE)).status_code == 200
        assert (await settled(ann, ids["one"]))["answers"]["more"]["by"] == ["bob"]


async def test_nor_does_who_decided_when_the_run_is_tried_again(server: Live) -> None:
    async with server.http("ann") as ann, server.http("bob", "operator", "chief") as bob:
        thread_id, ids = await ask(ann, graph="stumbling_renewed", roles=["chief"])
        await decide(bob, ids["one"], APPROVE)
        await settled(ann, ids["one"])
        [failed, _] = (await ann.get(f"/threads/{thread_id}/runs")).json()
        retried = await bob.post(f"/threads/{thread_id}/runs/{failed['run_id']}/retry")
        assert retried.status_code == 200, retried.text
        await settled(ann, ids["one"])
        assert (await shown(bob, f"{thread_id}:{thread_id}-new"))["requester"] == "ann"


async def test_who_asks_for_something_else_in_its_place_does_not_decide(server: Live) -> None:
    async with server.http("ann") as ann, server.http("bob", "operator", "chief") as bob:
        policy: Json = {"roles": ["chief"], "exclude_requester": True}
        thread_id, _ = await ask(ann, "old", **policy)
        instead = {"questions": ["new"], "policy": {**policy, "supersedes": f"{thread_id}-old"}}
        body = {"assistant_id": "approve", "input": instead}
        assert (await bob.post(f"/threads/{thread_id}/runs/wait", json=body)).status_code == 200
        new = f"{thread_id}:{thread_id}-new"
        assert (await shown(bob, new))["requester"] == "bob"
        assert (await decide(bob, new, APPROVE)).status_code == 403
