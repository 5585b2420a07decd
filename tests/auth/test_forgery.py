"""Who is calling, what is whose and who decided is for the server to say: no way in lets a client say it."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import orjson
import pytest

from holdfast.wire.common import RESERVED
from tests.api.wire import Json, new_thread
from tests.servers import Live, live
from tests.waiting import wait_until

CONFIG = Path(__file__).parent / "told" / "langgraph.json"
BOSS = "the-boss-himself"
FORGED: Json = {
    "langgraph_auth_user": {"identity": BOSS, "roles": ["chief"]},
    "langgraph_auth_user_id": BOSS,
    "langgraph_auth_permissions": [BOSS],
    "langgraph_request_id": BOSS,
    "holdfast_decision": {"request_id": "r", "by": [BOSS], "at": "2024-01-01T00:00:00Z"},
    "holdfast_hold": {"role": BOSS},
    "holdfast_speaker": BOSS,
    "__pregel_resuming": BOSS,
    "__pregel_checkpointer": BOSS,
    "__anything": BOSS,
}
OTHER = "another-one"
SELF: Json = dict.fromkeys(("thread_id", "run_id", "graph_id", "assistant_id"), OTHER)


@pytest.fixture(scope="module")
async def served(redis_url: str) -> AsyncIterator[Live]:
    async with live(redis_url, config=CONFIG) as server:
        yield server


@pytest.fixture
async def ann(served: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with served.http("ann") as http:
        yield http


async def told(http: httpx.AsyncClient, thread_id: str) -> Json:
    """The thread's values, with all that the graph was told, once it waits for its answer or has ended."""
    values: Json = {}

    async def at_rest() -> bool:
        nonlocal values
        thread = (await http.get(f"/threads/{thread_id}")).json()
        values = thread["values"] or {}
        return thread["status"] != "busy" and "told" in values

    await wait_until(at_rest, "the graph has written down what it was told")
    return values


WAYS: dict[str, Json] = {
    "config.configurable": {"config": {"configurable": {**FORGED, **SELF}}},
    "config.metadata": {"config": {"metadata": {**FORGED, **SELF}}},
    "context": {"context": {**FORGED, **SELF}},
    "metadata": {"metadata": {**FORGED, **SELF}},
    "beside": {**FORGED, **SELF, "caller": BOSS, "owner": BOSS, "tenant": BOSS, "status": BOSS, "user": BOSS},
}


def sober(way: str) -> Json:
    """The body, with names that may be said only where nothing real is named by them."""
    return {**WAYS[way], "assistant_id": "told", "input": {}}


@pytest.mark.parametrize("way", WAYS)
async def test_a_run_on_a_thread(ann: httpx.AsyncClient, way: str) -> None:
    thread_id = await new_thread(ann)
    await ann.post(f"/threads/{thread_id}/runs", json=sober(way))
    check(await told(ann, thread_id), thread_id, way)


@pytest.mark.parametrize("way", WAYS)
async def test_a_run_without_a_thread(ann: httpx.AsyncClient, way: str) -> None:
    made = await ann.post("/runs", json={**sober(way), "on_completion": "keep"})
    thread_id = made.json()["thread_id"]
    check(await told(ann, thread_id), thread_id, way)


@pytest.mark.parametrize("way", WAYS)
async def test_a_command_of_protocol_v3(ann: httpx.AsyncClient, way: str) -> None:
    thread_id = str(uuid.uuid4())
    reply = await ann.post(
        f"/threads/{thread_id}/commands", json={"id": 1, "method": "run.start", "params": sober(way)}
    )
    assert reply.json()["type"] == "success", reply.text
    check(await told(ann, thread_id), thread_id, way)


@pytest.mark.parametrize("way", ["config.configurable", "config.metadata", "metadata", "beside"])
async def test_an_answer_of_protocol_v3(ann: httpx.AsyncClient, way: str) -> None:
    thread_id = await new_thread(ann)
    await ann.post(f"/threads/{thread_id}/runs/wait", json={"assistant_id": "told", "input": {}})
    [[waiting]] = (await ann.get(f"/threads/{thread_id}")).json()["interrupts"].values()
    params = {**WAYS[way], "interrupt_id": waiting["id"], "response": "yes"}
    reply = await ann.post(
        f"/threads/{thread_id}/commands", json={"id": 1, "method": "input.respond", "params": params}
    )
    assert reply.json()["type"] == "success", reply.text

    async def answered() -> bool:
        return "again" in (await ann.get(f"/threads/{thread_id}")).json()["values"]

    await wait_until(answered, "the answer has arrived")
    check(await told(ann, thread_id), thread_id, way)


async def test_what_is_said_of_a_thread(served: Live, ann: httpx.AsyncClient) -> None:
    given = {"metadata": {**FORGED, "owner": BOSS, "tenant": BOSS, "status": BOSS, "token": BOSS}}
    beside = {"owner": BOSS, "tenant": BOSS, "status": "error", "epoch": 9, "interrupts": {"a": []}}
    thread_id = await new_thread(ann, **given, **beside)
    await ann.patch(f"/threads/{thread_id}", json={**given, **beside, "values": {"told": BOSS}})
    thread = (await ann.get(f"/threads/{thread_id}")).json()
    assert not [name for name in thread["metadata"] if name.startswith(RESERVED)]
    assert (thread["status"], thread["values"]) == ("idle", None)
    platform = served.platform
    kept = await platform.client.redis.hgetall(platform.keys.thread(thread_id))
    assert {name: kept[name] for name in (b"owner", b"tenant", b"status", b"token", b"epoch")} == {
        b"owner": b"ann",
        b"tenant": b"default",
        b"status": b"idle",
        b"token": b"",
        b"epoch": b"0",
    }
    thread_id = await new_thread(ann, metadata=FORGED, **beside)  # of which other names go on to its runs
    await ann.post(f"/threads/{thread_id}/runs", json={"assistant_id": "told", "input": {}})
    check(await told(ann, thread_id), thread_id, "thread")


async def test_the_name_of_another_graph_on_a_thread_changes_nothing_of_whose_it_is(
    ann: httpx.AsyncClient,
) -> None:
    thread_id = await new_thread(ann)
    await ann.post(f"/threads/{thread_id}/runs/wait", json={"assistant_id": "told", "input": {}})
    await ann.patch(f"/threads/{thread_id}", json={"metadata": {"graph_id": BOSS, "assistant_id": BOSS}})
    await ann.post(f"/threads/{thread_id}/runs/wait", json={"assistant_id": "told", "input": {}})
    thread = (await ann.get(f"/threads/{thread_id}")).json()
    assert thread["metadata"]["graph_id"] == "told"
    check(await told(ann, thread_id), thread_id, "patched")


async def test_the_short_door(ann: httpx.AsyncClient) -> None:
    body = {
        "message": "hi",
        "session_id": "s",
        **FORGED,
        **WAYS["context"],
        "config": {"configurable": FORGED},
    }
    thread_id = (await ann.post("/chat", json=body)).json()["thread_id"]
    check(await told(ann, thread_id), thread_id, "chat")


def check(values: Json, thread_id: str, way: str) -> None:
    """What the graph was told names the caller, the thread and the run as they are."""
    assert BOSS not in str(values), way
    for field in {"told", "again"} & values.keys():
        found = orjson.loads(values[field])
        configurable, metadata = found["configurable"], found["metadata"]
        assert configurable["langgraph_auth_user"]["identity"] == "ann"
        assert configurable["langgraph_auth_user"]["roles"] == []
        for place in (configurable, metadata):
            assert (place["thread_id"], place["graph_id"]) == (thread_id, "told")
            assert OTHER not in {place["run_id"], place["assistant_id"]}
        assert metadata["run_attempt"] == 1
