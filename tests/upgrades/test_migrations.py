"""Records that are brought from one version to the next: once, by who comes first, beside old processes."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from holdfast.errors import StartError
from holdfast.redis import migrations
from holdfast.redis.checks import check_installation
from holdfast.redis.client import Client, connect
from holdfast.redis.keys import Keys
from holdfast.redis.migrations import MIGRATIONS, VERSION, Migration, Records, bring_up, hold, read
from tests.servers import forget


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Client]:
    async with connect(redis_url) as client:
        yield client


@pytest.fixture
async def keys(redis_url: str) -> AsyncIterator[Keys]:
    keys = Keys(f"m{uuid.uuid4().hex[:8]}")
    yield keys
    await forget(redis_url, keys.prefix)


async def expand(client: Client, keys: Keys) -> None:
    """Gives each thread a field that version 2 needs; what version 1 reads stays as it is."""
    await client.call("INCR", f"{keys.prefix}:expanded")
    for thread_id in ("a", "b"):
        await client.call("HSET", keys.thread(thread_id), "of_two", "yes")
        await asyncio.sleep(0)


STEPS = (Migration(2, readable=1, work=expand),)


async def old_installation(client: Client, keys: Keys) -> None:
    """As it was before records had a number."""
    await client.call("HSET", keys.installation(), "lanes", keys.lanes)
    for thread_id in ("a", "b"):
        await client.call("HSET", keys.thread(thread_id), "of_one", "yes")


async def test_a_step_is_taken_once_whoever_starts(client: Client, keys: Keys) -> None:
    await old_installation(client, keys)
    assert await read(client, keys) == Records(1, 1)
    found = await asyncio.gather(*(bring_up(client, keys, STEPS, known=2) for _ in range(3)))
    assert found == [Records(2, 1)] * 3
    assert await client.call("GET", f"{keys.prefix}:expanded") == b"1"
    assert await client.call("HGETALL", keys.thread("b")) == {b"of_one": b"yes", b"of_two": b"yes"}
    assert await client.call("HMGET", keys.installation(), "migrating", "migrating_until") == [None, None]


async def test_what_a_process_that_died_has_begun_is_done_again(
    client: Client, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    await old_installation(client, keys)
    monkeypatch.setattr(migrations, "LEASE_S", 0.3)
    assert await hold(client, keys, "of the dead")
    assert not await hold(client, keys, "of another")
    assert await bring_up(client, keys, STEPS, known=2) == Records(2, 1)
    # The dead one wakes up: what it says to have reached is not taken.
    assert not await hold(client, keys, "of the dead", Records(7, 7))
    assert await read(client, keys) == Records(2, 1)


async def test_a_step_that_fails_leaves_the_version_and_is_taken_again(client: Client, keys: Keys) -> None:
    await old_installation(client, keys)
    broken = (STEPS[0]._replace(work=fail), )  # fmt: skip
    with pytest.raises(ZeroDivisionError):
        await bring_up(client, keys, broken, known=2)
    assert await read(client, keys) == Records(1, 1)
    assert await bring_up(client, keys, STEPS, known=2) == Records(2, 1)


async def fail(client: Client, keys: Keys) -> None:
    await expand(client, keys)
    raise ZeroDivisionError


async def test_old_processes_go_on_until_a_step_takes_away_what_they_read(client: Client, keys: Keys) -> None:
    await old_installation(client, keys)
    contract = Migration(3, readable=2, work=expand)
    await bring_up(client, keys, STEPS, known=2)
    assert await bring_up(client, keys, (), known=1) == Records(2, 1), "the version before it may start again"
    await bring_up(client, keys, (*STEPS, contract), known=3)
    assert await bring_up(client, keys, STEPS, known=2) == Records(3, 2)
    with pytest.raises(StartError, match=r"need a Holdfast that knows version 2: this one knows 1"):
        await bring_up(client, keys, (), known=1)


async def test_a_new_installation_is_of_this_version(client: Client, keys: Keys) -> None:
    await check_installation(client, keys)
    assert (await client.call("HGET", keys.installation(), "records")) == str(VERSION).encode()
    await client.call("HSET", keys.installation(), "records", VERSION + 2, "readable", VERSION + 1)
    with pytest.raises(StartError, match="Start the newer one"):
        await check_installation(client, keys)


def test_the_steps_lead_to_the_version_of_this_holdfast() -> None:
    assert [step.version for step in MIGRATIONS] == list(range(migrations.FIRST + 1, VERSION + 1))
    assert all(step.readable <= step.version for step in MIGRATIONS)
