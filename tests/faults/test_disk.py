"""A decision is told to be made once it is on disk; until then, that it is accepted."""

import asyncio
import time

from holdfast.redis import disk
from holdfast.redis.disk import Disk
from holdfast.redis.keys import Keys
from tests.api.approving import APPROVE, ask_one, decide
from tests.faults.conftest import Valkey
from tests.servers import Live


async def test_what_was_written_is_waited_for(valkey: Valkey) -> None:
    checked = Disk(f"unix://{valkey.socket}", Keys("d"))
    assert await checked.reached()
    await checked.close()


async def test_a_server_without_an_aof_has_nothing_to_wait_for(valkey: Valkey) -> None:
    checked = Disk(f"unix://{valkey.socket}", Keys("d"))
    await checked._redis.config_set("appendonly", "no")
    assert await checked.reached()
    await checked.close()


async def test_who_asks_at_once_asks_together(valkey: Valkey) -> None:
    checked = Disk(f"unix://{valkey.socket}", Keys("d"))
    await checked.reached()
    before = (await checked._redis.info("commandstats"))["cmdstat_waitaof"]["calls"]
    assert all(await asyncio.gather(*(checked.reached() for _ in range(200))))
    after = (await checked._redis.info("commandstats"))["cmdstat_waitaof"]["calls"]
    assert after - before <= 2
    await checked.close()


async def test_a_decision_that_is_not_on_disk_is_accepted(holdfast_behind: Live, valkey: Valkey) -> None:
    """The server is told to leave its AOF to the system, which it then never knows to be written."""
    server = holdfast_behind
    async with server.http("ann") as ann:
        first = await ask_one(ann)
        assert (await decide(ann, first, APPROVE)).status_code == 200
        await server.platform.client.redis.config_set("appendfsync", "no")
        second = await ask_one(ann)
        began = time.monotonic()
        reply = await decide(ann, second, APPROVE)
        assert time.monotonic() - began < 5
        assert (reply.status_code, reply.json()["status"]) == (202, "decided")


async def test_a_disk_that_nobody_can_ask_is_no_disk(valkey: Valkey) -> None:
    checked = Disk(f"unix://{valkey.socket}", Keys("d"))
    valkey.kill()
    assert await checked.reached() is False
    assert disk.PATIENCE_MS == 1000
    await checked.close()
