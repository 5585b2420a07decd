"""A worker that has lost its thread changes nothing."""

from collections.abc import Awaitable, Callable

import pytest
from langchain_core.runnables import RunnableConfig

from holdfast.checkpoint import RedisSaver
from holdfast.errors import Fenced
from holdfast.redis.client import Client
from holdfast.redis.keys import Keys
from tests.checkpoint.samples import at, put, state

Attempt = Callable[[RedisSaver, RunnableConfig], Awaitable[object]]


async def claim(client: Client, keys: Keys, thread_id: str, token: str) -> None:
    await client.call("HSET", keys.thread(thread_id), "token", token)


async def contents(client: Client, keys: Keys, thread_id: str) -> tuple[object, object, object]:
    return (
        await client.call("HGETALL", keys.checkpoints(thread_id)),
        await client.call("ZRANGE", keys.checkpoint_index(thread_id), 0, -1),
        await client.call("SMEMBERS", keys.registry(keys.lane(thread_id))),
    )


ATTEMPTS: dict[str, Attempt] = {
    "put": lambda saver, config: put(saver, config, {"notes": ["x" * 50, "y" * 50]}, version="2"),
    "put_writes": lambda saver, config: saver.aput_writes(config, [("notes", ["z" * 50])], "task"),
    "delete_thread": lambda saver, config: saver.adelete_thread("t"),
    "delete_for_runs": lambda saver, config: saver.adelete_for_runs(["run-1"]),
    "prune": lambda saver, config: saver.aprune(["t"]),
    "copy_thread": lambda saver, config: saver.acopy_thread("other", "t"),
}


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
@pytest.mark.parametrize("stale", ["1:abc", ""])
async def test_a_stale_token_is_refused_and_changes_nothing(
    saver: RedisSaver, client: Client, keys: Keys, attempt: Attempt, stale: str
) -> None:
    await put(saver, at("other"), {"notes": ["o" * 50]})
    first = await put(saver, at("t"), {"notes": ["x" * 50]}, run_id="run-1")
    config = await put(saver, first, {"notes": ["x" * 50]}, version="1b")
    before = await contents(client, keys, "t")
    await claim(client, keys, "t", "2:def")
    with pytest.raises(Fenced):
        await attempt(saver.for_run(stale), config)
    assert await contents(client, keys, "t") == before


async def test_the_holder_of_the_token_writes(saver: RedisSaver, client: Client, keys: Keys) -> None:
    await claim(client, keys, "t", "2:def")
    run = saver.for_run("2:def")
    config = await put(run, at("t"), {"n": 1})
    await run.aput_writes(config, [("n", 2)], "task")
    found = await saver.aget_tuple(at("t"))
    assert found is not None
    assert (found.checkpoint["channel_values"], found.pending_writes) == ({"n": 1}, [("task", "n", 2)])


async def test_reading_needs_no_token(saver: RedisSaver, client: Client, keys: Keys) -> None:
    await put(saver, at("t"), {"n": 1})
    await claim(client, keys, "t", "2:def")
    assert await state(saver.for_run("1:abc"), at("t")) == {"n": 1}
