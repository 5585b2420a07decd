"""RedisStore by itself: what comes back, whose it is, when it goes, what goes over the wire."""

import asyncio
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from langgraph.store.base import GetOp, InvalidNamespaceError, Op, PutOp, SearchOp, TTLConfig

from holdfast.errors import ItemTaken
from holdfast.redis.client import Client, connect
from holdfast.redis.keys import Keys
from holdfast.redis.store import Place, Shelves
from holdfast.redis.sweep import sweep
from holdfast.store import FilterError, RedisStore, Unfit
from tests.checkpoint.test_round_trips import commands

HERE = ("memories", "ann")
MOST = 1000


async def found(store: RedisStore, *namespace: str, **wanted: Any) -> list[str]:
    return [item.key for item in await store.asearch(namespace, filter=wanted or None, limit=MOST)]


# values


def nested(levels: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(levels - 1):
        inner = [inner]
    return inner


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"": None, "a": [True, 1, 1.0, -0.5, 1e300, 2**63, -(2**63), "", "\0", "👍", {"b": [[]]}]},
        {"deep": nested(200)},
        {"long": "x" * 300_000},
    ],
    ids=["empty", "every type", "deep", "long"],
)
async def test_a_value_comes_back_as_it_was(store: RedisStore, value: dict[str, Any]) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    await store.aput(HERE, "k", value)
    item = await store.aget(HERE, "k")
    assert item is not None
    assert (item.namespace, item.key, item.value) == (HERE, "k", value)
    assert repr(item.value) == repr(value), "true is not 1, 1.0 is not 1"
    assert before < item.created_at == item.updated_at <= datetime.now(UTC) + timedelta(seconds=1)


@pytest.mark.parametrize(
    "value",
    [
        {"a": math.nan},
        {"a": [math.inf]},
        {"a": Decimal("1.50")},
        {"a": datetime.now(UTC)},
        {"a": uuid4()},
        {"a": {1, 2}},
        {"a": {1: 2}},
        {"a": 2**64},
        {"a": b"x"},
        {"a": "\ud83d"},
        {"a": nested(250)},
    ],
    ids=lambda value: type(value["a"]).__name__,
)
async def test_what_would_not_come_back_is_refused(store: RedisStore, value: dict[str, Any]) -> None:
    with pytest.raises(Unfit):
        await store.aput(HERE, "k", value)
    assert await store.aget(HERE, "k") is None


async def test_an_item_keeps_the_time_when_it_was_made(store: RedisStore) -> None:
    await store.aput(HERE, "k", {"n": 1})
    first = await store.aget(HERE, "k")
    await store.aput(HERE, "k", {"n": 2})
    second = await store.aget(HERE, "k")
    assert first
    assert second
    assert (second.value, second.created_at) == ({"n": 2}, first.created_at)
    assert second.updated_at > first.updated_at


async def test_of_two_puts_at_once_one_is_there_whole(client: Client, keys: Keys, store: RedisStore) -> None:
    people = [RedisStore(client, keys, "north", person=name) for name in ("ann", "bob")]
    values = [{"by": number, "all": [number] * 50} for number in range(40)]
    await asyncio.gather(*(people[n % 2].aput(HERE, "k", value) for n, value in enumerate(values)))
    [item] = await store.asearch(HERE)
    assert item.value in values
    assert await client.call("ZCARD", keys.store_people("north")) <= 2


async def test_a_batch_reads_first_and_of_puts_the_last_counts(store: RedisStore) -> None:
    ops: list[Op] = [
        PutOp(HERE, "k", {"n": 1}),
        GetOp(HERE, "k"),
        PutOp(HERE, "k", {"n": 2}),
        PutOp(HERE, "gone", {"n": 1}),
        PutOp(HERE, "gone", None),
        SearchOp(HERE),
    ]
    assert await store.abatch(ops) == [None, None, None, None, None, []]
    assert [item.value for item in await store.asearch(HERE)] == [{"n": 2}]


@pytest.mark.parametrize("namespace", [("a.b",), ("",), ("a", ""), ("a\0b",), (1,)])
async def test_a_label_that_is_none_is_refused(store: RedisStore, namespace: Any) -> None:
    for op in (PutOp(namespace, "k", {}), GetOp(namespace, "k"), SearchOp(namespace)):
        with pytest.raises(InvalidNamespaceError):
            await store.abatch([op])


async def test_a_namespace_is_needed(store: RedisStore) -> None:
    for namespace in ((), ("langgraph", "x")):
        with pytest.raises(InvalidNamespaceError):
            await store.aput(namespace, "k", {})
    with pytest.raises(InvalidNamespaceError):
        await store.abatch([PutOp((), "k", {})])


@pytest.mark.parametrize("wanted", [{"$in": [1]}, {"$gt": "x"}, {"$gt": None}, {"$eq": 1, "x": 1}])
async def test_a_filter_that_makes_no_sense_is_refused(store: RedisStore, wanted: Any) -> None:
    with pytest.raises(FilterError):
        await store.asearch(HERE, filter={"n": wanted})
    with pytest.raises(FilterError):
        await store.asearch(HERE, filter={"outer": {"n": wanted}})


async def test_what_cannot_be_compared_does_not_fit(store: RedisStore) -> None:
    values: list[Any] = [None, "x", "3", True, [3], {"a": 3}, 3, 10**400]
    for number, value in enumerate(values[:-1]):
        await store.aput(HERE, str(number), {"n": value})
    assert await found(store, *HERE, n={"$gt": 2}) == ["2", "6"]
    assert await found(store, *HERE, n={"$lte": 1}) == ["3"]
    assert await found(store, *HERE, n=True) == ["3"]
    assert await found(store, *HERE, n=1) == [], "true is not 1"
    assert await found(store, *HERE, n={"$eq": [3]}) == ["4"]


async def test_a_filter_may_name_many_fields(store: RedisStore) -> None:
    await store.aput(HERE, "k", {"n": 1})
    missing: dict[str, Any] = {f"missing {number}": None for number in range(5000)}
    assert await found(store, **missing, n=1) == ["k"]
    assert await found(store, **missing, n=2) == []


# whose


async def test_tenants_share_nothing(client: Client, keys: Keys, store: RedisStore) -> None:
    # Names that would be one if they were only put one after the other.
    south = RedisStore(client, keys, "north:memories", person="ann")
    await store.aput(HERE, "k", {"n": 1})
    await south.aput(("ann",), "k", {"n": 2})
    assert [item.value for item in await south.asearch(())] == [{"n": 2}]
    assert [item.value for item in await store.asearch(())] == [{"n": 1}]
    assert await south.alist_namespaces() == [("ann",)]
    await south.adelete(HERE, "k")
    await south.adelete(("ann",), "k")
    assert await found(store) == ["k"]


async def test_an_owner_sees_and_changes_what_is_theirs(
    client: Client, keys: Keys, store: RedisStore
) -> None:
    ann = RedisStore(client, keys, "north", person="ann", owner="ann")
    bob = RedisStore(client, keys, "north", person="bob", owner="bob")
    await ann.aput(HERE, "k", {"n": 1})
    await bob.aput(("memories", "bob"), "k", {"n": 2})
    await bob.aput(("memories", "ann", "x"), "b", {"n": 3})
    with pytest.raises(ItemTaken):
        await bob.aput(HERE, "k", {"n": 4})
    await bob.adelete(HERE, "k")
    assert await bob.aget(HERE, "k") is None
    assert await found(bob, "memories") == ["k", "b"]
    assert await found(ann, "memories") == ["k"]
    assert await found(bob, *HERE) == ["b"]
    assert await bob.alist_namespaces() == [("memories", "ann", "x"), ("memories", "bob")]
    assert await ann.alist_namespaces(max_depth=1) == [("memories",)]
    assert await found(store) == ["k", "k", "b"]


async def test_what_somebody_else_changes_stays_its_owners(
    client: Client, keys: Keys, store: RedisStore
) -> None:
    bob = RedisStore(client, keys, "north", person="bob", owner="bob")
    await bob.aput(HERE, "k", {"n": 1})
    await store.aput(HERE, "k", {"n": 2})  # ann, who sees all
    item = await bob.aget(HERE, "k")
    assert item
    assert item.value == {"n": 2}


async def test_a_person_is_erased_as_owner_and_as_author(
    client: Client, keys: Keys, store: RedisStore
) -> None:
    bob = RedisStore(client, keys, "north", person="bob")
    await bob.aput(HERE, "bob's", {})
    await bob.aput(HERE, "changed by ann", {})
    await store.aput(HERE, "changed by ann", {})
    await store.aput(HERE, "changed by bob", {})
    await bob.aput(HERE, "changed by bob", {})
    await bob.aput(("other",), "bob's again", {})
    shelves = Shelves(client, keys, "north")
    assert await shelves.erase("ann") == 2
    assert await shelves.erase("ann") == 0
    assert await found(store) == ["bob's", "bob's again"]
    assert await shelves.erase("bo") == 0
    assert await shelves.erase("bob") == 2


# time


async def seconds_left(client: Client, keys: Keys, key: str) -> float | None:
    due = await client.call("ZSCORE", keys.store_expiry(keys.lane("north")), Place(HERE, key).name("north"))
    return float(due) / 1000 - datetime.now(UTC).timestamp() if due else None


async def let_expire(client: Client, keys: Keys, key: str, namespace: tuple[str, ...] = HERE) -> None:
    name = Place(namespace, key).name("north")
    await client.call("ZADD", keys.store_expiry(keys.lane("north")), "XX", 1, name)


async def test_an_expired_item_is_gone_for_readers_before_it_is_deleted(
    client: Client, keys: Keys, store: RedisStore
) -> None:
    await store.aput(HERE, "k", {"n": 1}, ttl=5)
    await store.aput(HERE, "kept", {"n": 1})
    first = await store.aget(HERE, "k")
    await let_expire(client, keys, "k")
    assert await store.aget(HERE, "k") is None
    assert await found(store, *HERE) == await found(store, n=1) == ["kept"]
    assert [one async for one in deleted(client, keys)] == [1]
    assert await client.call("HKEYS", keys.store_items("north", "\0".join(HERE))) == [b"kept"]
    await store.aput(HERE, "k", {"n": 2}, ttl=5)
    await let_expire(client, keys, "k")
    await store.aput(HERE, "k", {"n": 3})
    assert [one async for one in deleted(client, keys)] == []
    again = await store.aget(HERE, "k")
    assert first
    assert again
    assert again.value == {"n": 3}
    assert again.created_at > first.created_at, "it is a new item"


async def test_a_namespace_of_expired_items_is_not_listed(
    client: Client, keys: Keys, store: RedisStore
) -> None:
    names = [("a",), ("b", "1"), ("b", "2"), ("c",), ("d",)]
    for name in names:
        await store.aput(name, "k", {}, ttl=5)
    await store.aput(("c",), "kept", {})
    for name in (("a",), ("b", "1"), ("c",)):
        await let_expire(client, keys, "k", name)
    assert await store.alist_namespaces(max_depth=1) == [("b",), ("c",), ("d",)]
    assert await store.alist_namespaces(limit=1, offset=1) == names[3:4]
    assert [one async for one in deleted(client, keys)] == [3]
    assert await store.alist_namespaces() == names[2:]


async def test_an_item_that_was_put_again_is_not_deleted(
    client: Client, keys: Keys, store: RedisStore
) -> None:
    """Whoever deletes what has expired learned its name a moment before."""
    await store.aput(HERE, "k", {"n": 1}, ttl=5)
    await Shelves(client, keys, "north").drop_expired(Place(HERE, "k"))
    assert await store.aget(HERE, "k")


async def deleted(client: Client, keys: Keys) -> Any:
    """How many items each step of a worker's sweep deletes."""
    for lane in range(keys.lanes):
        async for count in sweep(client, keys, lane):
            if count:
                yield count


async def test_expired_items_of_others_are_free_to_be_put(
    client: Client, keys: Keys, store: RedisStore
) -> None:
    bob = RedisStore(client, keys, "north", person="bob", owner="bob")
    await store.aput(HERE, "k", {"n": 1}, ttl=5)
    await let_expire(client, keys, "k")
    await bob.aput(HERE, "k", {"n": 2})
    assert await found(bob) == ["k"]
    assert await Shelves(client, keys, "north").erase("ann") == 0


async def test_reading_keeps_an_item_for_another_ttl(client: Client, keys: Keys, store: RedisStore) -> None:
    name = Place(HERE, "k").name("north")
    soon_ms = (datetime.now(UTC).timestamp() + 30) * 1000

    async def left_after(read: Any) -> bool:
        """Whether half a minute became ten."""
        await client.call("ZADD", keys.store_expiry(keys.lane("north")), "XX", soon_ms, name)
        await read
        left = await seconds_left(client, keys, "k")
        assert left
        return left > 500

    await store.aput(HERE, "k", {}, ttl=10)
    assert await left_after(store.aget(HERE, "k"))
    assert await left_after(store.asearch(HERE))
    assert not await left_after(store.aget(HERE, "k", refresh_ttl=False))
    assert not await left_after(store.asearch(HERE, refresh_ttl=False))
    assert not await left_after(store.asearch(HERE, offset=1))
    store.ttl_config = TTLConfig(refresh_on_read=False)
    assert not await left_after(store.aget(HERE, "k"))
    assert await left_after(store.aget(HERE, "k", refresh_ttl=True))


async def test_the_default_ttl_is_for_items_that_name_none(
    client: Client, keys: Keys, store: RedisStore
) -> None:
    store.ttl_config = TTLConfig(default_ttl=10)
    await store.aput(HERE, "default", {})
    await store.aput(HERE, "own", {}, ttl=1.5)
    await store.aput(HERE, "none", {}, ttl=None)
    default, own = [await seconds_left(client, keys, key) for key in ("default", "own")]
    assert default
    assert own
    assert 590 < default <= 601
    assert 80 < own <= 91
    assert await seconds_left(client, keys, "none") is None
    await store.aput(HERE, "own", {}, ttl=None)
    assert await seconds_left(client, keys, "own") is None


@pytest.mark.parametrize("ttl", [0, -1, math.nan, math.inf, 1e12])
async def test_a_ttl_that_is_none_is_refused(store: RedisStore, ttl: float) -> None:
    with pytest.raises(ValueError, match="A ttl must be"):
        await store.aput(HERE, "k", {}, ttl=ttl)


# the wire


async def test_put_get_and_delete_are_one_round_trip(client: Client, store: RedisStore) -> None:
    await store.aput(HERE, "k", {"n": 1}, ttl=5)
    await store.aget(HERE, "k")
    await store.adelete(HERE, "no")  # which loads the scripts
    calls = {
        "put": store.aput(HERE, "k", {"n": 2}, ttl=5),
        "get": store.aget(HERE, "k"),
        "delete": store.adelete(HERE, "k"),
    }
    for name, call in calls.items():
        assert await commands(client, call) == ["EVALSHA"], name


async def test_it_works_on_every_server(any_url: str, keys: Keys) -> None:
    """On a cluster the keys of one script must be in one slot."""
    async with connect(any_url) as client:
        store = RedisStore(client, keys, "nörth", person="ann")
        await store.aput(HERE, "k", {"n": 1}, ttl=5)
        await store.aput(HERE, "k", {"n": 2}, ttl=5)
        await store.aput(("other",), "k", {"n": 3})
        assert await found(store, n={"$gte": 2}) == ["k", "k"]
        assert await found(RedisStore(client, keys, "nörth", owner="ann"), "other") == ["k"]
        assert await store.alist_namespaces() == [HERE, ("other",)]
        assert await Shelves(client, keys, "nörth").erase("ann") == 2
        assert [key async for key in client.redis.scan_iter(match=f"{keys.prefix}:*")] == []


# blocking


async def test_the_blocking_methods_are_for_threads_beside_the_loop(store: RedisStore) -> None:
    def use() -> None:
        store.put(HERE, "k", {"n": 1}, ttl=5)
        item = store.get(HERE, "k")
        assert item
        assert item.value == {"n": 1}
        assert [one.key for one in store.search(HERE, filter={"n": 1})] == ["k"]
        assert store.list_namespaces(prefix=("memories",)) == [HERE]
        store.delete(HERE, "k")
        assert store.get(HERE, "k") is None

    await asyncio.to_thread(use)
    with pytest.raises(RuntimeError, match="aget"):
        store.get(HERE, "k")


async def test_without_a_loop_it_says_so(client: Client, keys: Keys) -> None:
    def make() -> RedisStore:
        return RedisStore(client, keys, "north")

    lost = await asyncio.to_thread(make)
    with pytest.raises(RuntimeError, match="event loop is not running"):
        lost.get(HERE, "k")
