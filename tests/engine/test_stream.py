"""Readers see each event once and in order, whatever happens to their connection or to themselves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from holdfast.events import Event
from holdfast.redis.lua import Place
from holdfast.redis.stream import READER_BACKLOG, Hub, Reader, Stored, parse_place, read_push
from tests.engine.conftest import Engine

COUNT = 400


@pytest.fixture
async def hub(engine: Engine, redis_url: str) -> AsyncIterator[Hub]:
    async with Hub(engine.client, engine.keys, redis_url).running() as running:
        yield running


async def read_all(hub: Hub, engine: Engine, after: Place, count: int) -> list[Stored]:
    """What a reader gets, up to an event of this number."""
    found: list[Stored] = []
    async with (
        hub.follow(engine.thread_id) as reader,
        aclosing(hub.events(engine.thread_id, reader, after)) as batches,
    ):
        async for batch in batches:
            found += batch
            if len(found) >= count:
                return found
    return found


async def write_all(engine: Engine, count: int) -> None:
    claim = await engine.claimed()
    for i in range(0, count, 4):
        await engine.append(claim, i, *(str(i + k) for k in range(4)))


async def test_a_reader_that_is_there_first_sees_all(hub: Hub, engine: Engine) -> None:
    place = await engine.submit("a")
    reading = asyncio.create_task(read_all(hub, engine, place, COUNT + 1))
    await write_all(engine, COUNT)
    found = await reading
    assert [stored.place.seq for stored in found] == list(range(1, COUNT + 2))
    assert [stored.event.data for stored in found[1:]] == [str(i).encode() for i in range(COUNT)]


@pytest.mark.parametrize("after", [0, 1, 7, COUNT])
async def test_a_reader_that_comes_late_goes_on_from_its_place(hub: Hub, engine: Engine, after: int) -> None:
    await engine.submit("a")
    await write_all(engine, COUNT)
    place = Place(1, after) if after else Place(0, 0)
    found = await read_all(hub, engine, place, COUNT + 1 - after)
    assert [stored.place.seq for stored in found] == list(range(after + 1, COUNT + 2))


async def test_nothing_is_lost_or_doubled_when_connections_are_cut(hub: Hub, engine: Engine) -> None:
    place = await engine.submit("a")
    readers = [asyncio.create_task(read_all(hub, engine, place, COUNT + 1)) for _ in range(5)]
    writing = asyncio.create_task(write_all(engine, COUNT))
    while not writing.done():
        await engine.client.call("CLIENT", "KILL", "TYPE", "pubsub")
        await asyncio.sleep(0.01)
    await writing
    for reader in readers:
        found = await asyncio.wait_for(reader, 20)
        assert [stored.place.seq for stored in found] == list(range(1, COUNT + 2))


async def test_a_reader_that_does_not_read_holds_little_and_misses_nothing(hub: Hub, engine: Engine) -> None:
    place = await engine.submit("a")
    count = READER_BACKLOG + 200
    async with hub.follow(engine.thread_id) as reader:
        await write_all(engine, count)
        await asyncio.sleep(0)
        held: list[Stored] = []
        async with aclosing(hub.events(engine.thread_id, reader, place)) as batches:
            async for batch in batches:
                held += batch
                if len(held) > count:
                    break
    assert [stored.place.seq for stored in held] == list(range(1, count + 2))


async def test_a_reader_lets_go_of_what_it_cannot_hold() -> None:
    pushed = [Stored(Place(1, i), Event("r", "custom", "", 0, b"1")) for i in range(READER_BACKLOG)]
    reader = Reader()
    reader.push(pushed)
    reader.push(pushed[:1])
    assert await reader.take() == ([], True)


async def test_readers_share_one_subscription_and_leave_none_behind(hub: Hub, engine: Engine) -> None:
    channel = engine.keys.events(engine.thread_id)

    async def subscribers() -> int:
        return int((await engine.client.call("PUBSUB", "SHARDNUMSUB", channel))[1])

    async with hub.follow(engine.thread_id), hub.follow(engine.thread_id):
        assert await subscribers() == 1
    assert await subscribers() == 0
    async with hub.follow(engine.thread_id):
        assert await subscribers() == 1


@pytest.mark.parametrize("text", ["", "1", "1-", "a-b", "1-2-3", "-1"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not the id of an event"):
        parse_place(text)


def test_a_push_holds_its_events_in_order() -> None:
    events = [Event("r", "custom", "a|b", 5, f'{{"n":{i}}}'.encode()) for i in range(3)]
    payload = b"\x1e".join([b"7-10", *(event.encode() for event in events)])
    assert read_push(payload) == [Stored(Place(7, 10 + i), event) for i, event in enumerate(events)]
