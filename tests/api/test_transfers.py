"""A thread taken out and put in again: exactly, under any id, prefix and number of lanes."""

import copy
import uuid
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from holdfast.core import transfers
from holdfast.errors import Conflict, Invalid, ThreadExists, ThreadNotFound
from holdfast.redis.transfers import read_contents, write_contents
from tests.api.test_stateless_foreign import FOREIGN, stack_url
from tests.api.wire import Json, has_logged, has_status
from tests.servers import Live, live, said

__all__ = ["stack_url"]

APPROVE = {"type": "approve"}


@pytest.fixture
async def elsewhere(redis_url: str) -> AsyncIterator[Live]:
    """Another installation: its own prefix and number of lanes."""
    async with live(redis_url, lanes=5) as other:
        yield other


async def talked(server: Live, subject: str = "ann") -> str:
    """A thread with some history, metadata, a failed run and requests of which one was decided."""
    sdk = server.sdk(subject)
    metadata: Json = {"topic": "tea ☕", "": {"deep": [1, 2.5, None]}}
    thread_id = (await sdk.threads.create(metadata=metadata, ttl=90))["thread_id"]
    for text in ("hi", "héllo\x00 \U0001f375", "x" * 5000):
        await sdk.runs.wait(thread_id, "echo", input=said(text))
    await sdk.runs.wait(thread_id, "fail", input={}, raise_error=False)
    asked: Json = {"questions": ["a", "b"]}
    await sdk.runs.wait(thread_id, "approve", input=asked)
    state: Json = await sdk.threads.get_state(thread_id)
    answer: Json = {"resume": {state["interrupts"][0]["id"]: APPROVE}}
    await sdk.runs.wait(thread_id, "approve", command=answer)
    return thread_id


async def seen(server: Live, thread_id: str, subject: str = "ann") -> list[Json]:
    """All that a client can see of a thread."""
    sdk = server.sdk(subject)
    shown = [
        await sdk.threads.get(thread_id),
        await sdk.threads.get_state(thread_id, subgraphs=True),
        await sdk.threads.get_history(thread_id, limit=100),
        await sdk.runs.list(thread_id),
    ]
    text = orjson.dumps(shown).decode().replace(thread_id, "the thread")
    found: list[Json] = orjson.loads(text)
    return found


async def raw(server: Live, thread_id: str) -> list[Any]:
    """What Redis holds of a thread's runs and checkpoints."""
    client, keys = server.platform.client, server.platform.keys
    return [
        await client.call("HGETALL", keys.runs(thread_id)),
        await client.call("ZRANGE", keys.run_order(thread_id), 0, -1, "WITHSCORES"),
        await client.call("HGETALL", keys.checkpoints(thread_id)),
        await client.call("ZRANGE", keys.checkpoint_index(thread_id), 0, -1, "WITHSCORES"),
        await client.call("SISMEMBER", keys.registry(keys.lane(thread_id)), thread_id),
    ]


async def moved(source: Live, target: Live, thread_id: str, new_id: str | None = None) -> str:
    """Through a file, as text."""
    text = orjson.dumps(await transfers.export(source.platform, thread_id))
    return (await transfers.restore(target.platform, orjson.loads(text), new_id)).thread_id


async def test_a_thread_is_the_same_in_another_installation(server: Live, elsewhere: Live) -> None:
    thread_id = await talked(server)
    before = await seen(server, thread_id)
    assert await moved(server, elsewhere, thread_id) == thread_id
    assert await seen(elsewhere, thread_id) == before
    assert await raw(server, thread_id) == await raw(elsewhere, thread_id)
    out = [await transfers.export(one.platform, thread_id) for one in (server, elsewhere)]
    assert {**out[0], "exported_at": ""} == {**out[1], "exported_at": ""}


async def test_it_goes_on_where_it_was(server: Live, elsewhere: Live) -> None:
    thread_id = await talked(server)
    await moved(server, elsewhere, thread_id)
    sdk = elsewhere.sdk("ann")
    state: Json = await sdk.threads.get_state(thread_id)
    [waiting] = state["interrupts"]
    answer: Json = {"resume": {waiting["id"]: APPROVE}}
    values: Json = await sdk.runs.wait(thread_id, "approve", command=answer)
    assert set(values["answers"]) == {"a", "b"}
    assert [thread["thread_id"] for thread in await sdk.threads.search()] == [thread_id]
    assert await elsewhere.sdk("bob").threads.search() == []
    await sdk.threads.delete(thread_id)


async def test_a_thread_may_get_another_id(server: Live) -> None:
    thread_id, new_id = await talked(server), str(uuid.uuid4())
    assert await moved(server, server, thread_id, new_id) == new_id
    before, after = await seen(server, thread_id), await seen(server, new_id)
    # What LangGraph has noted in checkpoints is the id under which they were made, as in a copied thread.
    assert orjson.loads(orjson.dumps(after).decode().replace(thread_id, "the thread")) == before
    runs, *_ = await raw(server, new_id)
    requests = [orjson.loads(value) for field, value in runs.items() if b":" not in field]
    assert {request["thread_id"] for request in requests} == {new_id}
    sdk = server.sdk("ann")
    await sdk.runs.wait(new_id, "echo", input=said("on and on"))
    assert await seen(server, thread_id) == before


async def test_it_expires_as_it_would_have(server: Live) -> None:
    sdk, client, keys = server.sdk("ann"), server.platform.client, server.platform.keys
    short: Json = await sdk.threads.create(ttl=10)
    await sdk.runs.wait(short["thread_id"], "echo", input=said("hi"))
    waiting = await talked(server)
    for thread_id, longest, count in ((short["thread_id"], range(1, 601), 5), (waiting, (-1,), 6)):
        new_id = await moved(server, server, thread_id, str(uuid.uuid4()))
        kept = [key async for key in client.redis.scan_iter(match=f"{keys.prefix}:*{new_id}*")]
        assert len(kept) == count, "with the request that waits, where there is one"
        assert all([await client.redis.ttl(key) in longest for key in kept])


async def test_an_id_that_is_taken_is_refused_and_stays_as_it_is(server: Live) -> None:
    thread_id = await talked(server)
    document = await transfers.export(server.platform, thread_id)
    sdk = server.sdk("ann")
    await sdk.runs.wait(thread_id, "echo", input=said("meanwhile"))
    before = await seen(server, thread_id)
    with pytest.raises(ThreadExists):
        await transfers.restore(server.platform, document)
    assert await seen(server, thread_id) == before


async def test_an_import_whose_reply_was_lost_is_no_other_thread(server: Live) -> None:
    platform, new_id = server.platform, str(uuid.uuid4())
    contents = await read_contents(platform.client, platform.keys, await talked(server))
    call = platform.client.call

    async def twice(*command: Any) -> Any:
        await call(*command)
        return await call(*command)

    platform.client.call = twice  # type: ignore[method-assign, assignment]
    try:
        assert await write_contents(platform.client, platform.keys, new_id, contents, ttl_s=60)
    finally:
        del platform.client.call


async def test_what_runs_is_taken_out_as_it_is_and_put_in_at_rest(server: Live, elsewhere: Live) -> None:
    sdk = server.sdk("ann")
    thread_id = (await sdk.threads.create())["thread_id"]
    running = await sdk.runs.create(thread_id, "steps", input={"delay": 0.5})
    await sdk.runs.create(thread_id, "echo", input=said("later"))
    await sdk.runs.create(thread_id, "echo", input=said("much later"), after_seconds=3600)
    await has_logged(sdk, thread_id, 1)
    await has_status(sdk, thread_id, running["run_id"], "running")
    await moved(server, elsewhere, thread_id)
    other, platform = elsewhere.sdk("ann"), elsewhere.platform
    assert [run["status"] for run in await other.runs.list(thread_id)] == ["interrupted"] * 3
    fields = await platform.client.call("HKEYS", platform.keys.runs(thread_id))
    assert not [field for field in fields if field.endswith(b":caller")], "no run counts that has not begun"
    assert (await other.threads.get(thread_id))["status"] == "idle"
    state: Json = await other.threads.get_state(thread_id)
    assert state["values"]["log"] == ["step 0"]
    again: Json = await other.runs.wait(thread_id, "echo", input=said("hi"))
    assert again["messages"][-1]["content"] == "echo: hi"


async def test_it_may_take_the_id_of_a_thread_that_went_with_its_run(server: Live) -> None:
    asked = {"assistant_id": "echo", "input": said("hi")}
    async with server.http("ann") as http, server.http("bob") as other:
        ran = await other.post("/runs/wait", json=asked)
        thread_id = ran.headers["content-location"].split("/")[2]
        await moved(server, server, await talked(server), thread_id)
        assert await server.platform.client.call("EXISTS", server.platform.keys.events(thread_id)) == 0
        again = await http.post(f"/threads/{thread_id}/runs/wait", json=asked)
        assert again.json()["messages"][-1]["content"] == "echo: hi"


async def test_a_large_thread_goes_in_one_piece(server: Live) -> None:
    platform, new_id = server.platform, str(uuid.uuid4())
    contents = await read_contents(platform.client, platform.keys, await talked(server))
    many = {b"c\0\0%08d" % n: b"x" * 100 for n in range(30_000)}
    large = contents._replace(checkpoints=contents.checkpoints | many)
    assert await write_contents(platform.client, platform.keys, new_id, large, ttl_s=60)
    assert (await read_contents(platform.client, platform.keys, new_id)).checkpoints == large.checkpoints


BROKEN: list[tuple[str, Any]] = [
    ("", None),
    ("", []),
    ("", "text"),
    ("format", "zip"),
    ("version", 2),
    ("version", "1"),
    ("thread_id", "nonsense"),
    ("record", {}),
    ("record", {"owner": 5}),
    ("record", {"owner": "ann"}),
    ("runs", {"x": "not json"}),
    ("runs", {"x": "[]"}),
    ("runs", None),
    ("checkpoints", {"Yw==": "***"}),
    ("more", "fields"),
]


@pytest.mark.parametrize(("field", "value"), BROKEN, ids=str)
async def test_what_is_no_exported_thread_is_refused(server: Live, field: str, value: Any) -> None:
    document = await transfers.export(server.platform, await talked(server))
    broken = copy.deepcopy(document) | {field: value} if field else value
    with pytest.raises(Invalid, match="no exported thread"):
        await transfers.restore(server.platform, broken, str(uuid.uuid4()))


async def test_a_thread_that_is_not_there(server: Live) -> None:
    with pytest.raises(ThreadNotFound):
        await transfers.export(server.platform, str(uuid.uuid4()))


async def test_what_another_checkpointer_keeps_cannot_be_taken_out(stack_url: str) -> None:
    async with live(stack_url, **FOREIGN) as server:
        thread_id = (await server.sdk().threads.create())["thread_id"]
        with pytest.raises(Conflict, match="langgraph-checkpoint-redis"):
            await transfers.export(server.platform, thread_id)
        with pytest.raises(Conflict, match="langgraph-checkpoint-redis"):
            await transfers.restore(server.platform, {})
