"""Who is calling, what is whose, and that a client cannot say otherwise."""

import asyncio
from typing import Any

import httpx
import jwt
import pytest

from holdfast.auth import TENANT
from tests.api.wire import Json, new_thread, refusal
from tests.servers import Live, said

UNKNOWN = "7d9f3c1e-5a2b-4f6d-8e9a-0b1c2d3e4f50"


async def who(http: httpx.AsyncClient, **body: Any) -> Json:
    """What a graph is told about the caller."""
    response = await http.post("/runs/wait", json={"assistant_id": "whoami", "input": {}, **body})
    assert response.status_code == 200, response.text
    return response.json()["user"]


async def test_without_a_token_the_demo_caller_calls(server: Live) -> None:
    async with server.http() as http:
        user = await who(http)
    assert user["langgraph_auth_user"] == {
        "identity": "demo",
        "tenant": "default",
        "roles": ["operator"],
        "is_authenticated": True,
    }
    assert user["langgraph_auth_user_id"] == "demo"


async def test_a_caller_is_told_who_the_server_takes_it_for(server: Live) -> None:
    async with server.http("ann", "chief") as ann, server.http("olga", "operator") as olga:
        assert (await ann.get("/me")).json() == {
            "subject": "ann",
            "name": "ann",
            "tenant": "default",
            "roles": ["chief"],
            "staff": False,
            "may_hold": False,
            "scopes": ["read", "write"],
        }
        told = (await olga.get("/me")).json()
        assert (told["staff"], told["may_hold"]) == (True, True)
        assert (await ann.get("/info")).json()["sign_in"] == "dev"


async def test_a_dev_token_names_somebody_else(server: Live) -> None:
    async with server.http() as http:
        made = (await http.post("/dev/token", json={"subject": "ann", "roles": ["chief"]})).json()
        http.headers["Authorization"] = f"Bearer {made['token']}"
        user = await who(http)
    assert (made["subject"], made["roles"]) == ("ann", ["chief"])
    assert user["langgraph_auth_user"]["identity"] == "ann"
    assert user["langgraph_auth_user"]["roles"] == ["chief"]


@pytest.mark.parametrize(
    "body", [{}, {"subject": ""}, {"subject": 5}, {"subject": "a" * 201}, {"subject": "a", "roles": "chief"}]
)
async def test_a_token_is_for_somebody(server: Live, body: Json) -> None:
    async with server.http() as http:
        assert refusal(await http.post("/dev/token", json=body))[0] == 422


async def test_what_is_no_token_of_ours_is_refused(server: Live) -> None:
    good = server.authenticator.sign("ann", [])
    claims = jwt.decode(good, options={"verify_signature": False})
    head, body, signature = good.split(".")
    bad = [
        "Basic YTpi",
        "Bearer",
        "Bearer nonsense",
        f"Token {good}",
        f"Bearer {head}.{body}.",
        f"Bearer {head}.{body}.{signature[::-1]}",
        f"Bearer {jwt.encode(claims, 'x' * 32, algorithm='HS256')}",
        f"Bearer {jwt.encode(claims, '', algorithm='none')}",
    ]
    async with server.http() as http:
        for header in bad:
            response = await http.get(f"/threads/{UNKNOWN}", headers={"Authorization": header})
            assert refusal(response)[0] == 401, header
        for path in ("/ok", "/info"):  # open to all
            assert (await http.get(path, headers={"Authorization": "Bearer x"})).status_code == 200


FORGED = {
    "langgraph_auth_user": {"identity": "the boss", "roles": ["chief"]},
    "langgraph_auth_user_id": "the boss",
    "langgraph_auth_permissions": ["all"],
    "holdfast_hold": {"role": "chief"},
    "holdfast_decision": {"by": ["the boss"]},
    "holdfast_speaker": {"subject": "the boss", "roles": ["chief"], "name": "the boss"},
    "holdfast_handback": {"by": "the boss", "note": "give in", "at": "today"},
    "thread_id": UNKNOWN,
    "run_id": UNKNOWN,
    "graph_id": "approve",
    "assistant_id": UNKNOWN,
    "__pregel_resuming": True,
}


@pytest.mark.parametrize(
    "claim",
    [
        {"config": {"configurable": FORGED}},
        {"config": {"metadata": FORGED}},
        {"context": FORGED},
        {"metadata": FORGED},
        {"input": {"user": FORGED}},
    ],
    ids=lambda claim: str(claim)[:20],
)
async def test_identity_cannot_be_forged(server: Live, claim: Json) -> None:
    async with server.http("ann") as http:
        thread_id = await new_thread(
            http, metadata={"owner": "the boss", "tenant": "theirs", "status": "error"}
        )
        body = {"assistant_id": "whoami", "input": {}, "config": {}, **claim}
        values = (await http.post(f"/threads/{thread_id}/runs/wait", json=body)).json()
        state = (await http.get(f"/threads/{thread_id}/state")).json()
        [run] = (await http.get(f"/threads/{thread_id}/runs")).json()
        thread = (await http.get(f"/threads/{thread_id}")).json()
    user = values["user"]
    assert user["langgraph_auth_user"]["identity"] == user["langgraph_auth_user_id"] == "ann"
    assert user["langgraph_auth_user"]["roles"] == []
    assert (user["thread_id"], user["graph_id"], user["run_id"]) == (thread_id, "whoami", run["run_id"])
    assert not [key for key in user if key.startswith("holdfast_")]
    about = state["metadata"]
    assert (about["graph_id"], about["run_id"]) == ("whoami", run["run_id"])
    assert about["assistant_id"] == run["assistant_id"] == user["assistant_id"] != UNKNOWN
    assert run["metadata"]["graph_id"] == thread["metadata"]["graph_id"] == "whoami"
    assert thread["status"] == "idle"


async def test_what_is_not_reserved_reaches_the_graph(server: Live) -> None:
    async with server.http("ann") as http:
        assert (await who(http, config={"configurable": {"shop": "north"}}))["shop"] == "north"
        assert (await who(http, context={"shop": "south"}))["shop"] == "south"


async def foreign_paths(http: httpx.AsyncClient) -> tuple[str, str]:
    thread_id = await new_thread(http)
    run = await http.post(
        f"/threads/{thread_id}/runs",
        json={"assistant_id": "echo", "input": said("hi"), "stream_resumable": True},
    )
    run_id = run.json()["run_id"]
    await http.get(f"/threads/{thread_id}/runs/{run_id}/join")
    return thread_id, run_id


REQUESTS: list[tuple[str, str, Json]] = [
    ("GET", "/threads/T", None),
    ("PATCH", "/threads/T", {"metadata": {"mine": True}}),
    ("DELETE", "/threads/T", None),
    ("GET", "/threads/T/state", None),
    ("GET", "/threads/T/state/T", None),
    ("POST", "/threads/T/state", {"values": {"log": ["x"]}}),
    ("POST", "/threads/T/state/checkpoint", {"checkpoint": {}}),
    ("GET", "/threads/T/history", None),
    ("POST", "/threads/T/history", {}),
    ("GET", "/threads/T/runs", None),
    ("POST", "/threads/T/runs", {"assistant_id": "echo", "input": {}}),
    ("POST", "/threads/T/runs/wait", {"assistant_id": "echo", "input": {}}),
    ("POST", "/threads/T/runs/stream", {"assistant_id": "echo", "command": {"resume": 1}}),
    ("POST", "/threads/T/runs", {"assistant_id": "echo", "input": {}, "if_not_exists": "create"}),
    ("GET", "/threads/T/runs/R", None),
    ("DELETE", "/threads/T/runs/R", None),
    ("GET", "/threads/T/runs/R/join", None),
    ("GET", "/threads/T/runs/R/stream", None),
    ("POST", "/threads/T/runs/R/cancel", None),
    ("PUT", "/threads/T/hold", {}),
    ("PUT", "/threads/T/hold", {"ask": True}),
    ("PUT", "/threads/T/hold", {"role": "the boss"}),
    ("DELETE", "/threads/T/hold", None),
    ("DELETE", "/threads/T/hold", {"note": "mine"}),
]


async def test_a_foreign_thread_reads_like_a_missing_one(server: Live) -> None:
    strangers = {
        "another customer": server.headers("eve"),
        "staff of another tenant": {
            "Authorization": f"Bearer {server.authenticator.sign('ann', ['operator'], tenant='theirs')}"
        },
    }
    async with server.http("ann") as owner, server.http() as other:
        thread_id, run_id = await foreign_paths(owner)
        before = [
            (await owner.get(path)).json() for path in (f"/threads/{thread_id}", f"/threads/{thread_id}/runs")
        ]
        for stranger, headers in strangers.items():
            for method, path, body in REQUESTS:
                if body and body.get("if_not_exists"):
                    continue  # on a missing thread it means something else
                answers = [
                    await other.request(
                        method,
                        path.replace("/T", f"/{thread}").replace("/R", f"/{run}"),
                        json=body,
                        headers=headers,
                    )
                    for thread, run in ((thread_id, run_id), (UNKNOWN, UNKNOWN))
                ]
                shown = [answer.text.replace(thread_id, "T").replace(run_id, "R") for answer in answers]
                assert [answer.status_code for answer in answers] == [404, 404], (stranger, method, path)
                assert shown[0].replace("T", UNKNOWN).replace("R", UNKNOWN) == shown[1].replace(
                    "T", UNKNOWN
                ).replace("R", UNKNOWN)
            made = {"assistant_id": "echo", "input": {}, "if_not_exists": "create"}
            assert (
                refusal(await other.post(f"/threads/{thread_id}/runs", json=made, headers=headers))[0] == 404
            )
            taken = {"thread_id": thread_id, "if_exists": "do_nothing"}
            assert refusal(await other.post("/threads", json=taken, headers=headers))[0] == 409
            for body in ({}, {"ids": [thread_id]}):
                assert (await other.post("/threads/search", json=body, headers=headers)).json() == []
                assert (await other.post("/threads/count", json=body, headers=headers)).json() == 0
        after = [
            (await owner.get(path)).json() for path in (f"/threads/{thread_id}", f"/threads/{thread_id}/runs")
        ]
    assert after == before


async def test_staff_see_every_thread_of_their_tenant(server: Live) -> None:
    async with server.http("ann") as ann, server.http("bob") as bob, server.http("eve", "operator") as staff:
        threads = sorted([await new_thread(ann), await new_thread(bob)])
        found = (await staff.post("/threads/search", json={})).json()
        assert sorted(thread["thread_id"] for thread in found) == threads
        assert [(await staff.get(f"/threads/{one}")).status_code for one in threads] == [200, 200]
        mine = (await ann.post("/threads/search", json={})).json()
        assert len(mine) == 1


async def test_a_run_of_staff_is_still_the_owners_conversation(server: Live) -> None:
    async with server.http("ann", "gold") as ann, server.http("eve", "operator") as staff:
        thread_id = await new_thread(ann)
        body = {"assistant_id": "whoami", "input": {}}
        seen = (await staff.post(f"/threads/{thread_id}/runs/wait", json=body)).json()["user"]
        assert seen["langgraph_auth_user"]["identity"] == "ann"
        assert "operator" not in seen["langgraph_auth_user"]["roles"]
        assert (await ann.get(f"/threads/{thread_id}")).status_code == 200


async def test_a_subject_is_not_mistaken_for_part_of_a_key(server: Live) -> None:
    for one, other in (("a:b", "b"), ("*", "ann"), ("", "ann"), ("a%3Ab", "a:b"), ("{0}", "0")):
        if not one:
            continue
        async with server.http(one) as http, server.http(other) as stranger:
            thread_id = await new_thread(http)
            assert (await stranger.get(f"/threads/{thread_id}")).status_code == 404
            assert thread_id in str((await http.post("/threads/search", json={})).json())
            assert thread_id not in str((await stranger.post("/threads/search", json={})).json())
    assert TENANT == "default"


async def test_one_id_is_given_to_one_owner(server: Live) -> None:
    async with server.http("ann") as ann, server.http("eve") as eve:
        for _ in range(5):
            thread_id = await new_thread(ann)
            await ann.delete(f"/threads/{thread_id}")
            body = {"thread_id": thread_id, "if_exists": "do_nothing"}
            made = await asyncio.gather(ann.post("/threads", json=body), eve.post("/threads", json=body))
            assert sorted(response.status_code for response in made) == [200, 409]
            await (ann if made[0].status_code == 200 else eve).delete(f"/threads/{thread_id}")
