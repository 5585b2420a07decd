"""The store over HTTP: the official client, refusals, whose items are seen, what runs share."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from langgraph_sdk import Auth
from langgraph_sdk.errors import ConflictError, PermissionDeniedError

from holdfast.errors import Fenced
from holdfast.execute.opening import ClaimedGraph
from holdfast.project import GraphSpec
from holdfast.redis.client import Client
from holdfast.redis.keys import Keys
from holdfast.store import RedisStore
from tests.servers import Live, live
from tests.tenancy.people import SETTINGS, Person

Json = Any

SERVED = Path(__file__).parent / "served" / "langgraph.json"
MINE: Json = {"namespace": ["ann", "notes"], "key": "k", "value": {"n": 1}}


@pytest.fixture(scope="session")
async def noted(redis_url: str) -> AsyncIterator[Live]:
    """A project with a store that is searched by meaning, and whose items live for an hour."""
    async with live(redis_url, config=SERVED) as server:
        yield server


# the official client


async def test_the_official_client(server: Live) -> None:
    store = server.sdk("ann").store
    for n, kind in enumerate("abc"):
        await store.put_item(["ann", kind], key=kind, value={"kind": kind, "n": n})
    item: Json = await store.get_item(["ann", "a"], key="a")
    assert (item["namespace"], item["key"], item["value"]) == (["ann", "a"], "a", {"kind": "a", "n": 0})
    assert item["created_at"] == item["updated_at"]
    assert await store.get_item(["ann", "a"], key="z") is None
    found: Json = await store.search_items(["ann"], filter={"n": {"$gte": 1}}, limit=1, offset=1)
    assert [one["key"] for one in found["items"]] == ["c"]
    assert found["items"][0]["score"] is None
    listed: Json = await store.list_namespaces(prefix=["ann"], suffix=["b"])
    assert listed == {"namespaces": [["ann", "b"]]}
    assert await store.list_namespaces(max_depth=1) == {"namespaces": [["ann"]]}
    assert await store.list_namespaces(limit=1, offset=2) == {"namespaces": [["ann", "c"]]}
    for kind in "abc":
        await store.delete_item(["ann", kind], key=kind)
    await store.delete_item(["ann", "a"], key="a")
    assert await store.search_items([]) == {"items": []}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/store/items", {**MINE, "namespace": ["a.b"]}, 422),
        ("PUT", "/store/items", {**MINE, "namespace": ["a", ""]}, 422),
        ("PUT", "/store/items", {**MINE, "namespace": ["a\0b"]}, 422),
        ("PUT", "/store/items", {**MINE, "namespace": []}, 400),
        ("PUT", "/store/items", {**MINE, "namespace": ["langgraph", "a"]}, 400),
        ("PUT", "/store/items", {**MINE, "namespace": ["holdfast_shared", "a"]}, 400),
        ("GET", "/store/items?namespace=holdfast_shared.a&key=k", None, 400),
        ("DELETE", "/store/items", {"namespace": ["holdfast_shared"], "key": "k"}, 400),
        ("POST", "/store/items/search", {"namespace_prefix": ["holdfast_shared"]}, 400),
        ("POST", "/store/namespaces", {"prefix": ["holdfast_shared"]}, 400),
        ("PUT", "/store/items", {**MINE, "value": [1]}, 422),
        ("PUT", "/store/items", {**MINE, "value": None}, 422),
        ("PUT", "/store/items", {**MINE, "ttl": 0}, 422),
        ("PUT", "/store/items", {**MINE, "index": True}, 422),
        ("GET", "/store/items?namespace=a..b&key=k", None, 422),
        ("GET", "/store/items?key=k", None, 422),
        ("GET", "/store/items?namespace=a", None, 400),
        ("DELETE", "/store/items", {"namespace": ["a.b"], "key": "k"}, 422),
        ("POST", "/store/items/search", {"namespace_prefix": ["a.b"]}, 422),
        ("POST", "/store/items/search", {"filter": {"n": {"$in": [1]}}}, 400),
        ("POST", "/store/items/search", {"filter": {"n": {"$gt": "x"}}}, 400),
        ("POST", "/store/items/search", {"limit": 0}, 422),
        ("POST", "/store/namespaces", {"max_depth": 0}, 422),
    ],
)
async def test_what_is_refused(server: Live, method: str, path: str, body: Json, status: int) -> None:
    async with server.http("ann") as http:
        content = None if body is None else orjson.dumps(body)
        response = await http.request(method, path, content=content)
        assert response.status_code == status, response.text
        assert response.json()["detail"]


async def test_an_item_is_of_limited_size(server: Live) -> None:
    large = {**MINE, "value": {"text": "x" * server.platform.settings.max_body_bytes}}
    async with server.http("ann") as http:
        assert (await http.put("/store/items", json=large)).status_code == 413


async def test_without_an_index_a_query_is_a_plain_search(server: Live) -> None:
    store = server.sdk("ann").store
    await store.put_item(["ann"], key="k", value={"n": 1})
    found: Json = await store.search_items(["ann"], query="anything", filter={"n": 1})
    assert [(one["key"], one["score"]) for one in found["items"]] == [("k", None)]


# whose


async def test_callers_see_their_own_and_staff_all_of_the_tenant(server: Live) -> None:
    ann, bob, staff = server.sdk("ann"), server.sdk("bob"), server.sdk("kim", "operator")
    await ann.store.put_item(["shared"], key="k", value={"by": "ann"})
    assert await bob.store.get_item(["shared"], key="k") is None
    assert await bob.store.search_items([]) == {"items": []}
    assert await bob.store.list_namespaces() == {"namespaces": []}
    with pytest.raises(ConflictError):
        await bob.store.put_item(["shared"], key="k", value={"by": "bob"})
    await bob.store.delete_item(["shared"], key="k")
    found: Json = await staff.store.search_items(["shared"])
    assert [one["value"] for one in found["items"]] == [{"by": "ann"}]
    await staff.store.put_item(["shared"], key="k", value={"by": "kim"})
    item: Json = await ann.store.get_item(["shared"], key="k")
    assert item["value"] == {"by": "kim"}, "it is still ann's"


async def test_rules_of_the_project(redis_url: str) -> None:
    auth, seen = Auth(), list[str]()

    @auth.on.store
    async def in_a_place_of_their_own(ctx: Auth.types.AuthContext, value: Any) -> bool:
        """The official example: everybody's namespaces begin with their name, or with what is shared."""
        seen.append(ctx.action)
        asked = value["namespace"] or ()
        assert isinstance(asked, tuple)
        assert asked[:1] != ("secret",), "Not authorized"
        value["namespace"] = asked if asked[:1] == ("shared",) else (ctx.user.identity, *asked)
        return True

    async with live(redis_url, rules=auth, worker=False) as server:
        ann, bob = server.sdk("ann").store, server.sdk("bob").store
        for one in (ann, bob):
            await one.put_item(["notes"], key="k", value={"n": 1})
        await ann.put_item(["shared"], key="s", value={"by": "ann"})
        await bob.put_item(["shared"], key="s", value={"by": "bob"})
        shared: Json = await ann.get_item(["shared"], key="s")
        assert shared["value"] == {"by": "bob"}, "what a rule opens is open, whosever it is"
        mine: Json = await ann.search_items([])
        assert [one["namespace"] for one in mine["items"]] == [["ann", "notes"]]
        assert await bob.list_namespaces() == {"namespaces": [["bob", "notes"]]}
        await bob.delete_item(["notes"], key="k")
        assert await bob.get_item(["notes"], key="k") is None
        with pytest.raises(PermissionDeniedError, match="Not authorized"):
            await ann.get_item(["secret"], key="k")
    assert set(seen) == {"put", "get", "search", "list_namespaces", "delete"}


async def test_a_filter_of_a_rule_leaves_callers_what_is_theirs(redis_url: str) -> None:
    auth = Auth()

    @auth.on
    async def only_mine(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> dict[str, str]:
        value.setdefault("metadata", {})["owner"] = ctx.user.identity
        return {"owner": ctx.user.identity}

    async with live(redis_url, rules=auth, worker=False) as server:
        ann, staff = server.sdk("ann").store, server.sdk("kim", "operator").store
        await ann.put_item(["notes"], key="k", value={"n": 1})
        assert await ann.get_item(["notes"], key="k")
        assert await staff.get_item(["notes"], key="k") is None
        assert await staff.search_items([]) == {"items": []}


# runs


async def test_runs_keep_and_find_items_by_meaning(noted: Live) -> None:
    sdk = noted.sdk("ann")
    thread = await sdk.threads.create()
    for text in ("the cat sat", "a dog ran"):
        await sdk.runs.wait(thread["thread_id"], "notes", input={"text": text})
    values: Json = await sdk.runs.wait(None, "notes", input={"text": "cats sat"})
    assert values["found"] == ["cats sat", "the cat sat", "a dog ran"]
    found: Json = await sdk.store.search_items(["notes"], query="dogs", limit=1)
    assert found["items"][0]["key"] == "a dog ran"
    assert 0 < found["items"][0]["score"] <= 1
    others: Json = await noted.sdk("bob").store.search_items(["notes"], query="dogs")
    assert others == {"items": []}
    of_bob: Json = await noted.sdk("bob").runs.wait(None, "notes", input={"text": "x"})
    assert len(of_bob["found"]) == 4, "a graph sees all of the tenant's"


async def test_a_run_sees_the_store_of_its_own_tenant(redis_url: str) -> None:
    people = [Person(tenant, "ann") for tenant in ("north", "south")]
    async with live(redis_url, config=SERVED, **SETTINGS) as server:
        for person in people:
            async with httpx.AsyncClient(base_url=server.url, headers=person.headers, timeout=30) as http:
                asked = {"assistant_id": "notes", "input": {"text": f"of {person.tenant}"}}
                values = (await http.post("/runs/wait", json=asked)).json()
                assert values["found"] == [f"of {person.tenant}"]


async def test_an_item_may_be_found_by_other_fields_or_not_at_all(noted: Live) -> None:
    store = noted.sdk("eve").store
    await store.put_item(["kinds"], key="own", value={"text": "zzz", "title": "cat"}, index=["title"])
    await store.put_item(["kinds"], key="none", value={"text": "cat"}, index=False)
    await store.put_item(["kinds"], key="text", value={"text": "dog"})
    found: Json = await store.search_items(["kinds"], query="cat")
    assert [one["key"] for one in found["items"]] == ["own", "text", "none"]
    assert [one["score"] is None for one in found["items"]] == [False, False, True]


async def test_a_tenant_has_so_many_items(redis_url: str) -> None:
    async with live(redis_url, worker=False, max_items_of_tenant=2) as server:
        ann, staff = server.sdk("ann").store, server.sdk("op", "operator").store
        for key in ("one", "two"):
            await ann.put_item(["notes"], key=key, value={"n": 1})
        await ann.put_item(["notes"], key="two", value={"n": 2})
        async with server.http("bob") as bob:
            asked = {"namespace": ["other"], "key": "three", "value": {}}
            refused = await bob.put("/store/items", json=asked)
            assert (refused.status_code, refused.json()["code"]) == (429, "too_many_items")
            assert "HOLDFAST_MAX_ITEMS_OF_TENANT" in refused.json()["detail"]
            await ann.delete_item(["notes"], "one")
            assert (await bob.put("/store/items", json=asked)).status_code == 204
        await staff.put_item(["notes"], key="two", value={"n": 3})
        found: Json = await staff.search_items([])
        assert [one["value"] for one in found["items"]] == [{"n": 3}, {}]


async def test_a_run_that_has_lost_its_thread_keeps_nothing_more(client: Client, keys: Keys) -> None:
    store = RedisStore(client, keys, "north")
    ClaimedGraph(GraphSpec("never", None), never, store).revoke()
    with pytest.raises(Fenced):
        await store.aput(("notes",), "k", {})


def never(graph: Any) -> Any:
    pytest.fail("no graph was opened")


async def test_a_ttl_is_the_project_s_or_the_item_s_own(noted: Live) -> None:
    store, keys = noted.sdk("ann").store, noted.platform.keys
    await store.put_item(["ttl"], key="default", value={})
    await store.put_item(["ttl"], key="own", value={}, ttl=5)
    due = [await minutes_left(noted, keys, key) for key in ("default", "own")]
    assert [round(one) for one in due] == [60, 5]


async def minutes_left(server: Live, keys: Keys, key: str) -> float:
    lane, client = keys.lane("default"), server.platform.client
    name = "\0\0".join(("default", "ttl", key))
    [due, (seconds, _)] = [
        await client.call("ZSCORE", keys.store_expiry(lane), name),
        await client.call("TIME"),
    ]
    return (float(due) / 1000 - int(seconds)) / 60
