"""The rules of a project: which handler is asked, what it is shown, what its answer comes to."""

from typing import Any

import pytest
from langgraph_sdk import Auth

from holdfast.auth.rules import Rules
from holdfast.errors import Forbidden
from holdfast.redis.records import Caller, Condition
from tests.api.wire import Json, new_thread
from tests.servers import live, said

ANN = Caller("ann", "north", ("reader",), user={"identity": "ann", "permissions": ["a"], "team": "blue"})


def rules(**handlers: Any) -> Rules:
    """Rules with a handler for each `resource_action`, with `all` for what has no name."""
    auth = Auth()
    for name, answer in handlers.items():
        resource, _, action = name.partition("_")

        async def handler(ctx: Any, value: Any, answer: Any = answer) -> Any:
            return answer

        spelled = {"resources": None if resource == "all" else resource, "actions": action or None}
        auth.on(**{key: one for key, one in spelled.items() if one})(handler)
    return Rules(auth)


async def conditions(rules: Rules, resource: Any = "threads", action: Any = "read") -> Any:
    return (await rules.admit(ANN, resource, action, {})).conditions


# which handler


async def test_the_handler_that_fits_best_is_asked() -> None:
    layers = {
        "all": {"from": "all"},
        "all_read": {"from": "action"},
        "threads": {"from": "resource"},
        "threads_read": {"from": "both"},
    }
    for best in ("both", "resource", "action", "all"):
        [condition] = await conditions(rules(**layers))
        assert condition == Condition("from", best)
        layers.popitem()
    assert await conditions(rules()) is None
    assert await conditions(rules(threads_create={"a": "b"}, assistants={"a": "b"})) is None


async def test_a_caller_is_asked_about_once() -> None:
    asked: list[str] = []
    auth = Auth()

    @auth.on
    async def handler(ctx: Any, value: Any) -> bool:
        asked.append(f"{ctx.resource} {ctx.action}")
        return True

    admitted = await Rules(auth).admit(ANN, "threads", "create_run", {})
    assert await Rules(auth).admit(admitted, "threads", "read", {}) is admitted
    assert asked == ["threads create_run"]


async def test_what_a_handler_is_shown_of_the_caller() -> None:
    seen: list[Any] = []
    auth = Auth()

    @auth.on
    async def handler(ctx: Auth.types.AuthContext, value: Any) -> None:
        seen.extend((ctx.user, list(ctx.permissions), value))

    await Rules(auth).admit(ANN, "threads", "read", {"thread_id": "7d9f3c1e-5a2b-4f6d-8e9a-0b1c2d3e4f50"})
    user, permissions, value = seen
    assert (user.identity, user["identity"], user.display_name) == ("ann", "ann", "ann")
    assert (user.team, user["team"], user.tenant, user.roles) == ("blue", "blue", "north", ["reader"])
    assert user.is_authenticated
    assert permissions == user.permissions == ["a"]
    assert "team" in user
    assert "gone" not in user
    assert dict(user)["identity"] == "ann"
    with pytest.raises(AttributeError, match="gone"):
        _ = user.gone
    assert isinstance(user, Auth.types.MinimalUser)
    assert value["thread_id"].version == 4


# what an answer comes to


@pytest.mark.parametrize(
    ("answer", "metadata", "usable"),
    [
        (None, {}, True),
        (True, {}, True),
        ({}, {}, True),
        ({"owner": "ann"}, {"owner": "ann"}, True),
        ({"owner": "ann"}, {"owner": "bob"}, False),
        ({"owner": "ann"}, {"owner": ["ann"]}, False),
        ({"owner": "ann"}, {}, False),
        ({"owner": None}, {}, False),
        ({"owner": None}, {"owner": None}, True),
        ({"level": 1}, {"level": 1}, True),
        ({"level": 1}, {"level": True}, False),
        ({"level": 1}, {"level": "1"}, False),
        ({"owner": {"$eq": "ann"}}, {"owner": "ann"}, True),
        ({"owner": {"$eq": "ann"}}, {"owner": "bob"}, False),
        ({"people": {"$contains": "ann"}}, {"people": ["bob", "ann"]}, True),
        ({"people": {"$contains": "ann"}}, {"people": ["bob"]}, False),
        ({"people": {"$contains": "ann"}}, {"people": "ann"}, False),
        ({"people": {"$contains": "ann"}}, {"people": {"ann": 1}}, False),
        ({"people": {"$contains": "ann"}}, {}, False),
        ({"people": {"$contains": ["ann", "bob"]}}, {"people": ["bob", "eve", "ann"]}, True),
        ({"people": {"$contains": ["ann", "bob"]}}, {"people": ["ann"]}, False),
        ({"people": {"$contains": []}}, {"people": []}, True),
        ({"owner": "ann", "people": {"$contains": "bob"}}, {"owner": "ann", "people": ["bob"]}, True),
        ({"owner": "ann", "people": {"$contains": "bob"}}, {"owner": "ann", "people": []}, False),
        ({"n": {"$eq": 1, "$contains": 1}}, {"n": 1}, False),
    ],
)
async def test_a_filter_says_what_may_be_used(answer: Any, metadata: Json, usable: bool) -> None:
    caller = await rules(threads=answer).admit(ANN, "threads", "read", {})
    assert caller.meets(metadata) is usable
    assert caller.owner_filter == ""  # the rules decide, for the tenant's


async def test_no_is_no() -> None:
    with pytest.raises(Forbidden):
        await conditions(rules(threads=False))


@pytest.mark.parametrize(
    "answer",
    ["ann", 1, 0, [], ["owner"], ("owner", "ann"), {"owner": {"$ne": "ann"}}, {"owner": {}}, {"a": {"b": 1}}],
)
async def test_an_answer_that_is_none_allows_nothing(answer: Any) -> None:
    with pytest.raises(TypeError):
        await conditions(rules(threads=answer))


async def test_a_failed_assert_is_a_no() -> None:
    auth = Auth()

    @auth.on.threads
    async def only_ours(ctx: Auth.types.AuthContext, value: Any) -> None:
        assert ctx.user["team"] == "red", "not of this team"

    with pytest.raises(Forbidden, match="not of this team"):
        await conditions(Rules(auth))


# over HTTP


async def test_a_broken_rule_is_an_error_of_the_server_and_opens_nothing(redis_url: str) -> None:
    auth = Auth()

    @auth.on.threads.read
    async def read(ctx: Any, value: Any) -> Any:
        return {"owner": {"$ne": "x"}}

    @auth.on.threads.search
    async def search(ctx: Any, value: Any) -> Any:
        raise Auth.exceptions.HTTPException(status_code=429, detail="Slowly.", headers={"Retry-After": "9"})

    async with live(redis_url, rules=auth, worker=False) as server, server.http() as http:
        thread_id = await new_thread(http)
        assert (await http.get(f"/threads/{thread_id}")).status_code == 500
        response = await http.post("/threads/search", json={})
        assert (response.status_code, response.json()["detail"]) == (429, "Slowly.")
        assert response.headers["retry-after"] == "9"


async def test_rules_may_share_what_the_platform_keeps_to_its_owner(redis_url: str) -> None:
    auth = Auth()

    @auth.on.threads
    async def together(ctx: Auth.types.AuthContext, value: Any) -> Any:
        return {"people": {"$contains": ctx.user.identity}}

    @auth.on.threads.create
    async def create(ctx: Auth.types.AuthContext, value: Any) -> None:
        people = value["metadata"].setdefault("people", [])
        people.append(ctx.user.identity)

    async with (
        live(redis_url, rules=auth) as server,
        server.http("ann") as ann,
        server.http("bob") as bob,
        server.http("eve") as eve,
    ):
        thread_id = await new_thread(ann, metadata={"people": ["bob"]})
        body = {"assistant_id": "whoami", "input": {}}
        run = (await bob.post(f"/threads/{thread_id}/runs", json=body)).json()["run_id"]
        values = (await bob.get(f"/threads/{thread_id}/runs/{run}/join")).json()
        assert values["user"]["langgraph_auth_user"]["identity"] == "ann"  # whose conversation it is
        assert [one["thread_id"] for one in (await bob.post("/threads/search", json={})).json()] == [
            thread_id
        ]
        assert (await bob.patch(f"/threads/{thread_id}", json={"metadata": {"a": 1}})).status_code == 200
        frames = {"channels": ["values"], "since": 0}
        async with bob.stream("POST", f"/threads/{thread_id}/stream/events", json=frames) as stream:
            async for line in stream.aiter_lines():
                if line == "event: values":
                    break
        assert (await eve.get(f"/threads/{thread_id}")).status_code == 404
        assert (await eve.post(f"/threads/{thread_id}/runs", json=body)).status_code == 404
        assert (await bob.delete(f"/threads/{thread_id}")).status_code == 204


async def test_rules_are_asked_about_many_things_at_once(redis_url: str) -> None:
    """Histories, copies, pruning, batches and their ends: each under the action of what it comes to."""
    asked: list[str] = []
    auth = Auth()

    @auth.on.threads
    async def own(ctx: Auth.types.AuthContext, value: Any) -> Any:
        asked.append(ctx.action)
        if ctx.action in ("create", "create_run"):
            value["metadata"]["of"] = ctx.user.identity
        return {"of": ctx.user.identity}

    def actions() -> list[str]:
        found = list(dict.fromkeys(asked))
        asked.clear()
        return found

    async with (
        live(redis_url, rules=auth) as server,
        server.http("ann") as ann,
        server.http("bob") as bob,
    ):
        step = {"updates": [{"values": said("one"), "as_node": "__input__"}]}
        history: Json = {"metadata": {"graph_id": "echo"}, "supersteps": [step]}
        thread_id = await new_thread(ann, **history)
        assert actions() == ["create"]
        copied = (await ann.post(f"/threads/{thread_id}/copy")).json()
        assert (actions(), copied["metadata"]["of"]) == (["read", "create"], "ann")
        slow: Json = [{"assistant_id": "steps", "input": {"delay": 30}}] * 2
        [one, _] = (await ann.post("/runs/batch", json=slow)).json()
        assert "create_run" in actions()
        ids = {"thread_id": one["thread_id"], "run_ids": [one["run_id"]]}
        prune = {"thread_ids": [thread_id], "strategy": "keep_latest"}
        # Bob, of the same tenant, finds nothing of it.
        assert (await bob.post(f"/threads/{thread_id}/copy")).status_code == 409
        assert (await bob.post("/runs/cancel", json=ids)).status_code == 404
        assert (await bob.post("/runs/cancel", json={"status": "all"})).status_code == 404
        assert (await bob.post("/threads/prune", json=prune)).json() == {"pruned_count": 0}
        actions()
        for body in (ids, {"status": "all"}):
            assert (await ann.post("/runs/cancel", json=body)).status_code == 204
            assert actions() == ["update"]
        assert (await ann.post("/threads/prune", json=prune)).json() == {"pruned_count": 1}
        assert actions() == ["delete"]


async def test_a_rule_may_change_what_is_run(redis_url: str) -> None:
    auth = Auth()

    @auth.on.threads.create_run
    async def run(ctx: Any, value: Any) -> None:
        assert value["if_not_exists"] == "create"
        assert value["kwargs"]["input"] == {}
        value["metadata"] = {"cost_center": "blue", "graph_id": "echo"}
        value["kwargs"]["config"]["configurable"]["shop"] = "north"

    async with live(redis_url, rules=auth) as server, server.http("ann") as http:
        body = {"assistant_id": "whoami", "input": {}, "context": {"shop": "south"}, "on_completion": "keep"}
        made = await http.post("/runs", json=body)
        thread_id, run_id = made.json()["thread_id"], made.json()["run_id"]
        assert made.json()["metadata"]["cost_center"] == "blue"
        values = (await http.get(f"/threads/{thread_id}/runs/{run_id}/join")).json()
        assert values["user"]["shop"] == "north"
        assert values["user"]["graph_id"] == "whoami"  # which graph runs is not for metadata to say


async def test_where_there_is_no_rule_the_owner_rule_holds(redis_url: str) -> None:
    auth = Auth()

    @auth.on.assistants
    async def none(ctx: Any, value: Any) -> Any:
        return {"owner": ctx.user.identity}

    async with (
        live(redis_url, rules=auth) as server,
        server.http("ann") as ann,
        server.http("bob") as bob,
    ):
        thread_id = await new_thread(ann)
        assert (await bob.get(f"/threads/{thread_id}")).status_code == 404
        assert (await bob.post("/assistants/search", json={})).json() == []
        assert (await bob.post("/assistants/count", json={})).json() == 0
        assistant_id = server.platform.project.first_graph.assistant_id
        for path in ("", "/graph", "/schemas", "/subgraphs"):
            told = []
            for one in ("7d9f3c1e-5a2b-4f6d-8e9a-0b1c2d3e4f50", assistant_id):
                answer = await bob.get(f"/assistants/{one}{path}")
                told.append((answer.status_code, answer.text.replace(one, "A")))
            assert told[0] == told[1]
            assert told[0][0] == 404
        run = await bob.post("/runs/wait", json={"assistant_id": "echo", "input": said("hi")})
        assert run.status_code == 200


async def test_a_rule_narrows_a_search(redis_url: str) -> None:
    auth = Auth()

    @auth.on(resources=["threads", "assistants"], actions=["search"])
    async def narrow(ctx: Any, value: Any) -> None:
        value["metadata"]["color"] = "red"

    async with live(redis_url, rules=auth, worker=False) as server, server.http("ann") as http:
        await new_thread(http, metadata={"color": "blue", "n": 1})
        red = await new_thread(http, metadata={"color": "red", "n": 1})
        found = (await http.post("/threads/search", json={"metadata": {"n": 1}})).json()
        assert [one["thread_id"] for one in found] == [red]
        assert (await http.post("/assistants/search", json={})).json() == []


async def test_staff_is_what_the_rules_say(redis_url: str) -> None:
    auth = Auth()

    @auth.on.threads.read
    async def read(ctx: Auth.types.AuthContext, value: Any) -> Any:
        return True if "chief" in ctx.user["roles"] else {"owner": ctx.user.identity}

    async with (
        live(redis_url, rules=auth, worker=False) as server,
        server.http("ann") as ann,
        server.http("bob", "operator") as operator,
        server.http("eve", "chief") as chief,
    ):
        thread_id = await new_thread(ann, metadata={"owner": "ann"})
        assert [(await http.get(f"/threads/{thread_id}")).status_code for http in (ann, operator, chief)] == [
            200,
            404,
            200,
        ]
