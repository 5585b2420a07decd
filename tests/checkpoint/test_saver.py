"""What RedisSaver promises beyond the conformance suite."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from redis.asyncio import Redis

from holdfast.checkpoint import RedisSaver, encoding
from holdfast.errors import Conflict, Fenced, Invalid, TooLarge
from holdfast.redis.checkpoints import TaskWrites, ThreadCheckpoints, Write
from holdfast.redis.client import Argument, Client, Script
from holdfast.redis.keys import Keys
from tests.checkpoint.samples import at, checkpoint, put, state

MESSAGES = [{"id": str(number), "text": f"message {number} " * 4} for number in range(5000)]


async def test_lists_of_every_length_come_back(saver: RedisSaver) -> None:
    for length in (0, 1, 2, 31, 32, 33, 64, 65, 96, 2048, 2049, 2113, 5000):
        await put(saver, at(f"t{length}"), {"messages": MESSAGES[:length]})
        assert await state(RedisSaver(saver.client, saver.keys), at(f"t{length}")) == {
            "messages": MESSAGES[:length]
        }


async def test_equal_elements_of_a_list_are_different_objects_again(saver: RedisSaver) -> None:
    await put(saver, at("t"), {"carts": [{"items": ["a" * 40]}, {"items": ["a" * 40]}]})
    one, other = (await state(saver, at("t")))["carts"]
    one["items"].append("b")
    assert other == {"items": ["a" * 40]}


async def test_a_growing_list_is_stored_once(saver: RedisSaver, client: Client, keys: Keys) -> None:
    async def memory(thread_id: str, turns: int) -> int:
        config = at(thread_id)
        for turn in range(1, turns + 1):
            config = await put(saver, config, {"messages": MESSAGES[: 4 * turn]}, version=str(turn))
        return int(await client.call("MEMORY", "USAGE", keys.checkpoints(thread_id), "SAMPLES", 0))

    assert await memory("long", 100) < 2.5 * await memory("short", 50)


async def test_what_expired_in_between_is_stored_again(saver: RedisSaver, client: Client, keys: Keys) -> None:
    config = await put(saver, at("t"), {"messages": MESSAGES[:100], "topic": "refund", "count": 10})
    await client.call("UNLINK", keys.checkpoints("t"), keys.checkpoint_index("t"))
    values = {"messages": MESSAGES[:101], "topic": "refund", "count": 10}
    await put(saver, config, values, version="1", changed=["messages"])
    assert await state(saver, at("t")) == values


async def test_writes_whose_elements_expired_are_stored_again(
    saver: RedisSaver, client: Client, keys: Keys
) -> None:
    config = await put(saver, at("t"), {"messages": MESSAGES[:100]})
    await client.call("UNLINK", keys.checkpoints("t"), keys.checkpoint_index("t"))
    await saver.aput_writes(config, [("messages", MESSAGES[:100])], "task")
    await put(saver, config, {"messages": MESSAGES[:100]}, version="2")
    history = await saver.aget_delta_channel_history(config=at("t"), channels=["messages"])
    assert history == {"messages": {"writes": []}}  # the checkpoint they belong to is gone
    assert await client.call("HLEN", keys.checkpoints("t")) == 3 + 100 + 3


class HeldClient(Client):
    """A connection on which writes of tasks are held up until `go`."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis)
        self.go = asyncio.Event()

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        if script.name == "checkpoint_put_writes":
            await self.go.wait()
        return await super().run(script, keys, args)


async def test_a_put_waits_for_the_writes_of_its_parent(client: Client, keys: Keys) -> None:
    """LangGraph starts both and waits for neither: a child must never be seen without its parent's writes."""
    held = HeldClient(client.redis)
    saver = RedisSaver(held, keys)
    parent = await put(saver, at("t"), {"n": 1})
    writes = asyncio.create_task(saver.aput_writes(parent, [("n", 2)], "task"))
    child = asyncio.create_task(put(saver, parent, {"n": 2}, version="2"))
    done, _ = await asyncio.wait([child], timeout=0.1)
    assert not done
    writes.cancel()  # who waits for a write may give up on it; the write itself goes on
    held.go.set()
    await child
    found = await saver.aget_tuple(parent)
    assert found is not None
    assert found.pending_writes == [("task", "n", 2)]
    await saver.adelete_thread("t")


async def test_a_put_fails_with_the_writes_of_its_parent(client: Client, keys: Keys) -> None:
    held = HeldClient(client.redis)
    saver = RedisSaver(held, keys)
    parent = await put(saver, at("t"), {"n": 1})
    writes = asyncio.create_task(saver.aput_writes(parent, [("n", 2)], "task"))
    child = asyncio.create_task(put(saver, parent, {"n": 2}, version="2"))
    await client.call("HSET", keys.thread("t"), "token", "1:other")
    held.go.set()
    assert [type(each) for each in await asyncio.gather(writes, child, return_exceptions=True)] == [
        Fenced
    ] * 2
    assert await state(saver, at("t")) == {"n": 1}
    await saver.for_run("1:other").adelete_thread("t")


async def test_many_at_once_all_arrive(saver: RedisSaver) -> None:
    parent = await put(saver, at("t"), {"n": 0})
    tasks = [f"task-{number:03}" for number in range(50)]
    await asyncio.gather(
        *(saver.aput_writes(parent, [("n", name), ("m", [name * 10])], name) for name in tasks),
        *(put(saver, at(name), {"messages": MESSAGES[:40]}) for name in tasks),
    )
    found = await saver.aget_tuple(parent)
    assert found is not None
    assert found.pending_writes == [
        write for name in tasks for write in ((name, "n", name), (name, "m", [name * 10]))
    ]
    assert [await state(saver, at(name)) for name in tasks] == [{"messages": MESSAGES[:40]}] * 50


async def test_the_first_write_of_a_task_stays_and_a_special_one_is_replaced(saver: RedisSaver) -> None:
    parent = await put(saver, at("t"), {"n": 0})
    for value in ("first", "second"):
        await saver.aput_writes(parent, [("n", value)], "task")
        await saver.aput_writes(parent, [("__error__", value)], "task")
    found = await saver.aget_tuple(parent)
    assert found is not None
    assert sorted(found.pending_writes or []) == [("task", "__error__", "second"), ("task", "n", "first")]


async def test_writes_come_in_the_order_of_paths_before_ids(saver: RedisSaver) -> None:
    parent = await put(saver, at("t"), {"n": 0})
    await saver.aput_writes(parent, [("n", 3)], "a", "~path, b")
    await saver.aput_writes(parent, [("n", index) for index in range(12)], "b", "~path, a")
    found = await saver.aget_tuple(parent)
    assert found is not None
    assert [value for _, _, value in found.pending_writes or []] == [*range(12), 3]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Thread", "thread"),
        ("a,b", "a"),
        ("a", "a "),
        ("a:b", "a"),
        ("a{1}", "a"),
        ("a*", "ab"),
        ("\u00e9", "e\u0301"),
    ],
)
async def test_threads_with_similar_ids_never_meet(saver: RedisSaver, one: str, other: str) -> None:
    await put(saver, at(one), {"who": one})
    assert await state(saver, at(other)) == {}
    await put(saver, at(other), {"who": other})
    assert await state(saver, at(one)) == {"who": one}
    assert [found.checkpoint["channel_values"] async for found in saver.alist(at(one))] == [{"who": one}]
    await saver.adelete_thread(other)
    assert await state(saver, at(one)) == {"who": one}


@pytest.mark.parametrize("thread_id", ["", "a\0b", "a\x1eb", 7, None, "\ud800", "x" * 1025])
async def test_ids_that_cannot_be_kept_apart_are_refused(saver: RedisSaver, thread_id: str) -> None:
    for attempt in (put(saver, at(thread_id), {"n": 1}), saver.aget_tuple(at(thread_id))):
        with pytest.raises(Invalid, match="thread_id"):
            await attempt
    with pytest.raises(Invalid, match="channel"):
        await put(saver, at("t"), {"a\x1fb": 1})


async def test_list_over_all_threads_is_newest_first_and_pages(saver: RedisSaver) -> None:
    names = [f"thread-{number % 7}" for number in range(150)]
    stored = [
        await put(
            saver,
            at(name, "" if number % 3 else "sub:1"),
            {"n": number},
            version=str(number),
            parity=number % 2,
        )
        for number, name in enumerate(names)
    ]
    found = [each.checkpoint["channel_values"]["n"] async for each in saver.alist(None)]
    assert found == list(range(149, -1, -1))
    some = saver.alist(None, filter={"parity": 1}, before=stored[101], limit=5)
    assert [each.checkpoint["channel_values"]["n"] async for each in some] == [99, 97, 95, 93, 91]
    assert [each async for each in saver.alist(None, limit=0)] == []


async def test_list_of_one_namespace_pages(saver: RedisSaver) -> None:
    for number in range(130):
        await put(saver, at("t", "" if number % 2 else "sub:1"), {"n": number}, version=str(number))
    odd = [each.checkpoint["channel_values"]["n"] async for each in saver.alist(at("t"))]
    assert odd == list(range(129, 0, -2))
    every: Any = {"configurable": {"thread_id": "t"}}
    assert len([each async for each in saver.alist(every)]) == 130


async def test_removing_a_run_keeps_what_others_share(saver: RedisSaver, client: Client, keys: Keys) -> None:
    config = await put(saver, at("t"), {"messages": MESSAGES[:70]}, run_id="one")
    await saver.aput_writes(config, [("messages", MESSAGES[70:80])], "task")
    second = await put(saver, config, {"messages": MESSAGES[:80]}, version="2", run_id="two")
    await saver.aput_writes(second, [("messages", MESSAGES[80:90])], "task")
    await saver.adelete_for_runs(["two"])
    assert await state(saver, at("t")) == {"messages": MESSAGES[:70]}
    found = await saver.aget_tuple(at("t"))
    assert found is not None
    assert [value for _, _, value in found.pending_writes or []] == [MESSAGES[70:80]]
    # one envelope, one value, one write, and 80 elements in chunks of 32
    assert await client.call("HLEN", keys.checkpoints("t")) == 3 + 80 + 2
    await saver.adelete_for_runs(["one"])
    assert await client.call("EXISTS", keys.checkpoints("t"), keys.checkpoint_index("t")) == 0


async def test_pruning_refuses_threads_that_need_older_checkpoints(saver: RedisSaver) -> None:
    counters: dict[str, Any] = {"counters_since_delta_snapshot": {"log": (1, 1)}}
    first = await put(saver, at("t"), {"n": 1}, **counters)
    await put(saver, first, {"n": 2}, version="2", **counters)
    with pytest.raises(Conflict, match="delta"):
        await saver.aprune(["t"])
    assert len([each async for each in saver.alist(at("t"))]) == 2


async def test_delta_history_is_that_of_the_slow_way(saver: RedisSaver) -> None:
    config = await put(saver, at("t"), {"log": ["seed" * 10], "other": 0, "emptied": 1})
    await saver.aput_writes(config, [("log", "b"), ("emptied", 2), ("not asked for", ["c" * 50])], "c", "~1")
    config = await put(saver, config, {"emptied": None}, version="2")
    for step in range(5):
        await saver.aput_writes(config, [("log", f"b{step}"), ("other", step)], "b", "~2")
        await saver.aput_writes(config, [("log", ["a" * 50] * step)], "a", "~3")
        # a delta channel has a version but no value
        bare = checkpoint({})
        bare["channel_versions"] = {"log": str(step)}
        config = await saver.aput(config, bare, {"source": "loop", "step": step}, {"log": str(step)})
    channels = ["log", "other", "emptied", "never"]
    for where in (config, at("t"), at("none")):
        fast = await saver.aget_delta_channel_history(config=where, channels=channels)
        slow = await BaseCheckpointSaver.aget_delta_channel_history(saver, config=where, channels=channels)
        assert fast == slow


async def test_copies_go_their_own_ways(saver: RedisSaver) -> None:
    source = await put(saver, at("source"), {"messages": MESSAGES[:70]})
    await saver.aput_writes(source, [("n", 1)], "task")
    await put(saver, at("target"), {"old": True})
    await saver.acopy_thread("source", "target")
    await saver.adelete_thread("source")
    found = await saver.aget_tuple(at("target"))
    assert found is not None
    assert found.config["configurable"]["thread_id"] == "target"
    assert found.checkpoint["channel_values"] == {"messages": MESSAGES[:70]}
    assert found.pending_writes == [("task", "n", 1)]


async def test_versions_grow_and_differ_between_branches(saver: RedisSaver) -> None:
    version = saver.get_next_version(None, None)
    for _ in range(300):
        later = saver.get_next_version(version, None)
        assert later > version
        assert later != saver.get_next_version(version, None)
        version = later


async def ttls(client: Client, keys: Keys) -> set[bool]:
    """Whether the keys of an installation have an end."""
    found = client.redis.scan_iter(match=f"{keys.prefix}:*")
    return {await client.redis.ttl(key) > 0 async for key in found}


async def test_threads_expire_whole(client: Client, keys: Keys) -> None:
    saver = RedisSaver(client, keys, ttl_s=100)
    config = await put(saver, at("t"), {"messages": MESSAGES[:40]})
    await saver.aput_writes(config, [("n", 1)], "task")
    await saver.acopy_thread("t", "copy")
    assert await ttls(client, keys) == {True}
    await client.call("EXPIRE", keys.checkpoints("t"), 5)
    await saver.aget_tuple(at("t"))
    assert await client.redis.ttl(keys.checkpoints("t")) > 50


@pytest.mark.parametrize("order", [("forever", "brief"), ("brief", "forever")])
async def test_the_list_of_threads_outlives_a_thread_that_expires(
    client: Client, keys: Keys, order: tuple[str, str]
) -> None:
    one_lane = Keys(keys.prefix)
    forever = RedisSaver(client, one_lane)
    savers = {"forever": forever, "brief": RedisSaver(client, one_lane, ttl_s=100)}
    for thread_id in (*order, "brief"):
        await put(savers[thread_id], at(thread_id), {"n": 1})
    assert await client.redis.ttl(one_lane.registry(0)) == -1
    await client.call("UNLINK", one_lane.checkpoints("brief"), one_lane.checkpoint_index("brief"))
    assert len([each async for each in forever.alist(None)]) == 1
    assert await client.call("SMEMBERS", one_lane.registry(0)) in ({b"forever"}, [b"forever"])
    await forever.adelete_thread("forever")
    assert await ttls(client, keys) == set()


async def test_nothing_is_stored_while_something_is_missing(client: Client, keys: Keys) -> None:
    thread = ThreadCheckpoints(client, keys, "t", "", 0)
    assert await thread.put(b"c\0\x001", {b"c\0\x001": b"x", b"b": b"y"}, [b"b2", b"e1"]) == [b"b2", b"e1"]
    written = TaskWrites(b"c\0\x001", "task", "", [Write(0, "n", b"x", False)])
    assert await thread.put_writes(written, {b"e2": b"y"}, [b"e1"]) == [b"e1"]
    assert await ttls(client, keys) == set()


async def test_a_large_value_is_stored_and_one_too_large_refused(
    saver: RedisSaver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(saver, at("t"), {"file": "x" * 8_000_000})
    assert await state(saver, at("t")) == {"file": "x" * 8_000_000}
    monkeypatch.setattr(encoding, "LARGEST_VALUE", 1_000_000)  # the real limit takes a gigabyte to reach
    with pytest.raises(TooLarge, match="too large for Redis"):
        await put(saver, at("other"), {"n": 1, "file": "x" * 1_000_001})
    assert await saver.aget_tuple(at("other")) is None
