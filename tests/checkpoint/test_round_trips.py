"""What goes over the wire: one command a call, with TTL and fence."""

from collections.abc import Awaitable

from holdfast.checkpoint import RedisSaver
from holdfast.redis.checkpoints import ThreadCheckpoints
from holdfast.redis.client import Client
from holdfast.redis.keys import Keys
from tests.checkpoint.samples import at, put, state

LONG = [{"text": f"message {number} " * 9} for number in range(200)]


async def commands(client: Client, call: Awaitable[object]) -> list[str]:
    """The commands that Redis was sent during a call; those of scripts are none."""
    async with client.redis.monitor() as monitor:
        await call
        await client.call("ECHO", "the end")
        found: list[str] = []
        async for said in monitor.listen():
            if said["command"] == "ECHO the end":
                return found
            if said["client_type"] != "lua":
                found.append(said["command"].split()[0])
    raise AssertionError


async def test_each_call_is_one_command(client: Client, keys: Keys) -> None:
    await client.call("HSET", keys.thread("t"), "token", "1:abc")
    saver = RedisSaver(client, keys, ttl_s=600).for_run("1:abc")
    config = await put(saver, at("t"), {"messages": LONG})  # which loads the script
    await saver.aput_writes(config, [("messages", LONG)], "task")
    await saver.aget_tuple(at("t"))
    delta: list[str] = ["messages", "n"]
    await saver.aget_delta_channel_history(config=config, channels=delta)

    calls = {
        "put": put(saver, config, {"messages": [*LONG, "more" * 9], "n": 1}, version="2"),
        "put_writes": saver.aput_writes(config, [("messages", ["other" * 9]), ("n", 2)], "other task"),
        "get the newest": saver.aget_tuple(at("t")),
        "get by id": saver.aget_tuple(config),
        "history of delta channels": saver.aget_delta_channel_history(config=at("t"), channels=delta),
    }
    sent = {name: await commands(client, call) for name, call in calls.items()}
    assert sent == {name: ["EVALSHA"] for name in calls}
    await saver.adelete_thread("t")
    await client.call("UNLINK", keys.thread("t"))


async def test_a_list_is_one_command_a_page(saver: RedisSaver, client: Client) -> None:
    async def read(limit: int) -> int:
        return len([each async for each in saver.alist(at("t"), limit=limit)])

    for number in range(70):
        await put(saver, at("t"), {"n": number}, version=str(number))
    assert await read(10) == 10
    assert await commands(client, read(10)) == ["EVALSHA"]
    assert await commands(client, read(70)) == ["EVALSHA", "EVALSHA"]


async def test_what_was_found_on_claiming_is_not_asked_for_until_it_changes(
    client: Client, keys: Keys
) -> None:
    await client.call("HSET", keys.thread("t"), "token", "1:abc")
    saver = RedisSaver(client, keys).for_run("1:abc")
    config = await put(saver, at("t"), {"n": 1})
    found = await ThreadCheckpoints(client, keys, "t", "", 0).newest("")

    run = saver.for_run("1:abc")
    run.begin_with("t", found)
    for _ in range(2):
        assert await commands(client, run.aget_tuple(at("t"))) == []
    assert await state(run, at("t")) == {"n": 1}
    assert await run.aget_tuple(at("u")) is None  # another thread
    assert await commands(client, run.aget_tuple(config)) == ["EVALSHA"]  # of which only the id is known
    assert await commands(client, run.aget_tuple(config)) == []
    await put(run, config, {"n": 2}, version="2")
    assert await state(run, at("t")) == {"n": 2}

    other = saver.for_run("2:def")  # claimed anew since then
    other.begin_with("t", found)
    assert await state(other, at("t")) == {"n": 2}
    await saver.adelete_thread("t")
    await client.call("DEL", keys.thread("t"))
