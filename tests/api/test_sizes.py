"""How large what is sent may be: up to the bound it arrives as it is, beyond it is refused in a sentence."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.api.protocols import command, finished, new_id
from tests.api.wire import Json, new_thread, refusal, streamed
from tests.servers import Live, live, said

MOST, LONGEST = 5, 1000
HUGE = "x" * 10_000_000
DEEP = "[" * 100_000 + "]" * 100_000


def message(text: Any = "hi") -> Json:
    return {"role": "user", "content": text}


TOO_MANY: list[Json] = [
    {"messages": [message()] * (MOST + 1)},
    [message()] * (MOST + 1),
    [["messages", [message()] * MOST], ["messages", "one more"]],
]
TOO_LONG: list[Json] = [
    {"messages": [message(), message("好" * (LONGEST + 1))]},
    {"messages": message("x" * (LONGEST + 1))},
    {"messages": "x" * (LONGEST + 1)},
    {"messages": [["user", "x" * (LONGEST + 1)]]},
    {"messages": [message([{"type": "text", "text": "x" * LONGEST}, "x"])]},
    [message("x" * (LONGEST + 1))],
]
TAKEN: list[Json] = [
    {"messages": [message("好" * LONGEST)] * MOST},
    {"messages": [message([{"type": "text", "text": "x" * LONGEST}])]},
    {"messages": message()},
    {"messages": []},
    {"messages": None},
    {},
    None,
]


@pytest.fixture
async def http(redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        live(redis_url, max_messages=MOST, max_message_chars=LONGEST) as server,
        server.http() as http,
    ):
        yield http


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        *((one, "An input may have 5 messages, and this one has 6.") for one in TOO_MANY),
        *((one, "A message may have 1000 characters, and one here has 1001.") for one in TOO_LONG),
    ],
)
async def test_an_input_that_is_too_much_is_refused(
    http: httpx.AsyncClient, given: Json, sentence: str
) -> None:
    thread_id, run = await new_thread(http, metadata={"graph_id": "echo"}), {"assistant_id": "echo"}
    for path, body in (
        (f"/threads/{thread_id}/runs", {**run, "input": given}),
        (f"/threads/{thread_id}/runs/stream", {**run, "command": {"update": given}}),
        ("/runs/wait", {**run, "input": given}),
        (f"/threads/{thread_id}/state", {"values": given}),
    ):
        assert refusal(await http.post(path, json=body)) == (413, sentence), path
    reply = await command(http, thread_id, "run.start", **run, input=given)
    assert (reply["error"], reply["message"]) == ("too_large", sentence)
    assert (await http.get(f"/threads/{thread_id}/runs")).json() == []


async def test_an_input_within_the_bounds_is_taken(http: httpx.AsyncClient) -> None:
    for given in TAKEN:
        answer = await http.post("/runs", json={"assistant_id": "whoami", "input": given})
        assert answer.status_code == 200, given


async def test_0_is_no_bound(redis_url: str) -> None:
    async with live(redis_url, max_messages=0, max_message_chars=0) as server, server.http() as http:
        for given in (*TOO_MANY[:2], *TOO_LONG):
            body = {"assistant_id": "whoami", "input": given}
            assert (await http.post("/runs", json=body)).status_code == 200


async def test_a_message_of_a_megabyte_arrives_as_it_is(server: Live) -> None:
    text = "好x" * 500_000
    async with server.http() as http:
        thread_id, run = (
            await new_thread(http),
            {"assistant_id": "echo", "input": {"messages": [message(text)]}},
        )
        modes = {"stream_mode": ["values", "messages-tuple"], "stream_resumable": True}
        events = await streamed(http, f"/threads/{thread_id}/runs/stream", **run, **modes)
        assert events[-1].data["messages"][-1]["content"] == f"echo: {text}"
        [spoken] = [event.data[0] for event in events if event.name == "messages"]
        assert spoken["content"] == f"echo: {text}"
        [made] = (await http.get(f"/threads/{thread_id}/runs")).json()
        again = await http.get(
            f"/threads/{thread_id}/runs/{made['run_id']}/stream", headers={"Last-Event-ID": "-1"}
        )
        assert again.text.count(f"echo: {text}") >= 2
        joined = (await http.get(f"/threads/{thread_id}/runs/{made['run_id']}/join")).json()
        assert joined["messages"][-1]["content"] == f"echo: {text}"
        _, watch = await finished(http, "echo", run["input"])
        assert watch.of("values")[-1]["messages"][-1]["content"] == f"echo: {text}"


async def test_what_no_door_takes(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        for path in (
            "/threads",
            "/threads/search",
            "/assistants/search",
            "/runs",
            "/runs/wait",
            "/runs/stream",
            "/chat",
            "/chat/stream",
            "/chat/async",
            f"/threads/{thread_id}/runs",
            f"/threads/{thread_id}/state",
            f"/threads/{thread_id}/history",
            f"/threads/{thread_id}/commands",
            f"/threads/{thread_id}/stream/events",
        ):
            status, _ = refusal(await http.post(path, content=f'{{"input":"{HUGE}"}}'))
            assert status == 413, path
            deep = refusal(await http.post(path, content=f'{{"input":{DEEP}}}'))
            assert deep == (422, "The JSON is nested too deep: 200 levels are taken."), path
        assert refusal(await http.patch(f"/threads/{thread_id}", content=DEEP))[0] == 422


LONG = "x" * 257
OTHERS: list[tuple[str, Json, str]] = [
    ("/threads/search", {"ids": [new_id()] * 1001}, "ids: List should have at most 1000 items"),
    ("/threads/count", {"ids": [new_id()] * 1001}, "ids: List should have at most 1000 items"),
    ("/threads/search", {"select": ["values"] * 101}, "select: List should have at most 100 items"),
    ("/assistants/search", {"graph_id": LONG}, "graph_id: String should have at most 256 characters"),
    ("/assistants/search", {"metadata": {LONG: 1}}, "metadata: a key may have 256 characters"),
    ("/threads", {"metadata": {f"k{n}": n for n in range(257)}}, "metadata: may have 256 keys, not 257"),
    ("/threads", {"metadata": {"a": "x" * 65_536}}, "metadata: may have 65536 bytes as JSON, not 65544"),
    ("/runs", {"assistant_id": LONG}, "assistant_id: String should have at most 256 characters"),
    ("/runs", {"assistant_id": "echo", "metadata": {"a": "x" * 65_536}}, "metadata: may have 65536 bytes"),
    (
        "/runs",
        {"assistant_id": "echo", "config": {"tags": ["x"] * 101}},
        "config.tags: List should have at most 100",
    ),
    (
        "/runs",
        {"assistant_id": "echo", "config": {"tags": [LONG]}},
        "config.tags.0: String should have at most 256",
    ),
    (
        "/runs",
        {"assistant_id": "echo", "stream_mode": ["values"] * 101},
        "stream_mode: List should have at most 100",
    ),
    ("/threads/T/state", {"as_node": LONG}, "as_node: String should have at most 256 characters"),
    ("/threads/T/state", {"checkpoint_id": LONG}, "checkpoint_id: String should have at most 256 characters"),
    (
        "/threads/T/state/checkpoint",
        {"checkpoint": {"checkpoint_ns": "x" * 4097}},
        "checkpoint.checkpoint_ns: String",
    ),
    ("/threads/T/history", {"metadata": {LONG: 1}}, "metadata: a key may have 256 characters"),
]


async def test_names_lists_and_metadata(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
        for path, body, sentence in OTHERS:
            status, said_so = refusal(await http.post(path.replace("T", thread_id), json=body))
            assert (status, said_so[: len(sentence)]) == (422, sentence)
        channels = await http.post(f"/threads/{thread_id}/stream/events", json={"channels": ["values"] * 101})
        assert refusal(channels) == (
            400,
            "channels: List should have at most 100 items after validation, not 101",
        )
        reply = await command(http, thread_id, "run.start", assistant_id=LONG)
        assert reply["error"] == "invalid_argument"
        for body in ({"ids": [thread_id] * 1000}, {"metadata": {f"k{n}": n for n in range(256)}}):
            assert (await http.post("/threads/search", json=body)).status_code == 200


async def test_metadata_cannot_grow_without_end(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http, metadata={f"k{n}": n for n in range(200)})
        path = f"/threads/{thread_id}"
        more = {"metadata": {f"more{n}": n for n in range(100)}}
        assert refusal(await http.patch(path, json=more)) == (422, "metadata: may have 256 keys, not 300")
        assert (await http.patch(path, json={"metadata": {"k0": "x" * 60_000}})).status_code == 200
        large = {"metadata": {"k1": "x" * 10_000}}
        assert refusal(await http.patch(path, json=large))[0] == 422
        assert (await http.get(path)).json()["metadata"]["k1"] == 1


async def test_a_run_of_a_thread_takes_1_000_messages(server: Live) -> None:
    async with server.http() as http:
        given = {"assistant_id": "echo", "input": {"messages": [message(str(n)) for n in range(1000)]}}
        values = (await http.post("/runs/wait", json=given)).json()
        assert len(values["messages"]) == 1001
        given["input"] = {"messages": [*said("hi")["messages"]] * 1001}
        assert refusal(await http.post("/runs/wait", json=given))[0] == 413
