"""Whose a cron is, and what the project's rules say of crons."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from langgraph_sdk import Auth

from holdfast.auth.callers import SERVICE
from tests.api.wire import Json, new_thread, refusal
from tests.servers import Live, live

YEARLY = {"assistant_id": "echo", "schedule": "0 0 1 1 *"}
ROUTES: list[tuple[str, Json]] = [
    ("GET", None),
    ("PATCH", {"enabled": False}),
    ("PATCH", {"schedule": "* * * * *", "input": {}}),
    ("DELETE", None),
]


@pytest.fixture
async def ann(server: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with server.http("ann") as http:
        yield http


async def made(http: httpx.AsyncClient, path: str = "/runs/crons", **more: Any) -> Json:
    response = await http.post(path, json={**YEARLY, **more})
    assert response.status_code == 200, response.text
    return response.json()


async def found(http: httpx.AsyncClient, **query: Any) -> list[str]:
    crons = (await http.post("/runs/crons/search", json=query)).json()
    assert (await http.post("/runs/crons/count", json=query)).json() == len(crons)
    return [one["cron_id"] for one in crons]


@pytest.mark.parametrize(("method", "body"), ROUTES)
async def test_a_foreign_cron_reads_like_a_missing_one(
    server: Live, ann: httpx.AsyncClient, method: str, body: Json
) -> None:
    cron, nothing = await made(ann), str(uuid.uuid4())
    elsewhere = server.http("ann", "operator")
    elsewhere.headers["Authorization"] = (
        f"Bearer {server.authenticator.sign('ann', ['operator'], tenant='b')}"
    )
    async with server.http("eve") as eve, elsewhere:
        for http in (eve, elsewhere):
            answers = []
            for cron_id in (cron["cron_id"], nothing):
                answer = await http.request(method, f"/runs/crons/{cron_id}", json=body)
                answers.append((answer.status_code, answer.text.replace(cron_id, "C")))
            assert answers[0] == answers[1]
            assert answers[0][0] == 404
            assert await found(http) == []
    assert (await ann.get(f"/runs/crons/{cron['cron_id']}")).json() == cron


async def test_a_cron_on_a_foreign_thread_is_one_on_none(server: Live, ann: httpx.AsyncClient) -> None:
    thread_id, nothing = await new_thread(ann), str(uuid.uuid4())
    async with server.http("eve") as eve:
        answers = [
            refusal(await eve.post(f"/threads/{one}/runs/crons", json=YEARLY)) for one in (thread_id, nothing)
        ]
    told = [
        sentence.replace(one, "T") for (_, sentence), one in zip(answers, (thread_id, nothing), strict=True)
    ]
    assert [status for status, _ in answers] == [404, 404]
    assert told[0] == told[1]


async def test_staff_uses_the_crons_of_the_tenant_and_they_stay_their_owners(
    server: Live, ann: httpx.AsyncClient
) -> None:
    cron = await made(ann)
    path = f"/runs/crons/{cron['cron_id']}"
    async with server.http("chief", "operator") as chief:
        assert await found(chief) == [cron["cron_id"]]
        changed = (await chief.patch(path, json={"input": {"by": "chief"}})).json()
        assert changed["user_id"] == "ann"
        stored = await server.platform.client.call("HGET", server.platform.keys.cron(cron["cron_id"]), "told")
        assert b"operator" not in stored, "the roles of staff are not the owner's"
        assert (await chief.delete(path)).status_code == 204
    assert (await ann.get(path)).status_code == 404


async def test_nobody_is_the_platform_itself(server: Live) -> None:
    async with server.http(SERVICE) as http:
        assert (await http.post("/runs/crons/count", json={})).status_code == 401


# the project's rules


async def test_the_rules_are_asked_for_each_action(redis_url: str) -> None:
    asked: list[tuple[str, Json]] = []
    auth = Auth()

    @auth.on.crons
    async def crons(ctx: Auth.types.AuthContext, value: Any) -> None:
        asked.append((ctx.action, dict(value)))

    async with live(redis_url, rules=auth, worker=False) as server, server.http("ann") as http:
        thread_id = await new_thread(http)
        cron = await made(http, f"/threads/{thread_id}/runs/crons", input={"a": 1}, metadata={"b": 2})
        path = f"/runs/crons/{cron['cron_id']}"
        await http.get(path)
        await http.patch(path, json={"input": {"c": 3}, "schedule": "* * * * *"})
        await http.post("/runs/crons/search", json={"thread_id": thread_id, "limit": 5})
        await http.post("/runs/crons/count", json={"assistant_id": "echo"})
        await http.delete(path)
    actions = [action for action, _ in asked]
    assert actions == ["create", "read", "update", "search", "search", "delete"]
    values = [value for _, value in asked]
    cron_id = uuid.UUID(cron["cron_id"])
    assert values[0] == {
        "cron_id": cron_id,
        "thread_id": uuid.UUID(thread_id),
        "user_id": "ann",
        "end_time": None,
        "schedule": YEARLY["schedule"],
        "payload": {"input": {"a": 1}},
        "metadata": {"b": 2},
    }
    assert values[1] == values[5] == {"cron_id": cron_id}
    assert values[2] == {
        "cron_id": cron_id,
        "schedule": "* * * * *",
        "payload": {"input": {"c": 3}},
        "metadata": {},
    }
    assert values[3] == {"thread_id": uuid.UUID(thread_id), "limit": 5, "offset": 0, "metadata": {}}
    assert values[4] == {"assistant_id": uuid.UUID(cron["assistant_id"]), "metadata": {}}


async def test_a_rule_stamps_filters_and_refuses(redis_url: str) -> None:
    auth = Auth()

    @auth.on.crons
    async def team(ctx: Auth.types.AuthContext, value: Any) -> Any:
        return {"team": ctx.user["roles"][0]}

    @auth.on.crons.create
    async def create(ctx: Auth.types.AuthContext, value: Any) -> Any:
        if value["schedule"] == "* * * * *":
            return False
        value["metadata"] = {**value["metadata"], "team": ctx.user["roles"][0]}
        value["payload"]["config"] = {"tags": ["stamped"]}
        return None

    @auth.on.crons.update
    async def update(ctx: Auth.types.AuthContext, value: Any) -> Any:
        value["metadata"]["changed_by"] = ctx.user.identity
        return {"team": ctx.user["roles"][0]}

    async with (
        live(redis_url, rules=auth, worker=False) as server,
        server.http("ann", "blue") as ann,
        server.http("bob", "blue") as bob,
        server.http("eve", "red") as eve,
    ):
        assert (await ann.post("/runs/crons", json={**YEARLY, "schedule": "* * * * *"})).status_code == 403
        cron = await made(ann)
        assert cron["metadata"] == {"team": "blue"}
        assert cron["payload"]["config"] == {"tags": ["stamped"]}
        path = f"/runs/crons/{cron['cron_id']}"
        assert await found(bob) == [cron["cron_id"]]
        changed = (await bob.patch(path, json={"metadata": {"team": "blue"}})).json()
        assert changed["metadata"] == {"team": "blue", "changed_by": "bob"}
        assert changed["user_id"] == "ann"
        for method, body in ROUTES:
            assert (await eve.request(method, path, json=body)).status_code == 404
        assert await found(eve) == []


async def test_a_rule_on_crons_opens_no_thread(redis_url: str) -> None:
    """What may be done to crons says nothing of the thread that one is to run on."""
    auth = Auth()

    @auth.on.crons
    async def all_crons(ctx: Any, value: Any) -> bool:
        return True

    async with (
        live(redis_url, rules=auth, worker=False) as server,
        server.http("ann") as ann,
        server.http("eve") as eve,
    ):
        thread_id = await new_thread(ann)
        assert (await eve.post(f"/threads/{thread_id}/runs/crons", json=YEARLY)).status_code == 404


async def test_a_rule_on_threads_counts_for_crons_on_them(redis_url: str) -> None:
    auth = Auth()

    @auth.on.threads.read
    async def read(ctx: Any, value: Any) -> bool:
        return False

    async with live(redis_url, rules=auth, worker=False) as server, server.http("ann") as ann:
        response = await ann.post("/threads", json={})
        thread_id = response.json().get("thread_id", str(uuid.uuid4()))
        assert (await ann.post(f"/threads/{thread_id}/runs/crons", json=YEARLY)).status_code == 403


async def test_a_rule_narrows_a_search(redis_url: str) -> None:
    auth = Auth()

    @auth.on.crons.search
    async def narrow(ctx: Any, value: Any) -> None:
        value["metadata"]["color"] = "red"

    async with live(redis_url, rules=auth, worker=False) as server, server.http("ann") as http:
        await made(http, metadata={"color": "blue"})
        red = await made(http, metadata={"color": "red"})
        assert await found(http) == [red["cron_id"]]
