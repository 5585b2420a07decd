"""Both checkpointers behind one door."""

import asyncio
import subprocess
import sys
import uuid
from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from holdfast.checkpoint import CHOICES, LANGGRAPH_CHECKPOINT_REDIS, open_checkpointer
from holdfast.checkpoint.constructors import type_name
from holdfast.errors import StartError, Unstorable
from holdfast.redis.client import Client, connect
from holdfast.redis.keys import Keys
from tests.checkpoint.memory import Memory
from tests.checkpoint.probes import ALLOWED, PROBES, REFUSABLE, REFUSED, same
from tests.checkpoint.samples import at, checkpoint, put, state


@pytest.mark.parametrize("choice", CHOICES)
async def test_either_keeps_state_and_expires_it(stack_url: str, choice: str) -> None:
    thread_id = str(uuid.uuid4())
    async with (
        connect(stack_url) as client,
        open_checkpointer(choice, client, Keys(f"t{thread_id}"), ttl_s=600) as saver,
    ):
        await client.call("FLUSHALL")
        await saver.setup() if hasattr(saver, "setup") else None
        run = saver.for_run("")
        config = await put(run, at(thread_id), {"total": Decimal("128.50")})
        await run.aput_writes(config, [("total", Decimal("1.10"))], "task")
        assert await state(run, at(thread_id)) == {"total": Decimal("128.50")}
        endless = [key async for key in client.redis.scan_iter() if await client.redis.ttl(key) < 0]
        assert endless == []


@pytest.mark.parametrize("choice", CHOICES)
async def test_either_brings_back_every_value_or_refuses_it(stack_url: str, choice: str) -> None:
    thread_id = str(uuid.uuid4())
    async with (
        connect(stack_url) as client,
        open_checkpointer(choice, client, Keys(f"t{thread_id}")) as opened,
    ):
        await client.call("FLUSHALL")
        await opened.setup() if hasattr(opened, "setup") else None
        saver = opened.with_allowlist({type_name(cls) for cls in ALLOWED})
        config = await put(saver, at(thread_id), PROBES)
        await saver.aput_writes(config, list(PROBES.items()), "task")
        for where in (at(thread_id), config):
            found = await saver.aget_tuple(where)
            assert found is not None
            values = found.checkpoint["channel_values"]
            written = {channel: value for _, channel, value in found.pending_writes or []}
            for name, value in PROBES.items():
                assert same(values.get(name), value), name
                assert same(written[name], value), name
        refusing = opened.with_allowlist({type_name(cls) for cls in REFUSABLE})
        for make in REFUSED.values():
            with pytest.raises(Unstorable):
                await put(refusing, config, {"value": [make()]})
        listed = [each.config async for each in saver.alist(at(thread_id))]
        assert listed == [config]


@pytest.mark.parametrize("choice", CHOICES)
async def test_either_lists_exactly(stack_url: str, choice: str) -> None:
    """In order over all threads and namespaces, by filter, before and limit: as the plainest saver does."""
    memory, threads = Memory(), [str(uuid.uuid4()) for _ in range(3)]
    prefix = f"t{uuid.uuid4().hex[:8]}"
    async with connect(stack_url) as client, open_checkpointer(choice, client, Keys(prefix)) as saver:
        await client.call("FLUSHALL")
        await saver.setup() if hasattr(saver, "setup") else None
        for turn in range(24):
            config = at(threads[turn % 3], "sub:1" if turn % 4 == 0 else "")
            made, versions = checkpoint({"n": turn}, f"{turn:03}"), {"n": f"{turn:03}"}
            for each in (saver, memory):
                await each.aput(config, made, {"source": "loop", "step": turn % 2}, versions)  # type: ignore[arg-type]
        every = [found.config for found in memory.every()]
        anywhere: list[Any] = [None, *({"configurable": {"thread_id": each}} for each in threads)]
        for where, before, filter in product(
            [*anywhere, at(threads[0], "sub:1"), every[7]], [None, every[5]], [None, {"step": 1}, {"step": 9}]
        ):
            wanted = [each.config for each in memory.every(where, before=before, filter=filter)]
            for limit in (None, 0, 1, 5):
                listed = saver.alist(where, before=before, filter=filter, limit=limit)
                assert [each.config async for each in listed] == wanted[:limit]


async def test_ten_processes_may_set_up_at_once(stack_url: str) -> None:
    async def open_and_close() -> None:
        async with (
            connect(stack_url) as client,
            open_checkpointer(LANGGRAPH_CHECKPOINT_REDIS, client, Keys()),
        ):
            pass

    async with connect(stack_url) as client:
        for _ in range(3):
            for index in await client.call("FT._LIST"):
                await client.call("FT.DROPINDEX", index)
            await asyncio.gather(*(open_and_close() for _ in range(10)))


async def test_a_server_without_the_modules_is_named(client: Client) -> None:
    with pytest.raises(StartError, match=r"RediSearch.*Redis Stack"):
        async with open_checkpointer(LANGGRAPH_CHECKPOINT_REDIS, client, Keys()):
            pass


async def test_an_unknown_choice_is_refused(client: Client) -> None:
    with pytest.raises(StartError, match="postgres"):
        async with open_checkpointer("postgres", client, Keys()):
            pass


def test_the_heavy_one_is_loaded_only_when_chosen() -> None:
    program = "import sys, holdfast.checkpoint; sys.exit('redisvl' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=30, check=False).returncode == 0
