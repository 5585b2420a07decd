"""Both checkpointers behind one door."""

import asyncio
import subprocess
import sys
import uuid
from decimal import Decimal

import pytest

from holdfast.checkpoint import CHOICES, LANGGRAPH_CHECKPOINT_REDIS, open_checkpointer
from holdfast.errors import StartError
from holdfast.redis.client import Client, connect
from holdfast.redis.keys import Keys
from tests.checkpoint.samples import at, put, state


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
