"""Threads: made, changed, found, copied, and the states they have been in."""

from itertools import pairwise
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError, NotFoundError

from tests.contract.asking import Json, asked, contents, fresh, human, refused, thread

AT_FIRST = {"thread_id", "created_at", "updated_at", "metadata", "status", "values", "config"}


async def test_a_new_thread(client: LangGraphClient) -> None:
    made = await client.threads.create(metadata={"topic": "trees"})
    assert made.keys() >= AT_FIRST
    assert (made["status"], made["values"], made["metadata"]) == ("idle", None, {"topic": "trees"})
    assert (await client.threads.get(made["thread_id"]))["metadata"] == {"topic": "trees"}


async def test_an_id_of_the_clients(client: LangGraphClient) -> None:
    thread_id = fresh()
    assert (await client.threads.create(thread_id=thread_id))["thread_id"] == thread_id


async def test_an_id_that_is_taken(client: LangGraphClient) -> None:
    thread_id = await thread(client, metadata={"first": True})
    with pytest.raises(ConflictError):
        await client.threads.create(thread_id=thread_id)
    with pytest.raises(ConflictError):
        await client.threads.create(thread_id=thread_id, if_exists="raise")
    again = await client.threads.create(
        thread_id=thread_id, if_exists="do_nothing", metadata={"second": True}
    )
    assert again["metadata"] == {"first": True}


async def test_metadata_merges(client: LangGraphClient) -> None:
    thread_id = await thread(client, metadata={"a": 1, "b": {"c": 1}})
    changed = await client.threads.update(thread_id, metadata={"b": {"d": 2}, "e": 3})
    assert changed["metadata"] == {"a": 1, "b": {"d": 2}, "e": 3}


async def test_a_change_that_wants_no_answer(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    thread_id = await thread(client)
    headers = {"Prefer": "return=minimal"}
    response = await http.patch(f"/threads/{thread_id}", json={"metadata": {"a": 1}}, headers=headers)
    assert (response.status_code, response.content) == (204, b"")
    assert (await client.threads.get(thread_id))["metadata"] == {"a": 1}


async def test_a_thread_that_is_deleted(client: LangGraphClient) -> None:
    thread_id = await thread(client)
    await client.runs.wait(thread_id, "echo", input=human("hi"))
    await client.threads.delete(thread_id)
    for reading in (client.threads.get, client.threads.get_state, client.threads.get_history):
        with pytest.raises(NotFoundError):
            await reading(thread_id)


@pytest.mark.parametrize(
    ("graph", "status"), [("echo", "idle"), ("ask", "interrupted"), ("fail", "error"), ("steps", "idle")]
)
async def test_the_status_after_a_run(client: LangGraphClient, graph: str, status: str) -> None:
    thread_id = await thread(client)
    await client.runs.wait(thread_id, graph, input={}, raise_error=False)
    found: Json = await client.threads.get(thread_id)
    assert found["status"] == status
    assert (found.get("error") is not None) is (graph == "fail")
    assert bool(found["interrupts"]) is (graph == "ask")


async def test_a_thread_says_what_it_waits_for(client: LangGraphClient) -> None:
    thread_id, [waiting] = await asked(client)
    [[shown]] = (await client.threads.get(thread_id))["interrupts"].values()
    assert shown["value"] == {"question": "which one?"} == waiting["value"]
    assert shown["id"] == waiting["id"]


FIELDS = ["thread_id", "status", "metadata"]


async def three(client: LangGraphClient) -> tuple[str, list[str]]:
    mark = fresh()
    made = [
        await thread(client, metadata={"mark": mark, "n": n, "deep": {"x": n, "y": [n]}}) for n in range(3)
    ]
    return mark, made


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [2, 1, 0]),
        ({"metadata": {"n": 1}}, [1]),
        ({"metadata": {"deep": {"x": 2}}}, [2]),
        ({"metadata": {"deep": {"x": 2, "z": 1}}}, []),
        ({"metadata": {"deep": {"y": [1]}}}, [1]),
        ({"limit": 2}, [2, 1]),
        ({"limit": 2, "offset": 2}, [0]),
        ({"offset": 5}, []),
        ({"sort_by": "created_at", "sort_order": "asc"}, [0, 1, 2]),
        ({"sort_by": "created_at", "sort_order": "desc"}, [2, 1, 0]),
        ({"sort_by": "updated_at", "sort_order": "asc"}, [0, 1, 2]),
        ({"status": "idle"}, [2, 1, 0]),
        ({"status": "busy"}, []),
        ({"status": "error"}, []),
        ({"status": "interrupted"}, []),
    ],
    ids=str,
)
async def test_threads_are_found(client: LangGraphClient, wanted: dict[str, Any], found: list[int]) -> None:
    mark, made = await three(client)
    metadata = {"mark": mark, **wanted.get("metadata", {})}
    threads = await client.threads.search(**{**wanted, "metadata": metadata})
    assert [made.index(one["thread_id"]) for one in threads] == found


async def test_threads_are_found_by_their_ids(client: LangGraphClient) -> None:
    _, made = await three(client)
    found = await client.threads.search(ids=[made[0], made[2], fresh()])
    assert {one["thread_id"] for one in found} == {made[0], made[2]}


@pytest.mark.parametrize("metadata", [{}, {"n": 1}, {"n": 7}], ids=str)
async def test_threads_are_counted(client: LangGraphClient, metadata: dict[str, Any]) -> None:
    mark, _ = await three(client)
    count = await client.threads.count(metadata={"mark": mark, **metadata})
    assert count == {0: 3, 1: 1, 7: 0}[metadata.get("n", 0)]


async def test_a_search_takes_some_fields(client: LangGraphClient) -> None:
    mark, _ = await three(client)
    found = await client.threads.search(metadata={"mark": mark}, select=FIELDS)  # type: ignore[arg-type]
    assert {frozenset(one) for one in found} == {frozenset(FIELDS)}


async def test_a_search_takes_a_place_of_the_values(client: LangGraphClient) -> None:
    thread_id = await thread(client, metadata={"mark": (mark := fresh())})
    await client.runs.wait(thread_id, "echo", input=human("hi"))
    extract = {"last": "values.messages[-1].content", "first": "values.messages[0].content"}
    [found] = await client.threads.search(metadata={"mark": mark}, extract=extract)
    assert found["extracted"] == {"last": "you said hi", "first": "hi"}


async def test_pages_say_where_the_next_one_begins(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    mark, _ = await three(client)
    body = {"metadata": {"mark": mark}, "limit": 2}
    first = await http.post("/threads/search", json=body)
    assert first.headers["x-pagination-next"] == "2"
    last = await http.post("/threads/search", json={**body, "offset": 2})
    assert "x-pagination-next" not in last.headers


async def test_a_copy_has_the_history_and_no_run(client: LangGraphClient) -> None:
    thread_id = await thread(client, metadata={"a": 1})
    await client.runs.wait(thread_id, "echo", input=human("hi"))
    copied: Json = await client.threads.copy(thread_id)  # type: ignore[func-returns-value]
    assert copied["thread_id"] != thread_id
    assert copied["metadata"]["a"] == 1
    assert await client.runs.list(copied["thread_id"]) == []
    states = [await client.threads.get_state(one) for one in (thread_id, copied["thread_id"])]
    assert contents(states[0]["values"]) == contents(states[1]["values"])
    histories = [await client.threads.get_history(one) for one in (thread_id, copied["thread_id"])]
    assert len(histories[0]) == len(histories[1])
    await client.runs.wait(copied["thread_id"], "echo", input=human("there"))
    assert contents((await client.threads.get_state(thread_id))["values"]) == ["hi", "you said hi"]


async def test_a_thread_made_with_a_history(client: LangGraphClient) -> None:
    steps: Json = [
        {"updates": [{"values": human("hi"), "as_node": "__start__"}]},
        {"updates": [{"values": {"said": ["one"]}, "as_node": "one"}]},
    ]
    thread_id = await thread(client, supersteps=steps, graph_id="steps")
    state: Json = await client.threads.get_state(thread_id)
    assert (contents(state["values"]), state["values"]["said"], state["next"]) == (["hi"], ["one"], ["two"])
    values: Json = await client.runs.wait(thread_id, "steps", input=None)
    assert values["said"] == ["one", "two", "three"]


# states


async def test_a_state_before_any_run(client: LangGraphClient) -> None:
    state: Json = await client.threads.get_state(await thread(client))
    assert (state["values"], state["next"], state["checkpoint"]) == ({}, [], None)


async def test_a_state_after_a_run(client: LangGraphClient) -> None:
    thread_id = await thread(client)
    await client.runs.wait(thread_id, "echo", input=human("hi"))
    state: Json = await client.threads.get_state(thread_id)
    assert contents(state["values"]) == ["hi", "you said hi"]
    assert (state["next"], state["tasks"], state["interrupts"]) == ([], [], [])
    assert state["checkpoint"]["thread_id"] == thread_id
    assert {"checkpoint_id", "checkpoint_ns"} <= state["checkpoint"].keys()
    assert state["metadata"]["graph_id"] == "echo"
    assert state["parent_checkpoint"]["checkpoint_id"]
    assert state["created_at"]


async def test_a_state_that_waits(client: LangGraphClient) -> None:
    thread_id, [waiting] = await asked(client)
    state: Json = await client.threads.get_state(thread_id)
    assert state["next"] == ["ask"]
    [task] = state["tasks"]
    assert (task["name"], task["interrupts"][0]["id"]) == ("ask", waiting["id"])
    assert state["interrupts"][0]["value"] == waiting["value"]


async def test_the_history_of_a_thread(client: LangGraphClient) -> None:
    thread_id = await thread(client)
    await client.runs.wait(thread_id, "steps", input={"topic": "x"})
    history: Json = await client.threads.get_history(thread_id)
    assert [state["next"] for state in history] == [[], ["three"], ["two"], ["one"], ["__start__"]]
    assert [state["values"].get("said", []) for state in history][:3] == [
        ["one", "two", "three"],
        ["one", "two"],
        ["one"],
    ]
    for newer, older in pairwise(history):
        assert newer["parent_checkpoint"]["checkpoint_id"] == older["checkpoint"]["checkpoint_id"]


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
async def test_a_part_of_the_history(client: LangGraphClient, limit: int) -> None:
    thread_id = await thread(client)
    await client.runs.wait(thread_id, "steps", input={"topic": "x"})
    assert len(await client.threads.get_history(thread_id, limit=limit)) == min(limit, 5)


async def test_the_history_before_a_state(client: LangGraphClient) -> None:
    thread_id = await thread(client)
    await client.runs.wait(thread_id, "steps", input={"topic": "x"})
    history: Json = await client.threads.get_history(thread_id)
    before = history[1]["checkpoint"]["checkpoint_id"]
    older = await client.threads.get_history(thread_id, before=before)
    assert [state["checkpoint"] for state in older] == [state["checkpoint"] for state in history[2:]]


async def test_the_history_by_metadata(client: LangGraphClient) -> None:
    thread_id = await thread(client)
    await client.runs.wait(thread_id, "steps", input={"topic": "x"})
    [found] = await client.threads.get_history(thread_id, metadata={"source": "input"})
    assert found["next"] == ["__start__"]


async def test_the_history_asks_for_one_when_nobody_says_how_many(
    client: LangGraphClient, http: httpx.AsyncClient
) -> None:
    thread_id = await thread(client)
    await client.runs.wait(thread_id, "steps", input={"topic": "x"})
    assert len((await http.get(f"/threads/{thread_id}/history")).json()) == 1


async def test_an_earlier_state(client: LangGraphClient) -> None:
    thread_id = await thread(client)
    await client.runs.wait(thread_id, "steps", input={"topic": "x"})
    history: Json = await client.threads.get_history(thread_id)
    for state in history:
        checkpoint = state["checkpoint"]
        by_id: Json = await client.threads.get_state(thread_id, checkpoint_id=checkpoint["checkpoint_id"])
        whole: Json = await client.threads.get_state(thread_id, checkpoint=checkpoint)
        assert by_id["values"] == state["values"] == whole["values"]


async def test_a_state_of_a_graph_within(client: LangGraphClient) -> None:
    thread_id = await thread(client)
    await client.runs.wait(thread_id, "outer", input={"topic": "go on"}, interrupt_before=["after"])
    state: Json = await client.threads.get_state(thread_id, subgraphs=True)
    assert state["next"] == ["after"]
    assert state["values"]["said"] == ["one", "two", "three"]


@pytest.mark.parametrize("graph", ["nested", "outer"])
async def test_a_run_goes_back_to_where_a_graph_within_began(client: LangGraphClient, graph: str) -> None:
    thread_id = await thread(client)
    first: Json = await client.runs.wait(thread_id, graph, input={"topic": "go on"})
    history: Json = await client.threads.get_history(thread_id)
    place = next(state["checkpoint"] for state in history if state["next"] == ["inner"])
    again: Json = await client.runs.wait(thread_id, graph, checkpoint=place)
    assert again == first


async def test_a_run_goes_on_from_within_a_graph(client: LangGraphClient) -> None:
    thread_id, place = await within(client)
    found: Json = []
    async for part in client.runs.stream(
        thread_id, "nested", checkpoint=place, stream_mode="updates", stream_subgraphs=True
    ):
        if part.event.startswith("updates"):
            found += part.data
    assert found == ["two", "three", "inner", "last"]
    state: Json = await client.threads.get_state(thread_id)
    assert (state["values"]["said"], state["next"]) == (["one", "two", "three", "last"], [])


async def test_a_state_within_a_graph_is_changed(client: LangGraphClient) -> None:
    thread_id, place = await within(client)
    written: Json = await client.threads.update_state(
        thread_id, {"said": ["changed"]}, as_node="one", checkpoint=place
    )
    assert written["checkpoint"]["checkpoint_map"]["inner"] == written["checkpoint_id"]
    found: Json = await client.runs.wait(thread_id, "nested", checkpoint=written["checkpoint"])
    assert found["said"] == ["one", "changed", "two", "three", "last"]


async def within(client: LangGraphClient) -> tuple[str, Json]:
    """A thread whose run is over, and where the graph within it was about to take its second step."""
    thread_id = await thread(client)
    await client.runs.wait(thread_id, "nested", input={"topic": "x"})
    inner: Json = {"checkpoint_ns": "inner"}
    history: Json = await client.threads.get_history(thread_id, checkpoint=inner)
    assert [state["next"] for state in history] == [[], ["three"], ["two"], ["one"], ["__start__"]]
    place = history[2]["checkpoint"]
    assert place["checkpoint_map"]["inner"] == place["checkpoint_id"]
    return thread_id, place


@pytest.mark.parametrize("as_node", ["one", "two", "three"])
async def test_a_state_is_changed_in_the_name_of_a_node(client: LangGraphClient, as_node: str) -> None:
    thread_id = await thread(client)
    await client.runs.wait(thread_id, "steps", input={"topic": "x"})
    changed: Json = await client.threads.update_state(thread_id, {"said": ["changed"]}, as_node=as_node)
    assert changed["checkpoint"]["thread_id"] == thread_id
    state: Json = await client.threads.get_state(thread_id)
    assert state["values"]["said"][-1] == "changed"
    assert state["next"] == {"one": ["two"], "two": ["three"], "three": []}[as_node]
    assert state["checkpoint"]["checkpoint_id"] == changed["checkpoint"]["checkpoint_id"]
    assert state["metadata"]["source"] == "update"


@pytest.mark.parametrize("values", [{"topic": "new"}, None], ids=str)
async def test_a_state_is_changed_by_values_of_any_kind(client: LangGraphClient, values: Any) -> None:
    thread_id = await thread(client)
    await client.runs.wait(thread_id, "steps", input={"topic": "x"})
    await client.threads.update_state(thread_id, values, as_node="three")
    state: Json = await client.threads.get_state(thread_id)
    assert state["values"]["topic"] == ("x" if values is None else "new")


async def test_a_state_is_changed_at_an_earlier_place(client: LangGraphClient) -> None:
    thread_id = await thread(client)
    await client.runs.wait(thread_id, "steps", input={"topic": "x"})
    history: Json = await client.threads.get_history(thread_id)
    early = history[2]["checkpoint"]["checkpoint_id"]
    await client.threads.update_state(thread_id, {"said": ["fork"]}, as_node="one", checkpoint_id=early)
    state: Json = await client.threads.get_state(thread_id)
    assert (state["values"]["said"], state["next"]) == (["one", "fork"], ["two"])


async def test_a_state_of_a_thread_that_has_run_nothing(
    http: httpx.AsyncClient, client: LangGraphClient
) -> None:
    thread_id = await thread(client)
    response = await http.post(f"/threads/{thread_id}/state", json={"values": {"topic": "x"}})
    assert response.status_code == 400
    assert isinstance(response.json()["detail"], str)


@pytest.mark.parametrize(
    "body",
    [{"values": {"topic": "x"}, "as_node": "nowhere"}, {"values": [{"topic": "x"}], "as_node": "two"}],
    ids=["a node that is not there", "a list for a state of fields"],
)
async def test_a_change_that_cannot_be(
    http: httpx.AsyncClient, client: LangGraphClient, body: dict[str, Any]
) -> None:
    thread_id = await thread(client)
    await client.runs.wait(thread_id, "steps", input={})
    assert (await http.post(f"/threads/{thread_id}/state", json=body)).status_code == 400


async def test_threads_are_found_by_the_time_of_their_making(client: LangGraphClient) -> None:
    mark = fresh()
    older, newer = [await thread(client, metadata={"mark": mark}) for _ in range(2)]
    await client.threads.update(older, metadata={"changed": True})
    found = [one["thread_id"] for one in await client.threads.search(metadata={"mark": mark})]
    assert found == [newer, older]
    by_change: Json = await client.threads.search(metadata={"mark": mark}, sort_by="updated_at")
    assert [one["thread_id"] for one in by_change] == [older, newer]


async def test_of_no_ids_no_thread_is_found(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    mark = fresh()
    await thread(client, metadata={"mark": mark})
    found = await http.post("/threads/search", json={"metadata": {"mark": mark}, "ids": []})
    assert found.json() == []


@pytest.mark.parametrize("name", ["metadata", "ttl"])
async def test_a_change_to_nothing(client: LangGraphClient, http: httpx.AsyncClient, name: str) -> None:
    path = f"/threads/{await thread(client)}"
    assert (await refused(http, "PATCH", path, json={name: None}))[0] == 422
