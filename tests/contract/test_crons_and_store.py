"""Crons and the store."""

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.contract.asking import Json, fresh, refused, system_assistant, thread

NEVER = "0 0 1 1 *"


@pytest.mark.parametrize("schedule", ["* * * * *", "*/5 * * * *", "0 9 * * 1-5", NEVER, "0 0 9 * * 1"])
async def test_a_cron_is_made(client: LangGraphClient, schedule: str) -> None:
    cron: Json = await client.crons.create("echo", schedule=schedule, input={}, enabled=False)
    assert (cron["schedule"], cron["assistant_id"]) == (schedule, await system_assistant(client, "echo"))
    assert {"cron_id", "created_at", "updated_at", "payload", "next_run_date"} <= cron.keys()
    await client.crons.delete(cron["cron_id"])


async def test_a_cron_of_a_thread(client: LangGraphClient) -> None:
    thread_id = await thread(client)
    cron: Json = await client.crons.create_for_thread(thread_id, "echo", schedule=NEVER, input={})
    assert cron["thread_id"] == thread_id
    found = await client.crons.search(thread_id=thread_id)
    assert [one["cron_id"] for one in found] == [cron["cron_id"]]
    assert await client.crons.count(thread_id=thread_id) == 1
    await client.crons.delete(cron["cron_id"])
    assert await client.crons.search(thread_id=thread_id) == []


async def test_a_cron_is_changed(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    cron: Json = await client.crons.create("echo", schedule=NEVER, input={})
    path = f"/runs/crons/{cron['cron_id']}"
    changed = await http.patch(path, json={"schedule": "0 0 2 2 *", "enabled": False})
    assert (changed.json()["schedule"], changed.json()["enabled"]) == ("0 0 2 2 *", False)
    assert (await http.patch(path, json={})).status_code == 400
    await client.crons.delete(cron["cron_id"])
    assert (await http.get(path)).status_code == 404
    assert (await refused(http, "DELETE", path))[0] == 404


@pytest.mark.parametrize("fields", [{}, {"limit": 1}, {"offset": 1}], ids=str)
async def test_crons_are_found(client: LangGraphClient, fields: Json) -> None:
    thread_id = await thread(client)
    made = [
        (await client.crons.create_for_thread(thread_id, "echo", schedule=NEVER, input={}))["cron_id"]  # type: ignore[typeddict-item]
        for _ in range(2)
    ]
    found = await client.crons.search(thread_id=thread_id, **fields)
    assert len(found) == (2 if not fields else 1)
    for cron_id in made:
        await client.crons.delete(cron_id)


# the store


async def test_an_item(client: LangGraphClient) -> None:
    namespace = ["people", fresh()]
    await client.store.put_item(namespace, key="ann", value={"likes": "tea", "age": 30})
    item = await client.store.get_item(namespace, key="ann")
    assert (item["namespace"], item["key"], item["value"]) == (namespace, "ann", {"likes": "tea", "age": 30})
    assert {"created_at", "updated_at"} <= item.keys()
    await client.store.put_item(namespace, key="ann", value={"likes": "coffee"})
    assert (await client.store.get_item(namespace, key="ann"))["value"] == {"likes": "coffee"}
    await client.store.delete_item(namespace, key="ann")
    assert await client.store.get_item(namespace, key="ann") is None


async def test_an_item_that_is_not_there(client: LangGraphClient) -> None:
    assert await client.store.get_item(["people", fresh()], key="nobody") is None


@pytest.mark.parametrize(
    ("namespace", "status"),
    [([], 400), (["langgraph"], 400), (["a.b"], 422), (["a", ""], 422), ("a", 422)],
    ids=str,
)
async def test_a_namespace_that_cannot_be(http: httpx.AsyncClient, namespace: Json, status: int) -> None:
    body = {"namespace": namespace, "key": "k", "value": {}}
    assert (await http.put("/store/items", json=body)).status_code == status


@pytest.mark.parametrize(
    "body",
    [{"key": "k", "value": {}}, {"namespace": ["a"], "value": {}}, {"namespace": ["a"], "key": "k"}],
    ids=str,
)
async def test_an_item_that_cannot_be(http: httpx.AsyncClient, body: Json) -> None:
    assert (await http.put("/store/items", json=body)).status_code == 422


@pytest.mark.parametrize(
    ("wanted", "keys"),
    [
        ({}, "abcd"),
        ({"filter": {"kind": "tea"}}, "ab"),
        ({"filter": {"kind": "tea", "price": 2}}, "b"),
        ({"filter": {"price": {"$gt": 1}}}, "bc"),
        ({"filter": {"price": {"$gte": 1}}}, "abc"),
        ({"filter": {"kind": "none"}}, ""),
        ({"limit": 4, "offset": 4}, ""),
    ],
    ids=str,
)
async def test_items_are_found(client: LangGraphClient, wanted: Json, keys: str) -> None:
    root = fresh()
    for key, kind, price in (("a", "tea", 1), ("b", "tea", 2), ("c", "book", 3)):
        await client.store.put_item([root, kind], key=key, value={"kind": kind, "price": price})
    await client.store.put_item([root], key="d", value={"kind": "root"})
    if wanted.get("filter", {}).get("price"):
        await client.store.delete_item([root], key="d")
    found = await client.store.search_items([root], **wanted)
    assert {item["key"] for item in found["items"]} == set(keys)


async def test_a_search_in_pages(client: LangGraphClient) -> None:
    root = fresh()
    for number in range(5):
        await client.store.put_item([root], key=str(number), value={"n": number})
    pages = [await client.store.search_items([root], limit=2, offset=offset) for offset in (0, 2, 4)]
    assert [len(page["items"]) for page in pages] == [2, 2, 1]
    assert {item["key"] for page in pages for item in page["items"]} == set("01234")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [["a"], ["a", "x"], ["a", "y"], ["b", "x"]]),
        ({"prefix": ["a"]}, [["a"], ["a", "x"], ["a", "y"]]),
        ({"suffix": ["x"]}, [["a", "x"], ["b", "x"]]),
        ({"max_depth": 2}, [["a"], ["b"]]),
        ({"prefix": ["a"], "suffix": ["y"]}, [["a", "y"]]),
        ({"limit": 2}, [["a"], ["a", "x"]]),
        ({"limit": 2, "offset": 2}, [["a", "y"], ["b", "x"]]),
    ],
    ids=str,
)
async def test_namespaces(client: LangGraphClient, wanted: Json, found: list[list[str]]) -> None:
    root = fresh()
    for path in (["a"], ["a", "x"], ["a", "y"], ["b", "x"]):
        await client.store.put_item([root, *path], key="k", value={})
    asked = {**wanted, "prefix": [root, *wanted.get("prefix", [])]}
    listed: Json = await client.store.list_namespaces(**asked)
    assert sorted(one[1:] for one in listed["namespaces"]) == found
