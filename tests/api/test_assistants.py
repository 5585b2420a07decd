"""Assistants: one for each graph of langgraph.json."""

import re
from uuid import UUID

import orjson
import pytest
from langgraph_sdk.errors import NotFoundError

from tests.api.wire import Json, refusal
from tests.servers import SERVED, Live, said

GRAPHS = list(orjson.loads(SERVED.read_bytes())["graphs"])


async def by_name(server: Live, name: str) -> Json:
    [found] = await server.sdk().assistants.search(graph_id=name)
    return found


async def test_every_graph_is_an_assistant_with_a_lasting_id(server: Live) -> None:
    found: Json = await server.sdk().assistants.search(limit=1000)
    assert sorted(one["graph_id"] for one in found) == sorted(GRAPHS)
    assert len({one["assistant_id"] for one in found}) == len(GRAPHS)
    echo = await by_name(server, "echo")
    # The id that the official server derives from the name: clients keep it.
    assert echo["assistant_id"] == "046b5dc7-2108-582c-9c6c-31d556d138f0"
    assert set(echo) == {
        "assistant_id",
        "graph_id",
        "name",
        "description",
        "config",
        "context",
        "metadata",
        "version",
        "created_at",
        "updated_at",
    }
    assert (echo["name"], echo["version"], echo["metadata"]) == ("echo", 1, {"created_by": "system"})
    assert await server.sdk().assistants.get(echo["assistant_id"]) == echo


async def test_assistants_are_found(server: Live) -> None:
    sdk = server.sdk()
    wanted: list[tuple[Json, list[str]]] = [
        ({"graph_id": "ask"}, ["ask"]),
        ({"name": "STE"}, ["nested", "steps"]),
        ({"metadata": {"created_by": "system"}, "graph_id": "fail"}, ["fail"]),
        ({"metadata": {"created_by": "me"}}, []),
    ]
    for query, names in wanted:
        found: Json = await sdk.assistants.search(**query)
        assert sorted(one["graph_id"] for one in found) == names
        assert await sdk.assistants.count(**query) == len(names)
    async with server.http() as http:
        body = {"limit": 2, "offset": 1, "sort_by": "name", "sort_order": "asc", "select": ["name"]}
        page = await http.post("/assistants/search", json=body)
        assert page.json() == [{"name": name} for name in sorted(GRAPHS)[1:3]]
        assert page.headers["x-pagination-total"] == str(len(GRAPHS))
        assert page.headers["x-pagination-next"] == "3"
        studio = b'{"limit":10,"offset":0,"metadata":{"created_by":"system"}}'
        plain = await http.post("/assistants/search", content=studio, headers={"Content-Type": "text/plain"})
        assert len(plain.json()) == 10


async def test_a_run_takes_the_name_or_the_id(server: Live) -> None:
    sdk = server.sdk()
    assistant_id = (await by_name(server, "echo"))["assistant_id"]
    for asked in ("echo", assistant_id, assistant_id.upper()):
        thread_id = (await sdk.threads.create())["thread_id"]
        run = await sdk.runs.create(thread_id, asked, input=said("hi"))
        assert run["assistant_id"] == assistant_id
        await sdk.runs.join(thread_id, run["run_id"])


async def test_only_the_id_names_an_assistant(server: Live) -> None:
    async with server.http() as http:
        assert refusal(await http.get("/assistants/echo")) == (422, "Invalid assistant ID: must be a UUID")
    with pytest.raises(NotFoundError):
        await server.sdk().assistants.get(str(UUID(int=1)))


async def test_schemas(server: Live) -> None:
    assistant_id = (await by_name(server, "steps"))["assistant_id"]
    schemas: Json = await server.sdk().assistants.get_schemas(assistant_id)
    assert schemas["graph_id"] == "steps"
    for name in ("input_schema", "output_schema", "state_schema"):
        assert {"messages", "log"} <= set(schemas[name]["properties"])
    assert {"config_schema", "context_schema"} <= set(schemas)


async def test_the_drawing_of_a_graph(server: Live) -> None:
    assistant_id = (await by_name(server, "nested"))["assistant_id"]
    graph: Json = await server.sdk().assistants.get_graph(assistant_id)
    assert [node["id"] for node in graph["nodes"]] == ["__start__", "first", "child", "__end__"]
    edges = [(edge["source"], edge["target"]) for edge in graph["edges"]]
    assert edges == [("__start__", "first"), ("first", "child"), ("child", "__end__")]
    for depth in (True, 1):
        opened: Json = await server.sdk().assistants.get_graph(assistant_id, xray=depth)
        assert "child:speak" in [node["id"] for node in opened["nodes"]]
    async with server.http() as http:
        for xray in ("zz", "0", "-1", "", "1e3"):
            response = await http.get(f"/assistants/{assistant_id}/graph", params={"xray": xray})
            assert refusal(response)[0] == 422


async def test_subgraphs(server: Live) -> None:
    sdk = server.sdk()
    assistant_id = (await by_name(server, "nested"))["assistant_id"]
    found: Json = await sdk.assistants.get_subgraphs(assistant_id, recurse=True)
    assert list(found) == ["child"]
    assert "messages" in found["child"]["input_schema"]["properties"]
    assert list(await sdk.assistants.get_subgraphs(assistant_id, namespace="child")) == ["child"]
    assert await sdk.assistants.get_subgraphs(assistant_id, namespace="nope") == {}


async def test_the_server_says_what_it_is(server: Live) -> None:
    async with server.http() as http:
        assert (await http.get("/ok")).json() == {"ok": True, "services": {}}
        assert (await http.get("/ok", params={"check_db": 1})).json()["ok"] is True
        assert (await http.get("/")).json()["ok"] is True
        info = (await http.get("/info")).json()
        paths = (await http.get("/openapi.json")).json()["paths"]
    assert {"version", "langgraph_py_version", "flags", "host"} <= set(info)
    assert info["sign_in"] == "dev"
    assert re.fullmatch(r"(Redis|Valkey) \d+\.\d+\.\d+", info["redis"])
    assert info["routes"] == []  # this project has no app of its own
    assert tuple(map(int, info["version"].split("."))) >= (0, 4, 35)  # Studio's features hang on it
    assert {"assistants", "crons", "strict_resume"} <= {flag for flag, on in info["flags"].items() if on}
    assert {"/threads/{thread_id}/runs/stream", "/assistants/search", "/runs/wait"} <= set(paths)
