"""The index of threads says what their records say, and a search finds what a look at all of them finds."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core import inspection, thread_matches
from holdfast.core.thread_matches import Order
from holdfast.core.thread_search import count
from holdfast.errors import RunNotFound
from holdfast.redis import holds, lua, sweep, thread_index
from holdfast.redis.holds import Change
from holdfast.redis.records import Caller, Condition, Hold, ThreadRecord, contains, metadata_fields
from holdfast.redis.terms import terms_of
from holdfast.wire.threads import ThreadFilter
from tests.checkpoint.servers import valkey_cluster
from tests.engine.conftest import now
from tests.engine.indexed import check
from tests.servers import Live, live
from tests.waiting import wait_until

LANES = 16
SCALARS = (None, True, False, 0, 1, 1.0, -0.0, 2**53, 2**53 + 1, float(2**53), 0.1, "", "1", "true", "é\x00ß")
KEYS = st.sampled_from(["a", "b", "a.b", "[", ""])
SORTS = ("created_at", "updated_at", "state_updated_at", "thread_id", "status")
VALUES = st.recursive(
    st.sampled_from(SCALARS), lambda of: st.lists(of, max_size=3) | st.dictionaries(KEYS, of, max_size=3)
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=3)
STAFF = Caller("chief", "here", staff=True)


@pytest.fixture(scope="module")
async def cluster() -> AsyncIterator[Live]:
    with valkey_cluster() as url:
        async with live(url, worker=False, lanes=LANES) as running:
            yield running


@pytest.fixture
async def life(cluster: Live) -> AsyncIterator["Life"]:
    life = Life(cluster, random.Random(0))
    yield life
    for thread in await life.records():
        await life.delete(thread.thread_id)
    await swept(life, "thread-updates")
    left = [
        key
        async for key in cluster.platform.client.redis.scan_iter(match=f"{cluster.platform.keys.prefix}:*")
        if b"thread" in key and b":events:" not in key and await life.client.call("TTL", key) < 0
    ]
    assert left == []


@dataclass
class Life:
    """Threads that are made, changed and searched at random."""

    server: Live
    chance: random.Random
    owners: tuple[str, ...] = ("ann", "bob")
    thread_ids: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        platform = self.server.platform
        self.platform, self.client, self.keys = platform, platform.client, platform.keys

    def json(self, depth: int = 0) -> Any:
        kind = self.chance.random()
        if depth > 2 or kind < 0.6:
            return self.chance.choice(SCALARS)
        if kind < 0.8:
            return [self.json(depth + 1) for _ in range(self.chance.randrange(3))]
        return self.metadata(depth + 1)

    def metadata(self, depth: int = 0) -> dict[str, Any]:
        return {key: self.json(depth) for key in self.chance.sample(["a", "b", "a.b", "[", ""], 2)}

    def part(self, value: Any) -> Any:
        """Some of what a value has."""
        match value:
            case dict():
                kept = self.chance.sample(sorted(value), self.chance.randint(0, len(value)))
                return {key: self.part(value[key]) for key in kept}
            case list():
                return [self.part(one) for one in value if self.chance.random() < 0.7]
        return value

    # what changes them

    async def create(self, **more: Any) -> str:
        thread_id, caller = str(uuid.uuid4()), Caller(self.chance.choice(self.owners), "here")
        wide = {f"k{i}": i for i in range(40)} | {f"l{i}": [i] for i in range(40)}
        metadata = {**self.metadata(), **(wide if self.chance.random() < 0.1 else {})}
        asked = {"metadata": metadata, "ttl_minutes": None, "default_ttl_s": 0, **more}
        await lua.create_thread(self.client, self.keys, thread_id, caller, now=now(), **asked)
        self.thread_ids.append(thread_id)
        return thread_id

    async def patch(self, thread_id: str) -> None:
        fields = [*metadata_fields(self.metadata()), "updated_at", int(now().timestamp() * 1e6)]
        await lua.update_thread(self.client, self.keys, thread_id, STAFF, fields)

    async def keep(self, thread_id: str) -> None:
        ttl_s = self.chance.choice([0, 100])
        await lua.lapse(self.client, self.keys, thread_id, "here", ttl_s, now_s=ttl_s, keep_s=60)

    async def submit(self, thread_id: str) -> None:
        run_id, moment = str(uuid.uuid4()), now()
        request = {"run_id": run_id, "created_at": moment.isoformat(), "multitask_strategy": "enqueue"}
        metadata = self.metadata() if self.chance.random() < 0.5 else {}
        asked = lua.Submission(
            thread_id, run_id, {**request, "caller": "chief"}, STAFF, moment, create=False, metadata=metadata
        )
        await lua.submit(self.client, self.keys, asked)

    async def cancel(self, thread_id: str) -> None:
        for run_id in await self.client.call("ZRANGE", self.keys.run_order(thread_id), 0, -1):
            try:
                await lua.cancel(
                    self.client, self.keys, thread_id, "here", run_id.decode(), "rollback", now()
                )
            except RunNotFound:
                continue

    async def hold(self, thread_id: str) -> None:
        thread = await inspection.get(self.platform, thread_id)
        new = self.chance.choice([None, Hold("r", None, "now"), Hold("r", "chief", "now")])
        change = Change(uuid.uuid4().hex, thread.hold, new, None, b'{"hold":null}')
        await holds.change(self.client, self.keys, thread_id, STAFF, change, now=now(), ttl_s=0, keep_s=60)

    async def delete(self, thread_id: str) -> None:
        await lua.delete_thread(self.client, self.keys, thread_id, "here")
        if thread_id in self.thread_ids:
            self.thread_ids.remove(thread_id)

    async def expire(self, thread_id: str) -> None:
        """Its time comes."""
        await self.client.call("ZADD", self.keys.thread_expiry(self.keys.lane(thread_id)), 1, thread_id)
        await self.client.call("PEXPIREAT", self.keys.thread(thread_id), 1)
        self.thread_ids.remove(thread_id)

    async def change(self) -> None:
        ways = [self.patch, self.submit, self.submit, self.cancel, self.hold, self.keep]
        if len(self.thread_ids) > 12:
            ways += [self.delete, self.expire]
        if len(self.thread_ids) < 5 or self.chance.random() < 0.3:
            await self.create()
        else:
            await self.chance.choice(ways)(self.chance.choice(self.thread_ids))

    # what is asked of them

    async def records(self) -> list[ThreadRecord]:
        found = await asyncio.gather(*(inspection.find(self.platform, one) for one in self.thread_ids))
        return [one for one in found if one]

    def question(self, threads: list[ThreadRecord]) -> tuple[Caller, ThreadFilter]:
        chance, metadata = self.chance, self.chance.choice(threads).metadata
        wanted = ThreadFilter(
            metadata=self.part(metadata) if chance.random() < 0.6 else None,
            status=chance.choice([None, None, "idle", "busy"]),
            hold=chance.choice([None, None, None, "any", "taken", "asked"]),
        )
        rules = [Condition(key, value) for key, value in metadata.items()]
        rules += [Condition(one.field, one.value, contains=True) for one in rules]
        rules += [Condition(one.field, self.part(one.value), contains=True) for one in rules]
        caller = chance.choice(
            [STAFF, Caller("ann", "here"), replace(STAFF, conditions=(chance.choice(rules),))]
        )
        return caller, wanted

    async def compare(self) -> None:
        threads = await self.records()
        caller, wanted = self.question(threads)
        order, most = (
            Order(self.chance.choice(SORTS), self.chance.random() < 0.5),
            self.chance.choice([3, 99]),
        )
        fit = [one for one in threads if await thread_matches.meets(self.platform, caller, wanted, one)]
        fit.sort(key=lambda one: (getattr(one, order.field), one.thread_id), reverse=order.newest)
        total, first = await thread_matches.find(self.platform, caller, wanted, order, most)
        assert total == len(fit), (caller, wanted)
        assert [key.thread_id for key in first] == [one.thread_id for one in fit[:most]], (order, wanted)
        every = [one.thread_id async for one in thread_matches.every(self.platform, caller, wanted)]
        assert sorted(every) == sorted(one.thread_id for one in fit)


def parts(value: Any) -> st.SearchStrategy[Any]:
    """Some of what a value has."""
    match value:
        case dict() if value:
            keys = st.sets(st.sampled_from(sorted(value)))
            return keys.flatmap(lambda kept: st.fixed_dictionaries({key: parts(value[key]) for key in kept}))
        case list() if value:
            return st.lists(st.sampled_from(value).flatmap(parts), max_size=3)
    return st.just(value)


@pytest.mark.parametrize("seed", range(2))
async def test_a_search_finds_what_a_look_at_all_finds(life: Life, seed: int) -> None:
    life.chance = random.Random(seed)
    for _ in range(50):
        await life.change()
        await life.compare()
    await swept(life, "thread-updates")
    await check(life.client, life.keys, "here")


async def test_what_expires_is_not_counted(life: Life) -> None:
    lasting, passing = await life.create(), await life.create(default_ttl_s=1)
    assert await count(life.platform, STAFF, ThreadFilter()) == 2

    async def gone() -> bool:
        return not await life.client.call("EXISTS", life.keys.thread(passing))

    await wait_until(gone, "the thread has expired")
    assert await count(life.platform, STAFF, ThreadFilter()) == 1
    assert [one.thread_id for one in await inspection.newest(life.platform, "here", limit=9)] == [lasting]


async def test_an_id_that_was_used_before_is_another_thread(life: Life) -> None:
    thread_id = await life.create(metadata={"a": 1})
    await life.client.call("DEL", life.keys.thread(thread_id))  # it expired, and nobody has looked since
    caller = Caller("carl", "here")
    await lua.create_thread(
        life.client, life.keys, thread_id, caller, now=now() + timedelta(seconds=1), metadata={"b": 1},
        ttl_minutes=None, default_ttl_s=0,
    )  # fmt: skip
    await check(life.client, life.keys, "here")


async def test_threads_of_an_earlier_version_are_found(life: Life) -> None:
    threads = [await life.create() for _ in range(20)]
    await unindexed(life)
    lists = f"{life.keys.threads(0)}:here:ann"
    await life.client.call("ZADD", lists, 1, threads[0])
    await life.client.call("HDEL", life.keys.installation(), "threads")
    await thread_index.build(life.client, life.keys)
    await check(life.client, life.keys, "here")
    assert not await life.client.call("EXISTS", lists)
    await unindexed(life)
    await thread_index.build(life.client, life.keys)  # once for each installation
    assert await count(life.platform, STAFF, ThreadFilter()) == 0
    await swept(life, "thread")
    assert await count(life.platform, STAFF, ThreadFilter()) == 20


async def test_the_sweep_brings_the_index_in_step(life: Life) -> None:
    """A process of an earlier version knows nothing of it."""
    changed, gone, *_ = [await life.create() for _ in range(9)]
    await life.client.call("HSET", life.keys.thread(changed), "status", "error", "m:a", '"new"')
    await life.client.call("DEL", life.keys.thread(gone))
    life.thread_ids.remove(gone)
    await swept(life, "thread")
    await swept(life, "thread-updates")
    await check(life.client, life.keys, "here")


async def unindexed(life: Life) -> None:
    for lane in range(LANES):
        keys = thread_index.lane_keys(life.keys, lane)
        await life.client.call("DEL", keys[0], keys[1], keys[2], life.keys.thread_updates(lane, "here"))


async def swept(life: Life, kind: str) -> None:
    """Goes on until each lane has been looked through."""
    for lane in range(LANES):
        for _ in range(100):
            _ = [one async for one in sweep.sweep(life.client, life.keys, lane)]
            if await life.client.call("GET", life.keys.sweep(lane, kind)) == b"0":
                break
        else:
            pytest.fail("the sweep comes to no end")


def test_what_terms_can_say() -> None:
    exact: list[dict[str, Any]] = [{"a": {"b": 1}}, {"a": [1, 2]}, {"a": [{"b": 1}]}, {"a": [[1]]}, {}]
    assert all(terms_of(one).exact for one in exact)
    unsure: list[dict[str, Any]] = [{"a": {}}, {"a": []}, {"a": [{"b": 1, "c": 2}]}, {"a": [[1, 2]]}]
    assert not any(terms_of(one).exact for one in [*unsure, {"a": 2**53}])
    assert terms_of({"a": 1}) == terms_of({"a": 1.0}) != terms_of({"a": True})
    assert terms_of({"a": {"b": 1}}) != terms_of({"a.b": 1})


@given(OBJECTS, OBJECTS, st.data())
def test_terms_say_what_is_contained(whole: Any, other: Any, data: st.DataObject) -> None:
    part = data.draw(st.one_of(st.just(other), parts(whole)))
    terms = terms_of(part)
    has_all = terms.found <= terms_of(whole).found
    assert has_all or not contains(whole, part)
    assert contains(whole, part) or not (has_all and terms.exact)
