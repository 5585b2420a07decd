"""Assistants that clients make, as the official client uses them."""

import asyncio
import uuid
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import BadRequestError, ConflictError, NotFoundError, UnprocessableEntityError

from holdfast.redis import assistants
from holdfast.redis.records import Caller
from tests.api.wire import Json, refusal
from tests.servers import Live, live

VOICE: Json = {"model": "small", "tone": "warm"}
FIELDS = {
    *("assistant_id", "graph_id", "name", "description", "config", "context", "metadata", "version"),
    *("created_at", "updated_at"),
}
OF_VERSION = FIELDS - {"updated_at"}
NOWHERE = str(uuid.uuid4())


async def make(sdk: LangGraphClient, graph_id: str = "voiced", **more: Any) -> Json:
    made: Json = await sdk.assistants.create(graph_id, **more)
    return made


# made


async def test_an_assistant_is_made_and_read(server: Live) -> None:
    sdk = server.sdk("ann")
    config: Json = {"tags": ["a"], "recursion_limit": 9, "configurable": VOICE}
    made = await make(sdk, config=config, metadata={"team": "blue"}, name="Warm", description="speaks warmly")
    assert set(made) == FIELDS
    assert made["config"] == config
    assert made["context"] == VOICE, "the mirror of config.configurable"
    told = [made[name] for name in ("graph_id", "name", "description", "metadata", "version")]
    assert told == ["voiced", "Warm", "speaks warmly", {"team": "blue"}, 1]
    assert made["created_at"] == made["updated_at"]
    assert uuid.UUID(made["assistant_id"]).version == 7
    assert await sdk.assistants.get(made["assistant_id"]) == made
    by_context = await make(sdk, context=VOICE)
    assert by_context["config"] == {"configurable": VOICE}
    bare = await make(sdk, name="")
    assert [bare[name] for name in ("name", "description", "config", "context")] == ["Untitled", None, {}, {}]


async def test_what_cannot_be_made(server: Live) -> None:
    sdk = server.sdk("ann")
    taken = (await make(sdk))["assistant_id"]
    [echo] = await sdk.assistants.search(graph_id="echo")
    with pytest.raises(NotFoundError, match="Graph 'nope' not found"):
        await make(sdk, "nope")
    with pytest.raises(BadRequestError, match=r"config\.configurable or context"):
        await make(sdk, config={"configurable": VOICE}, context=VOICE)
    for assistant_id in (taken, taken.upper(), echo["assistant_id"]):
        with pytest.raises(ConflictError, match="already exists"):
            await make(sdk, assistant_id=assistant_id)
    bad: list[Json] = [
        {"assistant_id": "x"},
        {"config": {"tags": "a"}},
        {"context": [1]},
        {"metadata": 1},
        {"if_exists": "x"},
        {"context": {"text": "x" * 70_000}},
    ]
    async with server.http("ann") as http:
        for body in bad:
            answer = await http.post("/assistants", json={"graph_id": "voiced", **body})
            assert answer.status_code == 422, (body, answer.text[:200])
        for name in ("graph_id", "config", "context", "metadata", "name", "if_exists", "assistant_id"):
            answer = await http.post("/assistants", json={"graph_id": "voiced", name: None})
            assert refusal(answer) == (422, f"{name} must not be null: leave it out")
        for name in ("graph_id", "config", "context", "metadata", "name", "description"):
            answer = await http.patch(f"/assistants/{taken}", json={name: None})
            assert refusal(answer) == (422, f"{name} must not be null: leave it out")
        assert (await http.get(f"/assistants/{taken}")).json()["version"] == 1


async def test_what_is_there_already_is_given(server: Live) -> None:
    sdk = server.sdk("ann")
    made = await make(sdk, assistant_id=NOWHERE, name="First")
    again = await make(sdk, assistant_id=NOWHERE, name="Second", if_exists="do_nothing")
    assert again == made
    [echo] = await sdk.assistants.search(graph_id="echo")
    same = await make(sdk, assistant_id=echo["assistant_id"], if_exists="do_nothing")
    assert same == echo


async def test_what_only_the_server_says_is_not_kept(server: Live) -> None:
    forged: Json = {"langgraph_auth_user": "eve", "__x": 1, "holdfast_speaker": 1}
    kept: Json = {"fair": 1, "nothing": None, "in": {"nothing": None}}
    forged |= kept
    made = await make(server.sdk("ann"), context=forged, metadata=forged)
    assert made["context"] == made["metadata"] == made["config"]["configurable"] == kept


async def test_a_tenant_has_so_many_assistants(redis_url: str) -> None:
    async with live(redis_url, worker=False, max_assistants_of_tenant=2) as server, server.http() as http:
        for status in (200, 200, 429):
            answer = await http.post("/assistants", json={"graph_id": "voiced"})
            assert answer.status_code == status
        assert refusal(answer)[1] == assistants.FULL


# changed


async def test_a_change_is_a_new_version(server: Live) -> None:
    sdk = server.sdk("ann")
    made = await make(sdk, context=VOICE, metadata={"a": 1, "b": 1}, description="first")
    assistant_id = made["assistant_id"]
    changed: Json = await sdk.assistants.update(assistant_id, metadata={"b": 2, "c": 3})
    assert changed["metadata"] == {"a": 1, "b": 2, "c": 3}
    assert changed["version"] == 2
    assert changed["updated_at"] > made["updated_at"]
    rest = FIELDS - {"metadata", "version", "updated_at"}
    assert {name: changed[name] for name in rest} == {name: made[name] for name in rest}
    changed = await sdk.assistants.update(assistant_id, config={"configurable": {"model": "big"}})
    assert changed["context"] == {"model": "big"}, "config is replaced, and so is its mirror"
    changed = await sdk.assistants.update(assistant_id, context={"model": "huge"}, name="New")
    assert (changed["config"], changed["name"]) == ({"configurable": {"model": "huge"}}, "New")
    changed = await sdk.assistants.update(assistant_id, graph_id="voiced_ask")
    assert (changed["graph_id"], changed["version"]) == ("voiced_ask", 5)
    assert await sdk.assistants.get(assistant_id) == changed
    with pytest.raises(NotFoundError):
        await sdk.assistants.update(assistant_id, graph_id="nope")
    with pytest.raises(BadRequestError):
        await sdk.assistants.update(assistant_id, config={"configurable": VOICE}, context=VOICE)
    with pytest.raises(NotFoundError):
        await sdk.assistants.update(NOWHERE, name="x")
    with pytest.raises(UnprocessableEntityError, match="metadata"):
        await sdk.assistants.update(assistant_id, metadata={str(n): n for n in range(255)})


async def test_config_and_context_stay_mirrors_when_one_of_them_is_changed(server: Live) -> None:
    sdk = server.sdk("ann")
    assistant_id = (await make(sdk, config={"tags": ["a"], "configurable": VOICE}))["assistant_id"]
    big = {"model": "big"}
    changes: list[tuple[Json, Json, Json]] = [
        ({"context": big}, {"tags": ["a"], "configurable": big}, big),
        ({"context": {}}, {"tags": ["a"]}, {}),
        ({"context": big, "config": {"tags": ["b"]}}, {"tags": ["b"], "configurable": big}, big),
        ({"config": {"tags": ["c"]}}, {"tags": ["c"]}, big),  # as on the official server
        ({"config": {"configurable": {}}}, {"configurable": {}}, {}),
    ]
    async with server.http("ann") as http:
        for sent, config, context in changes:
            changed = (await http.patch(f"/assistants/{assistant_id}", json=sent)).json()
            assert (changed["config"], changed["context"]) == (config, context), sent


async def test_versions_are_listed_and_taken_back_into_use(server: Live) -> None:
    sdk = server.sdk("ann")
    made = await make(sdk, context=VOICE, metadata={"n": 1})
    assistant_id = made["assistant_id"]
    await sdk.assistants.update(assistant_id, metadata={"n": 2}, graph_id="echo")
    last: Json = await sdk.assistants.update(assistant_id, metadata={"n": 3}, context={"model": "big"})
    found: Json = await sdk.assistants.get_versions(assistant_id)
    assert [(one["version"], one["metadata"]["n"]) for one in found] == [(3, 3), (2, 2), (1, 1)]
    assert all(set(one) == OF_VERSION for one in found)
    assert found[0] == {name: last[name] for name in OF_VERSION} | {"created_at": last["updated_at"]}
    pages: list[tuple[Json, list[int]]] = [
        ({"limit": 1}, [3]),
        ({"limit": 1, "offset": 1}, [2]),
        ({"metadata": {"n": 1}}, [1]),
        ({"metadata": {"n": 9}}, []),
    ]
    for query, numbers in pages:
        listed = await sdk.assistants.get_versions(assistant_id, **query)
        assert [one["version"] for one in listed] == numbers
    first: Json = await sdk.assistants.set_latest(assistant_id, 1)
    assert first == made | {"updated_at": first["updated_at"]}, "all of it: graph, context, metadata"
    assert await sdk.assistants.get(assistant_id) == first
    assert len(await sdk.assistants.get_versions(assistant_id)) == 3
    after: Json = await sdk.assistants.update(assistant_id, name="after")
    assert (after["version"], after["metadata"], after["graph_id"]) == (4, {"n": 1}, "voiced")
    for number in (0, 99):
        with pytest.raises(NotFoundError, match=f"Version {number} not found"):
            await sdk.assistants.set_latest(assistant_id, number)
    with pytest.raises(NotFoundError):
        await sdk.assistants.set_latest(NOWHERE, 1)
    with pytest.raises(NotFoundError):
        await sdk.assistants.get_versions(NOWHERE)
    async with server.http("ann") as http:
        page = await http.post(f"/assistants/{assistant_id}/versions", content=b'{"limit": 3}')
        assert (page.headers["x-pagination-total"], page.headers["x-pagination-next"]) == ("4", "3")
        for path, body in (("latest", {"version": "1"}), ("versions", {"limit": 0})):
            assert (await http.post(f"/assistants/{assistant_id}/{path}", json=body)).status_code == 422


async def test_as_many_versions_are_kept_as_is_said(server: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assistants, "KEPT", 3)
    sdk = server.sdk("ann")
    assistant_id = (await make(sdk))["assistant_id"]
    for number in range(2, 6):
        await sdk.assistants.update(assistant_id, name=f"v{number}")
    assert [one["version"] for one in await sdk.assistants.get_versions(assistant_id)] == [5, 4, 3]
    with pytest.raises(NotFoundError):
        await sdk.assistants.set_latest(assistant_id, 2)


async def test_of_changes_at_once_none_is_lost(twins: tuple[Live, Live]) -> None:
    many = 12
    sdks = [server.sdk("ann") for server in twins]
    assistant_id = (await make(sdks[0]))["assistant_id"]
    changes = [
        sdks[number % 2].assistants.update(assistant_id, metadata={f"by {number}": number})
        for number in range(many)
    ]
    made = await asyncio.gather(*changes)
    assert sorted(one["version"] for one in made) == list(range(2, many + 2)), "a version for each"
    last = await sdks[1].assistants.get(assistant_id)
    assert last["metadata"] == {f"by {number}": number for number in range(many)}
    found = await sdks[0].assistants.get_versions(assistant_id, limit=1000)
    assert [len(one["metadata"] or {}) for one in found] == list(range(many, -1, -1)), "one upon the other"


async def test_a_change_whose_reply_was_lost_is_made_once(server: Live) -> None:
    platform, caller = server.platform, Caller("ann", "default")
    assistant_id = (await make(server.sdk("ann")))["assistant_id"]
    record = await assistants.read(platform.client, platform.keys, assistant_id, caller)
    assert record is not None
    keys = assistants.keys_of(platform.keys, record)[:2]
    marks = ("mine", "mine", "another's")
    sent = [(record.revision, mark, 1, b'{"graph_id": "echo"}', "", 100) for mark in marks]
    assert [await platform.client.run(assistants.CHANGE, keys, each) for each in sent] == [2, 2, 0]


# found


async def test_own_assistants_are_found_beside_those_of_graphs(server: Live) -> None:
    sdk = server.sdk("ann")
    one = await make(sdk, name="Älpha", metadata={"n": 1, "of": {"a": 1, "b": [1, 2]}})
    two = await make(sdk, "echo", name="beta", metadata={"n": 2, "created_by": "me"})
    three = await make(sdk, name="Beta Two", metadata={"n": 3})
    ids = [made["assistant_id"] for made in (one, two, three)]
    queries: list[tuple[Json, list[int]]] = [
        ({"metadata": {"of": {"a": 1}}}, [0]),
        ({"metadata": {"of": {"b": [2]}}}, [0]),
        ({"metadata": {"n": 9}}, []),
        ({"name": "BETA"}, [2, 1]),
        ({"name": "äL"}, [0]),
        ({"name": "beta", "graph_id": "echo"}, [1]),
        ({"metadata": {"created_by": "me"}}, [1]),
    ]
    for query, places in queries:
        found: Json = await sdk.assistants.search(**query)
        assert [made["assistant_id"] for made in found] == [ids[place] for place in places], query
        assert await sdk.assistants.count(**query) == len(places)
    newest = await sdk.assistants.search(limit=3, select=["assistant_id"])
    assert newest == [{"assistant_id": one} for one in reversed(ids)]
    by_name = await sdk.assistants.search(name="beta", sort_by="name", sort_order="asc")
    assert [made["name"] for made in by_name] == ["beta", "Beta Two"]
    await sdk.assistants.update(ids[0], name="Gamma")
    latest = await sdk.assistants.search(sort_by="updated_at", limit=1)
    assert latest[0]["assistant_id"] == ids[0]
    [of_graph] = await sdk.assistants.search(graph_id="echo", metadata={"created_by": "system"})
    assert of_graph["name"] == "echo"
    page: Json = await sdk.assistants.search(name="beta", limit=1, response_format="object")
    assert (len(page["assistants"]), page["next"]) == (1, "1")
    async with server.http("ann") as http:
        plain = {"Content-Type": "text/plain"}
        counted = await http.post("/assistants/count", content=b'{"name": "beta"}', headers=plain)
        assert counted.json() == 2
        listed = await http.post("/assistants/search", content=b'{"name": "beta", "limit": 1}', headers=plain)
        assert (listed.headers["x-pagination-total"], listed.headers["x-pagination-next"]) == ("2", "1")


# of graphs


async def test_that_of_a_graph_is_changed_in_langgraph_json_only(server: Live) -> None:
    sdk = server.sdk("ann")
    echo: Json = (await sdk.assistants.search(graph_id="echo"))[0]
    assistant_id = echo["assistant_id"]
    with pytest.raises(ConflictError, match=r"langgraph\.json"):
        await sdk.assistants.update(assistant_id, name="mine")
    with pytest.raises(ConflictError, match=r"langgraph\.json"):
        await sdk.assistants.set_latest(assistant_id, 1)
    with pytest.raises(ConflictError, match=r"langgraph\.json"):
        await sdk.assistants.delete(assistant_id, delete_threads=True)
    versions: Json = await sdk.assistants.get_versions(assistant_id)
    assert versions == [{name: echo[name] for name in OF_VERSION}]


async def test_schemas_of_a_state_that_is_typed_by_the_standard_library(server: Live) -> None:
    sdk = server.sdk("ann")
    made = await make(sdk)
    schemas: Json = await sdk.assistants.get_schemas(made["assistant_id"])
    for name in ("input_schema", "output_schema", "state_schema"):
        assert set(schemas[name]["properties"]) == {"answer", "told"}
    for name in ("context_schema", "config_schema"):
        assert set(schemas[name]["properties"]) == {"model", "tone"}
        assert schemas[name]["required"] == ["model"]
    graph: Json = await sdk.assistants.get_graph(made["assistant_id"])
    assert [node["id"] for node in graph["nodes"]] == ["__start__", "tell", "__end__"]
    assert await sdk.assistants.get_subgraphs(made["assistant_id"]) == {}
