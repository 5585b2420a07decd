"""Runs with a thread to themselves where langgraph-checkpoint-redis keeps the checkpoints."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.checkpoint.servers import redis_stack
from tests.servers import live, said
from tests.waiting import wait_until

FOREIGN: dict[str, Any] = {"checkpointer": "langgraph-checkpoint-redis"}


@pytest.fixture(scope="module")
def stack_url() -> Iterator[str]:
    with redis_stack() as url:
        yield url


@pytest.mark.timeout(180)  # the first use fetches the server
async def test_the_checkpoints_go_with_the_thread(stack_url: str) -> None:
    async with live(stack_url, **FOREIGN) as server, server.http() as http:
        client, asked = server.platform.client, {"assistant_id": "echo", "input": said("hi")}

        async def kept() -> list[str]:
            found = client.redis.scan_iter(match="checkpoint*", count=1000)
            return sorted([key.decode() async for key in found])

        before = await kept()
        stays = await http.post("/runs/wait", json={**asked, "on_completion": "keep"})
        thread_id = stays.headers["content-location"].split("/")[2]
        with_one = await kept()
        assert any(thread_id in key for key in with_one)
        assert (await http.post("/runs/wait", json=asked)).status_code == 200

        async def gone() -> bool:
            return await kept() == with_one

        await wait_until(gone, "the checkpoints of the second run")
        await http.delete(f"/threads/{thread_id}")
        assert await kept() == before
