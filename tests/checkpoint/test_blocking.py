"""The blocking methods, from threads beside the loop."""

import asyncio

import pytest

from holdfast.checkpoint import RedisSaver
from tests.checkpoint.samples import at, checkpoint, put


async def test_every_blocking_method_gives_what_the_other_gives(saver: RedisSaver) -> None:
    def use() -> None:
        config = saver.put(at("t"), checkpoint({"n": 1}), {"run_id": "one"}, {"n": "1"})
        saver.put_writes(config, [("n", 2)], "task")
        found = saver.get_tuple(at("t"))
        assert found is not None
        assert (found.checkpoint["channel_values"], found.pending_writes) == ({"n": 1}, [("task", "n", 2)])
        assert list(saver.list(None)) == [found]
        assert saver.get_delta_channel_history(config=config, channels=["n"]) == {"n": {"writes": []}}
        saver.copy_thread("t", "copy")
        saver.prune(["copy"])
        assert saver.get(at("copy")) is not None
        saver.delete_for_runs(["one"])
        saver.delete_thread("copy")
        assert list(saver.list(None)) == []

    await asyncio.to_thread(use)


async def test_on_the_loop_itself_it_says_what_to_use(saver: RedisSaver) -> None:
    with pytest.raises(RuntimeError, match="ainvoke"):
        saver.get_tuple(at("t"))
    with pytest.raises(RuntimeError, match="ainvoke"):
        next(saver.list(None))


async def test_without_a_loop_it_says_so(saver: RedisSaver) -> None:
    await put(saver, at("t"), {"n": 1})
    lost = RedisSaver(saver.client, saver.keys)
    lost.loop = None
    with pytest.raises(RuntimeError, match="event loop is not running"):
        await asyncio.to_thread(lost.get_tuple, at("t"))
