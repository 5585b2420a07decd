"""Writes of a checkpoint share one row as far as there is room; nobody who reads them can tell."""

import asyncio
from typing import Any

from langgraph.types import Interrupt

from bench.checkpointer.talk import agent, question
from holdfast.checkpoint import RedisSaver
from holdfast.checkpoint.nameless import forget_name
from holdfast.checkpoint.names import parts
from holdfast.checkpoint.packing import pack_row, unpack_row
from holdfast.redis.client import Client
from holdfast.redis.keys import Keys
from tests.checkpoint.samples import at, put

Pending = list[tuple[str, str, Any]]
TASKS = 200


async def pending(saver: RedisSaver, thread_id: str) -> Pending:
    found = await saver.aget_tuple(at(thread_id))
    assert found
    return found.pending_writes or []


async def rows(client: Client, keys: Keys, thread_id: str) -> dict[bytes, bytes]:
    fields: dict[bytes, bytes] = await client.call("HGETALL", keys.checkpoints(thread_id))
    return {name: value for name, value in fields.items() if name[:1] == b"p"}


async def index(client: Client, keys: Keys, thread_id: str) -> list[str]:
    """The kinds of the names in the index."""
    names = await client.call("ZRANGE", keys.checkpoint_index(thread_id), 0, -1)
    return [parts(name)[0] for name in names]


async def test_the_writes_of_a_few_tasks_are_one_field(saver: RedisSaver, client: Client, keys: Keys) -> None:
    config = await put(saver, at("t"), {"n": 0})
    for task in ("a", "b", "a"):
        await saver.aput_writes(config, [("n", task), ("messages", ["m" * 50])], task, f"~path, {task}")
        await saver.aput_writes(config, [("__error__", ValueError(task))], task, f"~path, {task}")
    assert await index(client, keys, "t") == ["c"]
    [row] = (await rows(client, keys, "t")).values()
    assert len(list(unpack_row(row))) == 6
    kept = [
        [(task, "__error__", repr(ValueError(task))), (task, "n", task), (task, "messages", ["m" * 50])]
        for task in "ab"
    ]
    assert await pending(saver, "t") == [*kept[0], *kept[1]]


async def test_the_first_write_stays_in_a_row_and_beyond_it(
    saver: RedisSaver, client: Client, keys: Keys
) -> None:
    """A step of many tasks at once: the row takes some of them, the others have fields of their own."""
    config = await put(saver, at("t"), {"n": 0})
    tasks = [f"task {number:03}" for number in range(TASKS)]
    for turn in ("first", "second"):
        writes = [("answers", [f"{turn} answer " * 3]), ("__resume__", [turn])]
        await asyncio.gather(*(saver.aput_writes(config, writes, task, "~push") for task in tasks))
    [row] = (await rows(client, keys, "t")).values()
    assert 1024 < len(row) <= 2048
    packed = len(list(unpack_row(row)))
    assert 10 < packed < 2 * TASKS
    assert await index(client, keys, "t") == ["c", *["w"] * (2 * TASKS - packed)]
    assert await pending(saver, "t") == [
        write
        for task in tasks
        for write in ((task, "__resume__", ["second"]), (task, "answers", ["first answer " * 3]))
    ]


async def test_what_takes_the_place_of_another_comes_with_its_own_path(
    saver: RedisSaver, client: Client, keys: Keys
) -> None:
    config = await put(saver, at("t"), {"n": 0})
    for task, path in (("a", "~1"), ("b", "~2"), ("a", "~3")):
        await saver.aput_writes(config, [("n", path)], task, path)
        await saver.aput_writes(config, [("__resume__", [path])], task, path)
    await saver.aput_writes(config, [("__resume__", "x" * 3000)], "b", "~2")
    resumes = [("b", "__resume__", "x" * 3000), ("a", "__resume__", ["~3"])]
    assert await pending(saver, "t") == [("a", "n", "~1"), resumes[0], ("b", "n", "~2"), resumes[1]]
    [row] = (await rows(client, keys, "t")).values()
    assert len(row) < 200, "what has become too large has a field of its own"


async def test_writes_that_come_before_their_checkpoint_stay(
    saver: RedisSaver, client: Client, keys: Keys
) -> None:
    for thread_id in ("t", "empty"):
        early = at(thread_id, checkpoint_id="ffff")
        await saver.aput_writes(early, [("messages", ["m" * 50])], "task")
    assert await index(client, keys, "t") == []
    first = await put(saver, at("t"), {"n": 0}, run_id="one")
    await put(saver, first, {"n": 1}, version="2", run_id="two")
    await saver.adelete_for_runs(["two"])
    await saver.acopy_thread("empty", "copy")
    new: Any = {"v": 4, "id": "ffff", "channel_values": {}, "channel_versions": {}, "versions_seen": {}}
    for thread_id in ("t", "empty", "copy"):
        await saver.aput(at(thread_id), new, {}, {})
        await saver.aput_writes(
            at(thread_id, checkpoint_id="ffff"), [("messages", ["other"]), ("n", 1)], "task"
        )
        assert await pending(saver, thread_id) == [("task", "messages", ["m" * 50]), ("task", "n", 1)]


async def test_a_name_is_taken_out_of_a_row(saver: RedisSaver, client: Client, keys: Keys) -> None:
    config = await put(saver, at("t"), {"n": 0})
    writes: list[tuple[str, Any]] = [
        ("by", "ann"),
        ("note", {"by": "ann", "text": "ann"}),
        ("__interrupt__", [Interrupt({"by": "ann"}, id="i")]),
    ]
    await saver.aput_writes(config, writes, "task", "~ask")
    await saver.aput_writes(config, [("n", 1)], "task", "~ask")
    [row] = (await rows(client, keys, "t")).values()
    assert await forget_name(saver, "t", "ann") == 2, "the row, and the item of a list"
    [fresh] = (await rows(client, keys, "t")).values()
    assert pack_row(unpack_row(fresh)) == fresh
    assert [write[:4] for write in unpack_row(fresh)] == [write[:4] for write in unpack_row(row)]
    assert dict(each[1:] for each in await pending(saver, "t")) == {
        "by": "erased",
        "note": {"by": "erased", "text": "ann"},
        "__interrupt__": [Interrupt({"by": "erased"}, id="i")],
    }
    assert await forget_name(saver, "t", "ann") == 0


async def test_a_talk_with_tools_weighs_what_is_documented(
    saver: RedisSaver, client: Client, keys: Keys
) -> None:
    """A turn is four messages, 5 checkpoints and 7 writes."""
    graph = agent().copy(update={"checkpointer": saver})
    for _ in range(5):
        await graph.ainvoke({"messages": [question()]}, at("t"), durability="sync")
    used = [
        await client.call("MEMORY", "USAGE", key, "SAMPLES", 0)
        for key in (keys.checkpoints("t"), keys.checkpoint_index("t"))
    ]
    assert sum(used) < 32_000, "39 kB without rows, and without compression"
