"""What a run says while it works: each mode, its order, and how it is taken up again."""

from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.contract.asking import Json, asked, events, fresh, human, thread


def named(found: list[Json]) -> list[str]:
    return [name for name, _ in found]


def of(found: list[Json], wanted: str) -> list[Json]:
    return [data for name, data in found if name == wanted]


async def test_the_first_event_names_the_run(client: LangGraphClient) -> None:
    found = await events(client, await thread(client), "echo", input=human("hi"), stream_mode="values")
    assert named(found)[0] == "metadata"
    assert {"run_id", "attempt"} <= found[0][1].keys()


async def test_the_order_of_several_modes(client: LangGraphClient) -> None:
    found = await events(
        client,
        await thread(client),
        "steps",
        input={"topic": "x"},
        stream_mode=["values", "updates", "custom"],
    )
    step = ["custom", "updates", "values"]
    assert named(found) == ["metadata", "values", *step * 3]


@pytest.mark.parametrize(
    ("mode", "names"),
    [
        ("values", {"values"}),
        ("updates", {"updates"}),
        ("custom", {"custom"}),
        ("messages-tuple", {"messages"}),
        ("messages", {"messages/metadata", "messages/complete"}),
        ("tasks", {"tasks"}),
        ("checkpoints", {"checkpoints"}),
        ("debug", {"debug"}),
        ("events", {"events"}),
    ],
)
async def test_a_mode_and_its_events(client: LangGraphClient, mode: Any, names: set[str]) -> None:
    graph = "echo" if mode.startswith("messages") else "steps"
    found = await events(client, await thread(client), graph, input=human("hi"), stream_mode=mode)
    assert set(named(found)) - {"metadata"} == names


async def test_values(client: LangGraphClient) -> None:
    found = await events(client, await thread(client), "steps", input={"topic": "x"}, stream_mode="values")
    assert [values.get("said", []) for values in of(found, "values")] == [
        [],
        ["one"],
        ["one", "two"],
        ["one", "two", "three"],
    ]


async def test_updates(client: LangGraphClient) -> None:
    found = await events(client, await thread(client), "steps", input={"topic": "x"}, stream_mode="updates")
    assert of(found, "updates") == [{name: {"said": [name]}} for name in ("one", "two", "three")]


async def test_custom(client: LangGraphClient) -> None:
    found = await events(client, await thread(client), "steps", input={"topic": "x"}, stream_mode="custom")
    assert of(found, "custom") == [{"in": name} for name in ("one", "two", "three")]


async def test_tasks(client: LangGraphClient) -> None:
    found = await events(client, await thread(client), "steps", input={"topic": "x"}, stream_mode="tasks")
    tasks = of(found, "tasks")
    assert [task["name"] for task in tasks] == [
        name for one in ("one", "two", "three") for name in (one, one)
    ]
    assert {"id", "name", "input", "triggers"} <= tasks[0].keys()
    assert {"id", "name", "error", "result", "interrupts"} <= tasks[1].keys()
    assert tasks[0]["id"] == tasks[1]["id"]


async def test_checkpoints(client: LangGraphClient) -> None:
    found = await events(
        client, await thread(client), "steps", input={"topic": "x"}, stream_mode="checkpoints"
    )
    checkpoints = of(found, "checkpoints")
    assert [one["next"] for one in checkpoints][-2:] == [["three"], []]
    assert {"config", "parent_config", "values", "metadata", "next", "tasks"} <= checkpoints[0].keys()


async def test_debug(client: LangGraphClient) -> None:
    found = await events(client, await thread(client), "steps", input={"topic": "x"}, stream_mode="debug")
    kinds = [one["type"] for one in of(found, "debug")]
    assert set(kinds) == {"checkpoint", "task", "task_result"}
    assert {"step", "timestamp", "type", "payload"} <= of(found, "debug")[0].keys()


async def test_messages_and_what_they_are_about(client: LangGraphClient) -> None:
    found = await events(
        client, await thread(client), "echo", input=human("hi"), stream_mode="messages-tuple"
    )
    [[message, about]] = [
        pair for pair in of(found, "messages") if pair[0]["type"] in ("ai", "AIMessageChunk")
    ]
    assert message["content"] == "you said hi"
    assert about["langgraph_node"] == "answer"
    assert {"thread_id", "run_id", "langgraph_step"} <= about.keys()


@pytest.mark.parametrize("mode", ["values", "updates"])
async def test_a_pause_is_told(client: LangGraphClient, mode: Any) -> None:
    found = await events(client, await thread(client), "ask", input={}, stream_mode=mode)
    [waiting] = of(found, mode)[-1]["__interrupt__"]
    assert waiting["value"] == {"question": "which one?"}
    assert waiting["id"]


async def test_an_answer_is_streamed(client: LangGraphClient) -> None:
    thread_id, _ = await asked(client)
    found = await events(client, thread_id, "ask", command={"resume": "yes"}, stream_mode="updates")
    assert of(found, "updates") == [{"ask": {"said": ["answered yes"]}}]


async def test_a_failure_is_the_last_event(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    body = {"assistant_id": "fail", "input": {}, "stream_mode": "values"}
    response = await http.post(f"/threads/{await thread(client)}/runs/stream", json=body)
    assert response.status_code == 200
    last = response.text.strip().split("\r\n\r\n")[-1].split("\r\n")
    assert last[0] == "event: error"
    assert '"error":"ValueError"' in last[1].replace(" ", "")
    assert "boom" in last[1]


async def test_a_graph_within(client: LangGraphClient) -> None:
    found = await events(
        client, await thread(client), "outer", input={}, stream_mode="updates", stream_subgraphs=True
    )
    within = [name for name in named(found) if name.startswith("updates|inner:")]
    assert len(within) == 3
    assert {"updates", "metadata"} < set(named(found))


async def test_a_graph_within_that_is_not_asked_for(client: LangGraphClient) -> None:
    found = await events(client, await thread(client), "outer", input={}, stream_mode="updates")
    assert set(named(found)) == {"metadata", "updates"}


async def test_the_headers_of_a_stream(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    thread_id = await thread(client)
    response = await http.post(
        f"/threads/{thread_id}/runs/stream", json={"assistant_id": "echo", "input": human("hi")}
    )
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-accel-buffering"] == "no"
    run = response.headers["content-location"]
    assert run.startswith(f"/threads/{thread_id}/runs/")
    assert response.headers["location"] == f"{run}/stream"


async def test_a_stream_without_a_thread(client: LangGraphClient) -> None:
    found = await events(client, None, "echo", input=human("hi"), stream_mode="values")
    assert of(found, "values")[-1]["messages"][-1]["content"] == "you said hi"


# taken up again


async def resumable(client: LangGraphClient, http: httpx.AsyncClient) -> tuple[str, list[tuple[str, str]]]:
    """The path of a stream that may be taken up, and its events: `(id, the rest)`."""
    body = {
        "assistant_id": "steps",
        "input": {"topic": "x"},
        "stream_mode": ["values", "updates", "custom"],
        "stream_resumable": True,
    }
    response = await http.post(f"/threads/{await thread(client)}/runs/stream", json=body)
    return response.headers["location"], parts(response.text)


def parts(text: str) -> list[tuple[str, str]]:
    found = []
    for block in text.strip().split("\r\n\r\n"):
        lines = [line for line in block.split("\r\n") if not line.startswith(":")]
        ids = [line[4:] for line in lines if line.startswith("id: ")]
        if lines and any(lines):
            found.append(
                (ids[0] if ids else "", "\n".join(line for line in lines if not line.startswith("id: ")))
            )
    return found


async def test_each_event_has_an_id(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    _, sent = await resumable(client, http)
    ids = [id for id, _ in sent]
    assert all(ids)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("begin", ["-1", "0"])
async def test_all_of_it_again(client: LangGraphClient, http: httpx.AsyncClient, begin: str) -> None:
    path, sent = await resumable(client, http)
    again = await http.get(path, headers={"Last-Event-ID": begin})
    assert parts(again.text) == sent


@pytest.mark.parametrize("place", range(11))
async def test_what_came_after(client: LangGraphClient, http: httpx.AsyncClient, place: int) -> None:
    path, sent = await resumable(client, http)
    assert len(sent) == 11
    again = await http.get(path, headers={"Last-Event-ID": sent[place][0]})
    assert parts(again.text) == sent[place + 1 :]


@pytest.mark.parametrize("begin", [None, "garbage", "1-2-3", "x" * 500, "9" * 30])
async def test_nothing_of_it(client: LangGraphClient, http: httpx.AsyncClient, begin: str | None) -> None:
    path, _ = await resumable(client, http)
    again = await http.get(path, headers={} if begin is None else {"Last-Event-ID": begin})
    assert (again.status_code, parts(again.text)) == (200, [])


async def test_an_id_of_another_run(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    path, _ = await resumable(client, http)
    _, others = await resumable(client, http)
    again = await http.get(path, headers={"Last-Event-ID": others[-1][0]})
    assert parts(again.text) == []


async def test_a_stream_that_may_not_be_taken_up(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    body = {"assistant_id": "echo", "input": human("hi"), "stream_mode": "values"}
    response = await http.post(f"/threads/{await thread(client)}/runs/stream", json=body)
    assert all(not id for id, _ in parts(response.text))
    again = await http.get(response.headers["location"], headers={"Last-Event-ID": "-1"})
    assert parts(again.text) == []


@pytest.mark.parametrize("mode", ["values", "updates", "custom"])
async def test_a_run_is_joined(client: LangGraphClient, mode: Any) -> None:
    thread_id = await thread(client)
    run = await client.runs.create(
        thread_id, "steps", input={}, stream_mode=["values", "updates", "custom"], stream_resumable=True
    )
    await client.runs.join(thread_id, run["run_id"])
    found = [
        (part.event, part.data)
        async for part in client.runs.join_stream(
            thread_id, run["run_id"], stream_mode=mode, last_event_id="-1"
        )
    ]
    assert set(named(found)) - {"metadata"} == {mode}


async def test_a_thread_is_followed(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    thread_id = await thread(client)
    async with http.stream("GET", f"/threads/{thread_id}/stream") as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        run = await client.runs.create(thread_id, "steps", input={"topic": "x"}, stream_mode="updates")
        seen = []
        async for line in response.aiter_lines():
            seen.append(line)
            if "run_done" in line:
                break
    assert run["run_id"] in seen[-1]
    assert sum(line == "event: updates" for line in seen) == 3


async def test_a_thread_that_is_not_there_cannot_be_followed(http: httpx.AsyncClient) -> None:
    async with http.stream("GET", f"/threads/{fresh()}/stream") as response:
        assert response.status_code == 404
