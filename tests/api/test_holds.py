"""A person is asked for, takes a thread over and hands it back: who may, and that one of many does."""

import asyncio
import uuid
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from langgraph_sdk import Auth

from tests.api.wire import Json, new_thread, refusal
from tests.servers import Live, live

UNKNOWN = "7d9f3c1e-5a2b-4f6d-8e9a-0b1c2d3e4f50"
TAKERS = 100


async def put(http: httpx.AsyncClient, thread_id: str, **body: Any) -> Json:
    response = await http.put(f"/threads/{thread_id}/hold", json=body)
    assert response.status_code == 200, response.text
    return response.json()


async def release(http: httpx.AsyncClient, thread_id: str, **body: Any) -> httpx.Response:
    return await http.request("DELETE", f"/threads/{thread_id}/hold", json=body or None)


async def hold_of(http: httpx.AsyncClient, thread_id: str) -> Json:
    return (await http.get(f"/threads/{thread_id}")).json().get("hold", "absent")


async def test_asked_for_taken_and_handed_back(server: Live) -> None:
    async with server.http("ann") as ann, server.http("eve", "operator") as eve:
        thread_id = await new_thread(ann)
        assert await hold_of(ann, thread_id) == "absent"
        asked = await put(ann, thread_id)
        assert asked == {"role": "operator", "by": None, "since": asked["since"], "asked_by": "ann"}
        assert await hold_of(eve, thread_id) == asked
        taken = await put(eve, thread_id)
        assert taken == {"role": "operator", "by": "eve", "since": taken["since"], "asked_by": "ann"}
        assert asked["since"] < taken["since"] < datetime.now(UTC).isoformat()
        assert await hold_of(ann, thread_id) == taken
        assert (await release(eve, thread_id, note="done")).status_code == 204
        assert await hold_of(ann, thread_id) == await hold_of(eve, thread_id) == "absent"


async def test_the_same_again_changes_nothing(server: Live) -> None:
    async with server.http("ann") as ann, server.http("eve", "operator") as eve:
        thread_id = await new_thread(ann)
        asked = await put(ann, thread_id)
        assert await put(ann, thread_id, ask=True, role="operator") == asked
        taken = await put(eve, thread_id)
        assert await put(eve, thread_id) == taken
        assert await put(ann, thread_id) == taken, "who asks where somebody has come is told of it"
        assert await put(eve, thread_id, ask=True) == taken
        events = await server.platform.client.call("XLEN", server.platform.keys.events(thread_id))
        assert events == 2


async def test_a_second_taker_is_told_who_has_it_and_since_when(server: Live) -> None:
    async with server.http("eve", "operator") as eve, server.http("bob", "operator") as bob:
        thread_id = await new_thread(eve)
        taken = await put(eve, thread_id)
        response = await bob.put(f"/threads/{thread_id}/hold", json={})
        assert refusal(response) == (409, f"eve has had this thread since {taken['since']}.")
        assert response.json() == {
            "detail": response.json()["detail"],
            "code": "held",
            "hold": taken,
        }
        assert (await release(bob, thread_id)).status_code == 204, "a colleague hands it back"
        assert (await put(bob, thread_id))["by"] == "bob"


@pytest.mark.parametrize("asked", [True, False])
async def test_of_a_hundred_takers_one_takes(twins: tuple[Live, Live], asked: bool) -> None:
    one, other = twins
    async with one.http("ann") as ann, one.http() as here, other.http() as there:
        thread_id = await new_thread(ann)
        if asked:
            await put(ann, thread_id)
        path = f"/threads/{thread_id}/hold"
        answers = await asyncio.gather(
            *(
                (here, there)[number % 2].put(path, headers=one.headers(f"eve {number}", "operator"))
                for number in range(TAKERS)
            )
        )
        taken = await hold_of(ann, thread_id)
    [winner] = [answer.json() for answer in answers if answer.status_code == 200]
    assert winner == taken
    losers = [answer.json() for answer in answers if answer.status_code == 409]
    assert len(losers) == TAKERS - 1
    assert all(loser["hold"] == taken and loser["code"] == "held" for loser in losers)
    events = await one.platform.client.call("XLEN", one.platform.keys.events(thread_id))
    assert events == 1 + asked


async def test_one_of_many_hands_back(server: Live) -> None:
    async with server.http("ann") as ann, server.http("eve", "operator") as eve:
        thread_id = await new_thread(ann)
        await put(eve, thread_id)
        answers = await asyncio.gather(*(release(eve, thread_id, note=f"{i}") for i in range(20)))
        assert sorted(answer.status_code for answer in answers) == [204, *[409] * 19]
        assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"not_held"}


async def test_who_has_it_is_known_after_a_restart(redis_url: str) -> None:
    prefix = f"t{uuid.uuid4().hex[:8]}"
    async with (
        live(redis_url, prefix=prefix) as before,
        before.http("ann") as ann,
        before.http("eve", "operator") as eve,
    ):
        thread_id, other_id = await new_thread(ann), await new_thread(ann)
        taken, asked = await put(eve, thread_id), await put(ann, other_id)
    async with live(redis_url, prefix=prefix) as after, after.http("bob", "operator") as bob:
        assert await hold_of(bob, thread_id) == taken
        assert await hold_of(bob, other_id) == asked
        assert (await bob.put(f"/threads/{thread_id}/hold")).status_code == 409
        assert (await put(bob, other_id))["by"] == "bob"


# who may


async def test_others_find_no_such_thread(redis_url: str) -> None:
    async with live(redis_url, hold_roles=("helper",)) as server, server.http() as http:
        async with server.http("ann") as ann:
            thread_id = await new_thread(ann)
        theirs = server.authenticator.sign("ann", ["operator"], tenant="theirs")
        strangers = {
            "another customer": server.headers("eve"),
            "somebody who may hold and not see": server.headers("eve", "helper"),
            "staff of another tenant": {"Authorization": f"Bearer {theirs}"},
        }
        for stranger, headers in strangers.items():
            for method, body in (
                ("PUT", {}),
                ("PUT", {"ask": True, "role": "helper"}),
                ("PUT", {"role": "odd"}),
                ("DELETE", None),
                ("DELETE", {"note": "x"}),
            ):
                shown = []
                for one in (thread_id, UNKNOWN):
                    answer = await http.request(method, f"/threads/{one}/hold", json=body, headers=headers)
                    shown.append((answer.status_code, answer.text.replace(one, "T")))
                assert shown[0] == shown[1], (stranger, method, body)
                assert shown[0][0] == 404
            search = {"hold": "any"}
            assert (await http.post("/threads/search", json=search, headers=headers)).json() == []
        async with server.http("ann") as ann:
            assert await hold_of(ann, thread_id) == "absent"


async def test_roles_that_may_take_over_and_what_they_are_taken_over_as(redis_url: str) -> None:
    async with live(redis_url, hold_roles=("helper", "senior")) as server, server.http("ann") as ann:
        own, of_ann = server.http("eve", "guest", "senior"), await new_thread(ann)
        async with own as eve, server.http("bob", "operator", "guest") as bob:
            thread_id = await new_thread(eve)
            assert (await put(eve, thread_id))["role"] == "senior", "the first of hers that may"
            assert (await put(bob, of_ann))["role"] == "operator", "staff may too"
            assert (await release(bob, of_ann)).status_code == 204
            asked = await put(ann, of_ann, role="senior")
            assert asked["role"] == "senior"
            assert (await put(bob, of_ann))["role"] == "senior", "it stays what was asked for"
            await release(bob, of_ann)
            assert (await put(bob, of_ann, role="guest"))["role"] == "guest"
            await release(bob, of_ann)
            foreign = await bob.put(f"/threads/{of_ann}/hold", json={"role": "senior"})
            assert refusal(foreign)[0] == 403
            odd = await ann.put(f"/threads/{of_ann}/hold", json={"role": "guest"})
            assert refusal(odd)[0] == 422
            assert "helper, senior, operator" in refusal(odd)[1]
            assert (await put(ann, of_ann))["role"] == "helper", "the first of those who may"


async def test_where_nobody_may_take_over_nobody_is_asked_for(redis_url: str) -> None:
    nobody = live(redis_url, hold_roles=(), staff_roles=())
    async with nobody as server, server.http("ann", "operator") as ann:
        thread_id = await new_thread(ann)
        status, sentence = refusal(await ann.put(f"/threads/{thread_id}/hold"))
        assert status == 403
        assert "HOLDFAST_HOLD_ROLES" in sentence


async def test_a_customer_withdraws_the_own_wish_until_somebody_has_come(server: Live) -> None:
    async with server.http("ann") as ann, server.http("eve", "operator") as eve:
        thread_id = await new_thread(ann)
        await put(ann, thread_id)
        assert refusal(await release(ann, thread_id, note="give in"))[0] == 403
        assert (await release(ann, thread_id)).status_code == 204
        assert refusal(await release(ann, thread_id)) == (
            409,
            "No person is asked for on this thread, and none has it.",
        )
        await put(ann, thread_id)
        await put(eve, thread_id)
        assert refusal(await release(ann, thread_id))[0] == 403
        await release(eve, thread_id)
        await put(eve, thread_id, ask=True)
        assert refusal(await release(ann, thread_id))[0] == 403, "what others have asked for stays"
        assert (await hold_of(ann, thread_id))["asked_by"] == "eve"


async def test_whoever_may_take_over_may_also_just_ask(server: Live) -> None:
    async with server.http() as demo:
        thread_id = await new_thread(demo)
        assert (await put(demo, thread_id, ask=True))["by"] is None
        assert (await put(demo, thread_id))["by"] == "demo"


async def test_the_projects_rules_are_asked(redis_url: str) -> None:
    rules, seen = Auth(), []

    @rules.on.threads.update
    async def handler(ctx: Any, value: Any) -> Any:
        seen.append((ctx.user.identity, value["hold"]))
        return {"team": "blue"} if ctx.user.identity == "eve" else False

    async with live(redis_url, rules=rules) as server, server.http("ann") as ann:
        blue, red = await new_thread(ann, metadata={"team": "blue"}), await new_thread(ann)
        async with server.http("eve") as eve:
            assert (await put(eve, blue))["by"] is None, "she may use it, and not take it over"
            assert refusal(await eve.put(f"/threads/{red}/hold"))[0] == 404
            assert refusal(await ann.put(f"/threads/{blue}/hold"))[0] == 403
            assert (await release(eve, blue)).status_code == 204
    assert seen == [
        ("eve", {"role": None, "ask": False}),
        ("eve", {"role": None, "ask": False}),
        ("ann", {"role": None, "ask": False}),
        ("eve", None),
    ]


# found, shown, malformed


async def test_threads_are_found_by_who_has_them(server: Live) -> None:
    async with server.http("ann") as ann, server.http("eve", "operator") as eve:
        free, asked, taken = [await new_thread(ann) for _ in range(3)]
        await put(ann, asked)
        await put(eve, taken)
        wanted = {"asked": {asked}, "taken": {taken}, "any": {asked, taken}, None: {free, asked, taken}}
        for state, ids in wanted.items():
            found = (await eve.post("/threads/search", json={"hold": state})).json()
            assert {thread["thread_id"] for thread in found} == ids
            assert (await ann.post("/threads/count", json={"hold": state})).json() == len(ids)
        [shown] = (await eve.post("/threads/search", json={"hold": "taken", "select": ["hold"]})).json()
        assert shown["hold"]["by"] == "eve"
        assert refusal(await eve.post("/threads/search", json={"hold": "mine"}))[0] == 422


MALFORMED: list[tuple[str, Json]] = [
    ("PUT", {"role": ""}),
    ("PUT", {"role": 5}),
    ("PUT", {"role": "x" * 256}),
    ("PUT", {"ask": "yes"}),
    ("PUT", []),
    ("DELETE", {"note": ""}),
    ("DELETE", {"note": ["x"]}),
    ("DELETE", {"note": "x" * 4001}),
    ("DELETE", "x"),
]


@pytest.mark.parametrize(("method", "body"), MALFORMED, ids=lambda one: str(one)[:30])
async def test_malformed_requests_are_refused(server: Live, method: str, body: Json) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        taken = await put(http, thread_id)
        response = await http.request(method, f"/threads/{thread_id}/hold", json=body)
        assert refusal(response)[0] == 422
        assert await hold_of(http, thread_id) == taken


async def test_a_note_is_bounded_as_every_body_is(redis_url: str) -> None:
    async with live(redis_url, max_body_bytes=1024) as server, server.http() as http:
        thread_id = await new_thread(http)
        await put(http, thread_id)
        assert refusal(await release(http, thread_id, note="x" * 2000))[0] == 413


async def test_a_note_may_be_left_out_with_the_whole_body(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        assert (await http.put(f"/threads/{thread_id}/hold")).json()["by"] == "demo"
        assert (await http.delete(f"/threads/{thread_id}/hold")).status_code == 204


async def test_the_routes_are_described(server: Live) -> None:
    async with server.http() as http:
        described = (await http.get("/openapi.json")).json()["paths"]["/threads/{thread_id}/hold"]
    assert sorted(described) == ["delete", "put"]
