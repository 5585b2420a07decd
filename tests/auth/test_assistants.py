"""Whose an assistant is, and what the project's rules say of assistants."""

import uuid
from typing import Any

import orjson
from langgraph_sdk import Auth

from tests.api.wire import Json, new_thread
from tests.servers import Live, live, said

RUN: Json = {"assistant_id": "echo", "input": said("hi")}


async def made(http: Any, **more: Any) -> Json:
    response = await http.post("/assistants", json={"graph_id": "echo", **more})
    assert response.status_code == 200, response.text
    return response.json()


async def found(http: Any, **query: Any) -> list[str]:
    """The assistants that somebody sees, but those of graphs."""
    listed = (await http.post("/assistants/search", json={"limit": 1000, **query})).json()
    return [one["assistant_id"] for one in listed if one["metadata"].get("created_by") != "system"]


async def put_into_version(server: Live, assistant_id: str, number: int, metadata: Json) -> None:
    """As if a version had been made under other rules."""
    key, client = server.platform.keys.assistant_versions(assistant_id), server.platform.client
    content = orjson.dumps({"graph_id": "echo", "metadata": metadata})
    await client.call("HSET", key, number, b"1 " + content)


async def test_staff_uses_the_assistants_of_the_tenant_and_they_stay_their_owners(server: Live) -> None:
    async with (
        server.http("ann") as ann,
        server.http("eve") as eve,
        server.http("chief", "operator") as chief,
    ):
        own = await made(ann, metadata={"created_by": "ann"})
        path = f"/assistants/{own['assistant_id']}"
        assert await found(eve) == []
        assert await found(chief) == await found(ann) == [own["assistant_id"]]
        assert (await chief.patch(path, json={"name": "changed"})).json()["version"] == 2
        assert (await ann.get(path)).json()["name"] == "changed"
        run = {**RUN, "assistant_id": own["assistant_id"]}
        for somebody, status in ((ann, 200), (chief, 200), (eve, 404)):
            assert (await somebody.post("/runs/wait", json=run)).status_code == status
        assert (await eve.delete(path)).status_code == 404
        assert (await chief.delete(path)).status_code == 204


async def test_the_rules_are_asked_for_each_action(redis_url: str) -> None:
    asked: list[tuple[str, Json]] = []
    auth = Auth()

    @auth.on.assistants
    async def assistants(ctx: Auth.types.AuthContext, value: Any) -> None:
        asked.append((ctx.action, dict(value)))

    async with live(redis_url, rules=auth, worker=False) as server, server.http("ann") as http:
        given: Json = {"graph_id": "echo", "name": "n", "context": {"a": 1}, "metadata": {"b": 2}}
        one = await made(http, **given)
        path = f"/assistants/{one['assistant_id']}"
        await http.get(path)
        await http.patch(path, json={"name": "m", "metadata": {"c": 3}})
        await http.post(f"{path}/versions", json={})
        await http.post(f"{path}/latest", json={"version": 1})
        await http.post("/assistants/search", json={"graph_id": "echo", "name": "n", "limit": 5})
        thread_id = await new_thread(http)
        by_name = len(asked)
        await http.post(f"/threads/{thread_id}/runs", json=RUN)
        assert len(asked) == by_name, "a graph may be run by its name"
        await http.post(f"/threads/{thread_id}/runs", json={**RUN, "assistant_id": one["assistant_id"]})
        await http.delete(path)
    actions = [action for action, _ in asked]
    assert actions == ["create", "read", "update", "read", "update", "search", "read", "delete"]
    values, own = [value for _, value in asked], {"assistant_id": uuid.UUID(one["assistant_id"])}
    config = {"configurable": {"a": 1}}
    assert values[0] == {**own, **given, "config": config, "if_exists": "raise"}
    assert values[1] == values[3] == values[6] == {**own, "metadata": {}}
    assert values[2] == {**own, "name": "m", "metadata": {"c": 3}}
    assert values[4] == {**own, "version": 1, "metadata": {}}
    assert values[5] == {"graph_id": "echo", "metadata": {}, "limit": 5, "offset": 0}
    assert values[7] == own


async def test_a_rule_stamps_filters_and_refuses(redis_url: str) -> None:
    auth = Auth()

    @auth.on.assistants
    async def team(ctx: Auth.types.AuthContext, value: Any) -> Any:
        if value.get("name") == "forbidden":
            return False
        own = {"team": ctx.user["roles"][0]}
        if ctx.action in ("create", "update"):
            value["metadata"] = {**(value.get("metadata") or {}), **own}
        return own

    async with live(redis_url, rules=auth) as server:
        async with server.http("ann", "blue") as ann, server.http("bob", "blue") as bob:
            one = await made(ann, assistant_id=str(uuid.uuid4()))
            assert one["metadata"] == {"team": "blue"}
            path, run = f"/assistants/{one['assistant_id']}", {**RUN, "assistant_id": one["assistant_id"]}
            assert await found(bob) == [one["assistant_id"]], "the rules share it, whoever has made it"
            assert (await bob.post("/runs/wait", json=run)).status_code == 200
            given_away = await bob.patch(path, json={"metadata": {"team": "red", "a": 1}})
            assert given_away.json()["metadata"] == {"team": "blue", "a": 1}
            await put_into_version(server, one["assistant_id"], 1, {"team": "red"})
            back = await ann.post(f"{path}/latest", json={"version": 1})
            assert back.json()["metadata"] == {"team": "blue"}, "nor by what an older version says"
            assert (
                await ann.post("/assistants", json={"graph_id": "echo", "name": "forbidden"})
            ).status_code == 403
        async with server.http("eve", "red") as eve:
            assert await found(eve) == []
            assert (await eve.get(path)).status_code == 404
            assert (await eve.post("/runs/wait", json=run)).status_code == 404
            assert (await eve.post("/runs/crons", json={**run, "schedule": "0 0 1 1 *"})).status_code == 404
            assert (await eve.post(f"{path}/latest", json={"version": 1})).status_code == 404
            assert (await eve.delete(path, params={"delete_threads": True})).status_code == 404
            taken = {"graph_id": "echo", "assistant_id": one["assistant_id"], "if_exists": "do_nothing"}
            assert (await eve.post("/assistants", json=taken)).status_code == 409
            assert (await eve.post("/runs/wait", json=RUN)).status_code == 200, "by the name of its graph"
