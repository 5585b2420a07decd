"""What a thread weighs, table by table and channel by channel."""

import random
import string
from typing import Any

from tests.api.test_stateless_foreign import FOREIGN, stack_url
from tests.api.wire import Json, new_thread, refusal
from tests.servers import Live, live, said

__all__ = ["stack_url"]

TABLES = {
    "thread",
    "runs",
    "run_order",
    "queue",
    "events",
    "checkpoints",
    "checkpoint_index",
    "approvals",
    "letters",
}
LONG = "".join(random.Random(7).choices(string.printable[:94], k=10_000))  # of little use to compress


async def weight(server: Live, thread_id: str) -> Json:
    async with server.http() as http:
        return (await http.get(f"/threads/{thread_id}/storage")).json()


async def test_a_new_thread_weighs_its_record(server: Live) -> None:
    async with server.http() as http:
        thread_id = await new_thread(http)
    found = await weight(server, thread_id)
    assert set(found["tables"]) == TABLES
    assert [table for table, size in found["tables"].items() if size] == ["thread"]
    assert found["bytes"] == found["tables"]["thread"] > 100
    assert (found["checkpoints"], found["channels"]) == ({"bytes": 0, "count": 0}, {})


async def test_a_message_is_counted_once_however_many_checkpoints_hold_it(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(thread_id, "echo", input=said(LONG))
    first = await weight(server, thread_id)
    for _ in range(4):
        await sdk.runs.wait(thread_id, "echo", input=said("hi"))
    found = await weight(server, thread_id)
    messages = found["channels"]["messages"]
    assert found["checkpoints"]["count"] == 15, "three of each run"
    assert messages["versions"] == 10, "the question, the answer, five times"
    assert 10 <= messages["elements"] <= 15
    # The question and the answer, each as it was said and as the state holds it: with an id.
    assert 2 * len(LONG) < messages["bytes"] < 5 * len(LONG)
    assert messages["bytes"] - first["channels"]["messages"]["bytes"] < len(LONG)
    assert next(iter(found["channels"])) in ("messages", "__start__"), "the heaviest first"


async def test_what_is_counted_is_all_there_is(server: Live) -> None:
    """Tables are measured by Redis, the rest adds up to the names and values in the checkpoints' key."""
    sdk = server.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    asked: Json = {"questions": ["a", "b"], **said(LONG)}
    await sdk.runs.wait(thread_id, "approve", input=asked)
    found = await weight(server, thread_id)
    key = server.platform.keys.checkpoints(thread_id)
    stored: Any = await server.platform.client.call("HGETALL", key)
    parts = [found["checkpoints"], found["unused"], *found["channels"].values()]
    held = sum(len(name) + len(value) for name, value in stored.items())
    assert sum(part["bytes"] for part in parts) == held
    assert found["channels"]["__interrupt__"]["writes"] == 2, "two tasks have asked"
    assert held < found["tables"]["checkpoints"] < 1.3 * held, "looked at, not estimated"
    assert found["bytes"] == sum(found["tables"].values())


async def test_the_weight_of_a_thread_is_its_owners_to_know(server: Live) -> None:
    async with server.http("ann") as ann, server.http("bob") as bob:
        thread_id = await new_thread(ann)
        assert (await ann.get(f"/threads/{thread_id}/storage")).status_code == 200
        assert refusal(await bob.get(f"/threads/{thread_id}/storage"))[0] == 404
        assert refusal(await ann.get("/threads/nonsense/storage"))[0] == 422


async def test_what_another_checkpointer_keeps_is_not_counted(stack_url: str) -> None:
    async with live(stack_url, **FOREIGN) as server:
        sdk = server.sdk()
        thread_id = (await sdk.threads.create())["thread_id"]
        await sdk.runs.wait(thread_id, "echo", input=said("hi"))
        found = await weight(server, thread_id)
        assert found["checkpointer"] == "langgraph-checkpoint-redis"
        assert not {"channels", "checkpoints", "unused"} & set(found)
        assert found["tables"]["runs"] > 0
