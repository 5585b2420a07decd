"""Buckets of requests: how many there are, how they come back, what is left of them."""

import uuid
from collections.abc import Sequence

import pytest

from holdfast.redis.client import Client
from holdfast.redis.keys import Keys, hash_slot
from holdfast.redis.limits import Bucket, Lack, take
from tests.waiting import wait_until

HOUR = 3600


def bucket(rate: float, burst: int) -> Bucket:
    return Bucket(Keys(f"t{uuid.uuid4().hex[:8]}").rate("here", "me"), rate, burst)


async def taken(client: Client, buckets: Sequence[Bucket], tries: int) -> int:
    """How many of so many tries were let through."""
    return [await take(client, buckets) for _ in range(tries)].count(None)


async def pass_time(client: Client, one: Bucket, seconds: float) -> None:
    full = int(await client.call("GET", one.key) or 0)
    await client.call("SET", one.key, round(full - seconds * 1e6), "KEEPTTL")


async def lacking(client: Client, *buckets: Bucket) -> Lack:
    lack = await take(client, buckets)
    assert lack is not None
    return lack


async def test_as_many_as_the_burst_at_once_then_none_until_one_has_come_back(client: Client) -> None:
    one = bucket(1 / HOUR, 5)
    assert await taken(client, [one], 8) == 5
    assert (await lacking(client, one)).wait_s == pytest.approx(HOUR, abs=5)
    await pass_time(client, one, HOUR / 2)
    assert (await lacking(client, one)).wait_s == pytest.approx(HOUR / 2, abs=5)
    await pass_time(client, one, HOUR / 2)
    assert await taken(client, [one], 3) == 1
    await pass_time(client, one, 2.5 * HOUR)
    assert await taken(client, [one], 5) == 2
    await pass_time(client, one, 0.5 * HOUR)
    assert await taken(client, [one], 5) == 1


async def test_a_pause_gives_no_more_than_the_burst(client: Client) -> None:
    one = bucket(1 / HOUR, 3)
    await take(client, [one])
    await pass_time(client, one, 100 * HOUR)
    assert await taken(client, [one], 8) == 3


async def test_odd_rates_lose_and_win_nothing_over_many_requests(client: Client) -> None:
    one = bucket(0.0007, 4)
    assert await taken(client, [one], 5) == 4
    for _ in range(300):
        await pass_time(client, one, 0.75 / one.rate)
    assert await taken(client, [one], 5) == 4, "no more than the burst"
    count = 0
    for _ in range(400):
        await pass_time(client, one, 0.75 / one.rate)
        count += await taken(client, [one], 3)
    assert count == 300


async def test_a_refusal_takes_from_neither_bucket(client: Client) -> None:
    keys = Keys(f"t{uuid.uuid4().hex[:8]}")
    mine, other = (Bucket(keys.rate("here", subject), 1 / HOUR, 2) for subject in ("me", "you"))
    ours = Bucket(keys.rate("here"), 1 / HOUR, 3)
    assert await taken(client, [mine, ours], 10) == 2
    assert (await lacking(client, mine, ours)).bucket == mine
    assert await taken(client, [other, ours], 10) == 1
    assert (await lacking(client, other, ours)).bucket == ours
    await pass_time(client, ours, HOUR)
    assert await taken(client, [other, ours], 10) == 1


async def test_a_clock_that_is_set_back_holds_nobody_up_for_longer_than_an_empty_bucket(
    client: Client,
) -> None:
    one = bucket(1 / HOUR, 3)
    await take(client, [one])
    await pass_time(client, one, -1000 * HOUR)
    assert (await lacking(client, one)).wait_s == pytest.approx(HOUR, abs=5)


async def test_a_bucket_that_is_full_again_is_no_key(client: Client) -> None:
    one = bucket(20, 2)
    await take(client, [one])
    assert 0 < await client.call("PTTL", one.key) <= 50
    await take(client, [one])
    assert 50 < await client.call("PTTL", one.key) <= 100

    async def gone() -> bool:
        return not await client.call("EXISTS", one.key)

    await wait_until(gone, "the bucket is full again")


def test_the_buckets_of_a_tenant_are_in_one_slot_and_names_cannot_leave_it() -> None:
    keys = Keys("p", 16)
    built = [
        keys.rate("a"),
        keys.rate("a", "x"),
        keys.rate("a", "}{x"),
        keys.rate("a", ""),
        keys.rate("a", "x:y"),
    ]
    assert len({hash_slot(key[key.index("{") + 1 : key.index("}")]) for key in built}) == 1
    others = [
        keys.rate("b"),
        keys.rate("}{a", "x"),
        keys.rate("", "x"),
        keys.rate("a:x"),
        keys.rate("a:x", "y"),
    ]
    assert len({*built, *others}) == len(built) + len(others)
