"""A connection that is cut anywhere, a client that is killed anywhere: the old checkpoint or the new one."""

import asyncio
import math
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from holdfast.checkpoint import RedisSaver
from holdfast.errors import Unavailable
from holdfast.redis.client import Client, connect
from holdfast.redis.keys import Keys
from tests.checkpoint.samples import at, put
from tests.faults.proxy import DOWN, UP, Proxy, proxied
from tests.servers import ROOT, clean_environment
from tests.waiting import wait_until

OLD = {"messages": [{"text": letter * 40} for letter in "ab"], "n": 1}
NEW = {"messages": [{"text": letter * 40} for letter in "abc"], "n": 2}
ONCE = Retry(NoBackoff(), 0)


@pytest.fixture
async def proxy(url: str) -> AsyncIterator[Proxy]:
    path = url.removeprefix("unix://")
    async with proxied(lambda: asyncio.open_unix_connection(path)) as proxy:
        yield proxy


async def put_new(saver: RedisSaver, parent: RunnableConfig) -> None:
    await put(saver, parent, NEW, version="2")


async def write_new(saver: RedisSaver, parent: RunnableConfig) -> None:
    await saver.aput_writes(parent, [("messages", NEW["messages"]), ("n", 2)], "task")


async def seen(saver: RedisSaver, thread_id: str) -> tuple[int, dict[str, Any], list[Any]]:
    """How many checkpoints there are, what the newest holds and which writes; get and list must agree."""
    found = await saver.aget_tuple(at(thread_id))
    listed = [each async for each in saver.alist(at(thread_id))]
    assert found is not None
    assert listed[0] == found
    return len(listed), found.checkpoint["channel_values"], found.pending_writes or []


WRITES = [("task", "messages", NEW["messages"]), ("task", "n", 2)]
CALLS = {"put": (put_new, (2, NEW, [])), "put_writes": (write_new, (1, OLD, WRITES))}
Call = Callable[[RedisSaver, RunnableConfig], Awaitable[None]]


@pytest.mark.parametrize(("call", "after"), CALLS.values(), ids=CALLS)
async def test_cut_at_every_byte_it_is_the_old_one_or_the_new(
    saver: RedisSaver, keys: Keys, proxy: Proxy, call: Call, after: object
) -> None:
    async with connect(proxy.url, retry=ONCE) as client:
        parent = await put(saver, at("t0"), OLD)
        await call(RedisSaver(client, keys), parent)  # loads the script
        proxy.passed = {UP: 0, DOWN: 0}
        parent = await put(saver, at("t1"), OLD)
        await call(RedisSaver(client, keys), parent)
        length = dict(proxy.passed)
        parent = await put(saver, at("t2"), OLD)
        before: object = (1, OLD, [])
        for allowed in range(length[UP]):
            proxy.left[UP] = allowed
            with pytest.raises(Unavailable):
                await call(RedisSaver(client, keys), parent)
            assert await seen(saver, "t2") == before
        proxy.left[UP] = math.inf
        for allowed in range(length[DOWN]):
            parent = await put(saver, at(f"d{allowed}"), OLD)
            proxy.left[DOWN] = allowed
            with pytest.raises(Unavailable):
                await call(RedisSaver(client, keys), parent)
            assert await seen(saver, f"d{allowed}") == after


@pytest.mark.parametrize("way", [UP, DOWN])
@pytest.mark.parametrize(("call", "after"), CALLS.values(), ids=CALLS)
async def test_what_was_cut_is_sent_again_and_stored_once(
    saver: RedisSaver, keys: Keys, proxy: Proxy, call: Call, after: object, way: str
) -> None:
    class Once(dict[str, float]):
        """What is left of a way, once; then it is open again."""

        def __setitem__(self, key: str, value: float) -> None:
            super().__setitem__(key, math.inf if value == 0 else value)

    async with connect(proxy.url) as client:
        for allowed in (1, 2, 3):
            parent = await put(saver, at(f"t{allowed}"), OLD)
            proxy.left = Once({UP: math.inf, DOWN: math.inf}, **{way: allowed})
            await call(RedisSaver(client, keys), parent)
            assert await seen(saver, f"t{allowed}") == after


async def test_a_client_killed_anywhere_leaves_whole_checkpoints(
    url: str, saver: RedisSaver, client: Client, keys: Keys
) -> None:
    threads = [f"t{number}" for number in range(5)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.checkpoint.putting", url, keys.prefix, str(keys.lanes), *threads),
        cwd=ROOT,
        env=clean_environment(),
    )

    async def far_enough() -> bool:
        counts = [await client.call("ZCARD", keys.checkpoint_index(thread_id)) for thread_id in threads]
        return min(map(int, counts)) >= 20

    try:
        await wait_until(far_enough, "checkpoints", every_s=0.001)
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
    for thread_id in threads:
        listed = [each async for each in saver.alist(at(thread_id))]
        turns = [each.checkpoint["channel_values"]["n"] for each in listed]
        assert turns == list(range(len(turns), 0, -1)), "the newest first, and none is missing"
        for each, turn in zip(listed, turns, strict=True):
            assert len(each.checkpoint["channel_values"]["messages"]) == turn
            assert [value for _, _, value in each.pending_writes or []] in ([], [[turn], {"n": turn}])
        assert all(each.pending_writes for each in listed[1:]), "those of a parent are there before its child"
