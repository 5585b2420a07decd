"""A decision is told to be made once it is on disk; until then, that it is accepted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from holdfast.redis.disk import Disk
from holdfast.redis.keys import Keys
from holdfast.redis.topology import Servers
from tests.api.approving import APPROVE, ask_one, decide
from tests.faults.conftest import Valkey
from tests.servers import Live

THREAD = "00000000-0000-4000-8000-000000000001"


async def test_what_was_written_is_waited_for(valkey: Valkey) -> None:
    checked = Disk(f"unix://{valkey.socket}", Keys("d"))
    assert await checked.reached(THREAD)
    await checked.close()


async def test_a_server_without_an_aof_has_nothing_to_wait_for(valkey: Valkey) -> None:
    checked = Disk(f"unix://{valkey.socket}", Keys("d"))
    await checked._servers.of("any").config_set("appendonly", "no")
    assert await checked.reached(THREAD)
    await checked.close()


async def test_who_asks_at_once_asks_together(valkey: Valkey) -> None:
    checked = Disk(f"unix://{valkey.socket}", Keys("d"))
    await checked.reached(THREAD)
    redis = checked._servers.of("any")
    before = (await redis.info("commandstats"))["cmdstat_waitaof"]["calls"]
    assert all(await asyncio.gather(*(checked.reached(THREAD) for _ in range(200))))
    after = (await redis.info("commandstats"))["cmdstat_waitaof"]["calls"]
    assert after - before <= 2
    await checked.close()


@asynccontextmanager
async def lagging() -> AsyncIterator[str]:
    """A server whose AOF does not reach the disk in time."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while asked := await reader.read(4096):
            if b"WAITAOF" in asked:
                writer.write(b"+OK\r\n*2\r\n:0\r\n:0\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as stub:
        yield f"redis://127.0.0.1:{stub.sockets[0].getsockname()[1]}"


async def test_a_decision_that_is_not_on_disk_is_accepted(
    server: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server.http("ann") as ann, lagging() as url:
        first, second = await ask_one(ann), await ask_one(ann)
        assert (await decide(ann, first, APPROVE)).status_code == 200
        slow = Servers(url)
        monkeypatch.setattr(server.platform.disk, "_servers", slow)
        reply = await decide(ann, second, APPROVE)
        assert (reply.status_code, reply.json()["status"]) == (202, "decided")
        await slow.close()


async def test_a_disk_that_nobody_can_ask_is_no_disk(valkey: Valkey) -> None:
    checked = Disk(f"unix://{valkey.socket}", Keys("d"))
    valkey.kill()
    assert await checked.reached(THREAD) is False
    await checked.close()
    valkey.start()
    await valkey.ready()
