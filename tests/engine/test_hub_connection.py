"""A reader misses nothing while the hub's connection is being made, or made anew."""

import asyncio
import uuid
from collections.abc import Container
from contextlib import AsyncExitStack, aclosing

import pytest

from holdfast.redis.lua import Place
from holdfast.redis.stream import Hub
from tests.engine.conftest import Engine
from tests.waiting import wait_until

READERS = 100


async def test_readers_that_come_while_the_connection_is_made_are_served_too(
    engine: Engine, redis_url: str
) -> None:
    async with Hub(engine.client, engine.keys, redis_url).running() as hub, AsyncExitStack() as stack:

        async def follow(turns: int) -> None:
            for _ in range(turns):
                await asyncio.sleep(0)
            await stack.enter_async_context(hub.follow(str(uuid.uuid4())))

        await asyncio.wait_for(asyncio.gather(*map(follow, range(READERS))), 10)


async def test_what_is_written_before_the_connection_is_back_is_read(
    engine: Engine, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    place = await engine.submit("a")
    async with (
        Hub(engine.client, engine.keys, redis_url).running() as hub,
        hub.follow(engine.thread_id) as reader,
        aclosing(hub.events(engine.thread_id, reader, place)) as batches,
    ):
        claim = await engine.claimed()
        assert [stored.place for stored in await anext(batches)] == [Place(1, 1)]
        reading = asyncio.create_task(anext(batches))
        await engine.client.call("CLIENT", "KILL", "TYPE", "pubsub")

        async def noticed() -> bool:
            return "connection lost" in caplog.text

        await wait_until(noticed, "the hub notices that its connection is gone")
        for _ in range(3):
            await engine.client.call("PING")  # whatever the reader does about the loss, it has done by now
        await engine.append(claim, 0, "last")
        found = await asyncio.wait_for(reading, 10)
        assert [stored.place for stored in found] == [Place(1, 2)]


async def test_a_hub_that_was_left_by_all_its_readers_takes_new_ones(
    engine: Engine, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Where nothing is followed, the server answers the hub's ping in another form."""
    others = await connections(engine)
    async with Hub(engine.client, engine.keys, redis_url).running() as hub:
        async with hub.follow(engine.thread_id):
            pass

        async def left() -> bool:
            return "sunsubscribe" in (await connections(engine, others)).values()

        await wait_until(left, "the hub follows nothing")

        async def asked() -> bool:
            return "ping" in (await connections(engine, others)).values()

        await wait_until(asked, "the hub asks whether its connection lives")
        async with asyncio.timeout(2), hub.follow(engine.thread_id):
            pass
    assert not caplog.records


async def connections(engine: Engine, others: Container[str] = ()) -> dict[str, str]:
    """The last command of each connection, by its id, without those of `others`."""
    found = await engine.client.redis.client_list()
    return {one["id"]: one["cmd"] for one in found if one["id"] not in others}


async def test_a_connection_may_end_while_it_is_told_something(engine: Engine, redis_url: str) -> None:
    async with (
        Hub(engine.client, engine.keys, redis_url).running() as hub,
        hub.follow(engine.thread_id),
    ):
        line = hub._lines.of(b"any")

        async def connected() -> bool:
            return bool(line._pubsub and line._pubsub.connection and line._pubsub.connection.is_connected)

        for turns in range(8):
            await wait_until(connected, "the hub is connected")
            joining = asyncio.create_task(hub.join(str(uuid.uuid4())))
            for _ in range(turns):
                await asyncio.sleep(0)
            if line._pubsub and line._pubsub.connection:
                await line._pubsub.connection.disconnect(nowait=True)
            await asyncio.wait_for(joining, 10)
