"""Assistants: those of the graphs, those that clients make, and their versions."""

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError, NotFoundError

from tests.contract.asking import GRAPHS, Json, fresh, refused, system_assistant, thread


@pytest.mark.parametrize("graph", GRAPHS)
async def test_each_graph_has_one(client: LangGraphClient, graph: str) -> None:
    found: Json = await client.assistants.get(await system_assistant(client, graph))
    assert (found["graph_id"], found["metadata"]["created_by"], found["version"]) == (graph, "system", 1)


async def test_the_name_of_a_graph_is_no_id_of_an_assistant(http: httpx.AsyncClient) -> None:
    assert (await refused(http, "GET", "/assistants/echo"))[0] == 422


async def test_a_search_in_the_way_of_the_studio(http: httpx.AsyncClient) -> None:
    content = b'{"limit":20,"offset":0,"metadata":{"created_by":"system"}}'
    response = await http.post(
        "/assistants/search", content=content, headers={"content-type": "text/plain;charset=UTF-8"}
    )
    assert {one["graph_id"] for one in response.json()} == set(GRAPHS)


async def test_one_is_made_changed_and_deleted(client: LangGraphClient) -> None:
    made: Json = await client.assistants.create(
        "named",
        config={"configurable": {"shop": "tea"}},
        metadata={"a": 1},
        name="Tea",
        description="sells tea",
    )
    assert (made["name"], made["description"], made["version"]) == ("Tea", "sells tea", 1)
    assert (made["graph_id"], made["metadata"]["a"]) == ("named", 1)
    assert made["config"]["configurable"]["shop"] == "tea"
    assistant_id = made["assistant_id"]
    changed: Json = await client.assistants.update(assistant_id, name="Coffee", metadata={"b": 2})
    assert (changed["name"], changed["version"]) == ("Coffee", 2)
    assert {"a": 1, "b": 2}.items() <= changed["metadata"].items()
    assert (await client.assistants.get(assistant_id))["name"] == "Coffee"
    await client.assistants.delete(assistant_id)
    with pytest.raises(NotFoundError):
        await client.assistants.get(assistant_id)


async def test_an_id_of_the_clients(client: LangGraphClient) -> None:
    assistant_id = fresh()
    made = await client.assistants.create("echo", assistant_id=assistant_id, name="first")
    assert made["assistant_id"] == assistant_id
    with pytest.raises(ConflictError):
        await client.assistants.create("echo", assistant_id=assistant_id)
    again = await client.assistants.create(
        "echo", assistant_id=assistant_id, name="second", if_exists="do_nothing"
    )
    assert again["name"] == "first"


async def test_a_graph_that_is_not_there(http: httpx.AsyncClient) -> None:
    assert (await refused(http, "POST", "/assistants", json={"graph_id": "nothing"}))[0] == 404


async def test_a_config_and_a_context_at_once(http: httpx.AsyncClient) -> None:
    body = {"graph_id": "echo", "config": {"configurable": {"a": 1}}, "context": {"b": 2}}
    assert (await refused(http, "POST", "/assistants", json=body))[0] == 400


@pytest.mark.parametrize("given", ["config", "context"])
async def test_a_run_has_what_its_assistant_says(client: LangGraphClient, given: str) -> None:
    said: Json = {"config": {"configurable": {"shop": "tea"}}, "context": {"shop": "tea"}}[given]
    made = await client.assistants.create("named", **{given: said})
    values: Json = await client.runs.wait(await thread(client), made["assistant_id"], input={})
    assert values["said"] == ["tea"]


async def test_a_run_may_say_otherwise(client: LangGraphClient) -> None:
    made = await client.assistants.create("named", config={"configurable": {"shop": "tea"}, "tags": ["one"]})
    config: Json = {"configurable": {"shop": "books"}}
    values: Json = await client.runs.wait(await thread(client), made["assistant_id"], input={}, config=config)
    assert values["said"] == ["books"]


async def test_the_run_names_the_assistant(client: LangGraphClient) -> None:
    made = await client.assistants.create("echo")
    thread_id = await thread(client)
    run = await client.runs.create(thread_id, made["assistant_id"], input={})
    assert run["assistant_id"] == made["assistant_id"]
    await client.runs.join(thread_id, run["run_id"])
    by_name = await client.runs.create(thread_id, "echo", input={})
    assert by_name["assistant_id"] == await system_assistant(client, "echo")
    await client.runs.join(thread_id, by_name["run_id"])


async def test_versions(client: LangGraphClient) -> None:
    made = await client.assistants.create("named", config={"configurable": {"shop": "one"}})
    assistant_id = made["assistant_id"]
    for shop in ("two", "three"):
        await client.assistants.update(assistant_id, config={"configurable": {"shop": shop}})
    versions: Json = await client.assistants.get_versions(assistant_id)
    assert [one["version"] for one in versions] == [3, 2, 1]
    assert [one["config"]["configurable"]["shop"] for one in versions] == ["three", "two", "one"]
    assert len(await client.assistants.get_versions(assistant_id, limit=1, offset=1)) == 1
    back = await client.assistants.set_latest(assistant_id, 1)
    assert (back["version"], back["config"]["configurable"]["shop"]) == (1, "one")
    values: Json = await client.runs.wait(await thread(client), assistant_id, input={})
    assert values["said"] == ["one"]
    with pytest.raises(NotFoundError):
        await client.assistants.set_latest(assistant_id, 9)


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({}, ["Green Tea", "Black Tea", "Books"]),
        ({"name": "tea"}, ["Green Tea", "Black Tea"]),
        ({"graph_id": "named"}, ["Books"]),
        ({"limit": 1}, ["Green Tea"]),
        ({"limit": 1, "offset": 1}, ["Black Tea"]),
        ({"sort_by": "name", "sort_order": "asc"}, ["Black Tea", "Books", "Green Tea"]),
        ({"sort_by": "created_at", "sort_order": "asc"}, ["Books", "Black Tea", "Green Tea"]),
        ({"offset": 3}, []),
    ],
    ids=str,
)
async def test_assistants_are_found(client: LangGraphClient, wanted: Json, names: list[str]) -> None:
    mark = fresh()
    for graph, name in (("named", "Books"), ("echo", "Black Tea"), ("echo", "Green Tea")):
        await client.assistants.create(graph, name=name, metadata={"mark": mark})
    found: Json = await client.assistants.search(metadata={"mark": mark}, **wanted)
    assert [one["name"] for one in found] == names


async def test_assistants_are_counted(client: LangGraphClient) -> None:
    mark = fresh()
    for _ in range(2):
        await client.assistants.create("echo", metadata={"mark": mark})
    assert await client.assistants.count(metadata={"mark": mark}) == 2
    assert await client.assistants.count(metadata={"mark": mark}, graph_id="named") == 0


@pytest.mark.parametrize("way", ["search", "count"])
async def test_a_graph_that_is_not_served_is_not_looked_for(http: httpx.AsyncClient, way: str) -> None:
    assert (await refused(http, "POST", f"/assistants/{way}", json={"graph_id": "nothing"}))[0] == 404


async def test_an_empty_config_changes_nothing(client: LangGraphClient) -> None:
    made = await client.assistants.create("named", context={"shop": "one"})
    kept = await client.assistants.update(made["assistant_id"], config={})
    assert (kept["config"], kept["context"]) == ({"configurable": {"shop": "one"}}, {"shop": "one"})


@pytest.mark.parametrize("xray", ["0", "-1", "foo", "2.5"])
async def test_a_depth_that_is_none(client: LangGraphClient, http: httpx.AsyncClient, xray: str) -> None:
    path = f"/assistants/{await system_assistant(client, 'outer')}/graph"
    assert (await refused(http, "GET", path, params={"xray": xray}))[0] == 422


async def test_the_assistant_of_a_graph_stays_as_it_is(
    client: LangGraphClient, http: httpx.AsyncClient
) -> None:
    path = f"/assistants/{await system_assistant(client, 'echo')}"
    assert (await refused(http, "PATCH", path, json={"name": "echo"}))[0] == 409


@pytest.mark.parametrize("xray", [False, True])
async def test_the_drawing_of_a_graph(client: LangGraphClient, xray: bool) -> None:
    drawing: Json = await client.assistants.get_graph(await system_assistant(client, "outer"), xray=xray)
    nodes = {node["id"] for node in drawing["nodes"]}
    assert {"__start__", "after", "last"} <= nodes
    assert ("inner" in nodes) is not xray
    assert ("inner:two" in nodes) is xray
    assert all({"source", "target"} <= edge.keys() for edge in drawing["edges"])


@pytest.mark.parametrize("graph", GRAPHS)
async def test_the_schemas_of_a_graph(client: LangGraphClient, graph: str) -> None:
    schemas: Json = await client.assistants.get_schemas(await system_assistant(client, graph))
    assert schemas["graph_id"] == graph
    for kind in ("input_schema", "output_schema", "state_schema"):
        assert {"messages", "said", "topic"} <= schemas[kind]["properties"].keys()


async def test_graphs_within(client: LangGraphClient) -> None:
    outer = await system_assistant(client, "outer")
    assert list(await client.assistants.get_subgraphs(outer)) == ["inner"]
    assert list(await client.assistants.get_subgraphs(outer, namespace="inner")) == ["inner"]
    assert await client.assistants.get_subgraphs(outer, namespace="nowhere") == {}
    inner: Json = (await client.assistants.get_subgraphs(outer, namespace="inner"))["inner"]
    for kind in ("input_schema", "output_schema", "state_schema"):
        assert {"messages", "said", "topic"} <= inner[kind]["properties"].keys()
    assert await client.assistants.get_subgraphs(await system_assistant(client, "echo")) == {}
