"""Threads whose older checkpoints go when their time is up, and which stay."""

from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient

from holdfast.core import timers
from holdfast.core.threads import PRUNE
from holdfast.errors import StartError
from holdfast.lifetimes import read_ttl
from holdfast.redis.timers import clock_ms, due_ms
from tests.api.test_histories import LOG, ONE, checkpoints, copy
from tests.api.wire import Json, has_status
from tests.servers import Live, said

HOUR: Any = {"ttl": 60, "strategy": "keep_latest"}
HOUR_MS = 3_600_000


async def ring(server: Live) -> int:
    """What the clock does in an hour."""
    now_ms = await clock_ms(server.platform.client) + HOUR_MS
    return await timers.ring(server.platform, 0, 100, now_ms=now_ms)


async def waits(server: Live, thread_id: str) -> bool:
    """Whether the thread's time has begun."""
    return bool(await due_ms(server.platform.client, server.platform.keys, 0, PRUNE, thread_id))


async def ttl_of(sdk: LangGraphClient, thread_id: str) -> Json:
    told: Json = await sdk.threads.get(thread_id, include=["ttl"])
    return told["ttl"]


async def test_in_the_end_a_thread_has_its_latest_checkpoint_only(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create(ttl=HOUR))["thread_id"]
    assert await ttl_of(sdk, thread_id) == {"strategy": "keep_latest", "ttl_minutes": 60, "expires_at": None}
    await sdk.runs.wait(thread_id, "echo", input=said("one"))
    before: Json = await sdk.threads.get(thread_id)
    assert (await ttl_of(sdk, thread_id))["expires_at"] > before["updated_at"]
    assert await server.platform.client.call("TTL", server.platform.keys.checkpoints(thread_id)) == -1
    newest, *older = await checkpoints(sdk, thread_id)
    assert older
    assert await ring(server) == 1
    assert await checkpoints(sdk, thread_id) == [newest]
    assert await sdk.threads.get(thread_id) == before
    assert await ttl_of(sdk, thread_id) == {"strategy": "keep_latest", "ttl_minutes": 60, "expires_at": None}
    values: Json = await sdk.runs.wait(thread_id, "echo", input=said("two"))
    assert [message["content"] for message in values["messages"]] == ["one", "echo: one", "two", "echo: two"]
    assert await waits(server, thread_id), "it begins anew with each run"


async def test_what_waits_on_the_thread_can_be_answered_after_it(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create(ttl=HOUR))["thread_id"]
    await sdk.runs.wait(thread_id, "ask", input=LOG)
    assert await ring(server) == 1
    assert len(await checkpoints(sdk, thread_id)) == 1
    values: Json = await sdk.runs.wait(thread_id, "ask", command={"resume": "yes"})
    assert values["log"] == ["x", "did yes"]


async def test_it_does_not_begin_while_something_holds_the_thread(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create(ttl=HOUR))["thread_id"]
    await sdk.runs.wait(thread_id, "approve", input=ONE)
    assert not await waits(server, thread_id), "an approval waits"
    other = (await sdk.threads.create(ttl=HOUR))["thread_id"]
    await sdk.runs.wait(other, "steps", input={"delay": 0})
    assert await waits(server, other)
    run = await sdk.runs.create(other, "steps", input={"delay": 30})
    await has_status(sdk, other, run["run_id"], "running")
    kept = len(await checkpoints(sdk, other))
    assert (await ttl_of(sdk, other))["expires_at"] is None
    assert await ring(server) == 1
    assert len(await checkpoints(sdk, other)) >= kept
    await sdk.runs.cancel(other, run["run_id"], wait=True)
    assert await waits(server, other)
    await sdk.threads.update(other, metadata={}, ttl=10)
    assert not await waits(server, other), "now it goes as a whole"
    assert 0 < await server.platform.client.call("TTL", server.platform.keys.thread(other)) <= 600
    await sdk.threads.update(other, metadata={}, ttl=HOUR)
    assert await waits(server, other)
    assert await server.platform.client.call("TTL", server.platform.keys.thread(other)) == -1


async def test_a_copy_is_kept_as_its_thread_is(server: Live) -> None:
    sdk = server.sdk()
    thread_id = (await sdk.threads.create(ttl=HOUR))["thread_id"]
    await sdk.runs.wait(thread_id, "echo", input=said("one"))
    copied = await copy(sdk, thread_id)
    assert await waits(server, copied["thread_id"])
    await sdk.threads.delete(thread_id)
    assert not await waits(server, thread_id)


@pytest.mark.parametrize(
    ("ttl", "minutes"),
    [
        ({}, None),
        ({"default_ttl": 5}, 5),
        ({"default_ttl": 5, "strategy": "delete"}, 5),
        ({"default_ttl": 5, "strategy": "keep_latest"}, -5),
        ({"strategy": "keep_latest"}, None),
    ],
)
def test_a_project_says_it_for_all_its_threads(ttl: Json, minutes: float | None) -> None:
    assert read_ttl(Path("langgraph.json"), {"checkpointer": {"ttl": ttl}}) == minutes


def test_a_strategy_that_is_none_is_refused() -> None:
    with pytest.raises(StartError, match='"strategy" must be "delete" or "keep_latest", not \'keep\''):
        read_ttl(Path("langgraph.json"), {"checkpointer": {"ttl": {"default_ttl": 5, "strategy": "keep"}}})
