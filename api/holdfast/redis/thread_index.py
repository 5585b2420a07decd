"""The index of threads, a part in each lane: what `thread_index.lua` writes, read in ranges."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha1

from holdfast.redis.client import Client, Script
from holdfast.redis.keys import Keys
from holdfast.redis.traces import scan

INDEXED = ("thread", "thread_index")  # what every script begins with that changes what a search asks for
REINDEX = Script.load(*INDEXED, "reindex_thread")
LAPSED = Script.load("lapsed_threads")
TAKE_LAPSED = Script.load(*INDEXED, "take_lapsed")

EVERY = ""  # the term that every thread has
WIDE = "wide"  # the term of threads of which no value of the metadata is a term
AT_ONCE = 1000  # members read, or looked for, by one command
FEW = 100  # the same where a page may be full with the first of them
VERSION = b"1"


Entry = bytes  # a thread as the index names it: `<created_at> <thread_id>`, as it is, for there are many


def thread_of(entry: Entry) -> str:
    return entry.partition(b" ")[2].decode()


def index_keys(keys: Keys, thread_id: str, tenant: str) -> list[str]:
    """What `index_of` in `thread_index.lua` takes, in its order."""
    lane = keys.lane(thread_id)
    return [*lane_keys(keys, lane), keys.thread_updates(lane, tenant)]


def lane_keys(keys: Keys, lane: int) -> list[str]:
    """The same without the order of a tenant's updates."""
    return [keys.threads(lane), keys.thread_terms(lane), keys.thread_expiry(lane)]


def scope_of(tenant: str, owner: str = "") -> str:
    """The threads of an owner or, without one, of the tenant."""
    digest = sha1("\0".join((tenant, owner)).encode(), usedforsecurity=False).hexdigest()
    return digest[:20]


@dataclass(frozen=True, slots=True)
class Part:
    """A lane's part of the index, as far as it is about one scope."""

    client: Client
    keys: Keys
    lane: int
    scope: str

    def _range(self, term: str) -> tuple[str, str]:
        """Members of a term lie between these: after the term comes a space."""
        return f"[{self.scope}{term} ", f"({self.scope}{term}!"

    async def count(self, term: str) -> int:
        found: int = await self.client.call("ZLEXCOUNT", self.keys.threads(self.lane), *self._range(term))
        return found

    async def first(self, term: str, count: int, *, newest: bool = False) -> list[Entry]:
        """The threads of a term that were made first or last."""
        first, last = self._range(term)
        bounds = (last, first, "BYLEX", "REV") if newest else (first, last, "BYLEX")
        members = await self.client.call("ZRANGE", self.keys.threads(self.lane), *bounds, "LIMIT", 0, count)
        head = len(first) - 1
        return [member[head:] for member in members]

    async def every(self, term: str = EVERY) -> AsyncIterator[list[Entry]]:
        """All threads of a term in order of creation, some at a time."""
        first, last = self._range(term)
        index, head = self.keys.threads(self.lane), len(first) - 1
        while True:
            members = await self.client.call("ZRANGE", index, first, last, "BYLEX", "LIMIT", 0, AT_ONCE)
            if members:
                yield [member[head:] for member in members]
            if len(members) < AT_ONCE:
                return
            first = "(" + f"{self.scope}{term} {members[-1][head:].decode()}"

    async def have(self, term: str, entries: Iterable[Entry]) -> list[bool]:
        """Which of the threads have a term."""
        prefix = f"{self.scope}{term} ".encode()
        members = [prefix + entry for entry in entries]
        scores = await self.client.call("ZMSCORE", self.keys.threads(self.lane), *members)
        return [score is not None for score in scores]

    async def updates(self, tenant: str, entries: Sequence[Entry]) -> list[float]:
        """When each of the threads was last updated (us)."""
        found: list[float] = []
        for start in range(0, len(entries), AT_ONCE):
            order, some = self.keys.thread_updates(self.lane, tenant), entries[start : start + AT_ONCE]
            scores = await self.client.call("ZMSCORE", order, *some)
            found += [float(score or 0) for score in scores]
        return found

    async def by_update(self, tenant: str, *, newest: bool) -> AsyncIterator[list[tuple[float, Entry]]]:
        """The tenant's threads by their last update, more and more at a time: also such as have gone."""
        order, start, count = self.keys.thread_updates(self.lane, tenant), 0, FEW
        command = "ZREVRANGE" if newest else "ZRANGE"
        while True:
            flat = await self.client.call(command, order, start, start + count - 1, "WITHSCORES")
            yield [(float(flat[i + 1]), flat[i]) for i in range(0, len(flat), 2)]
            if len(flat) < 2 * count:
                return
            start, count = start + count, min(2 * count, AT_ONCE)


async def reindex(client: Client, keys: Keys, thread_id: str, tenant: str) -> None:
    """Brings the index in step with a thread's record, whatever has happened to that."""
    await client.run(REINDEX, [keys.thread(thread_id), *index_keys(keys, thread_id, tenant)], [thread_id])


async def reindex_all(client: Client, keys: Keys, thread_ids: Sequence[str]) -> None:
    """The same for many threads, whosever they are."""
    tenants = await asyncio.gather(*(client.call("HGET", keys.thread(one), "tenant") for one in thread_ids))
    await asyncio.gather(
        *(
            reindex(client, keys, one, tenant.decode())
            for one, tenant in zip(thread_ids, tenants, strict=True)
            if tenant
        )
    )


async def build(client: Client, keys: Keys) -> None:
    """Makes the index of threads that earlier versions have made; once for each installation."""
    if await client.call("HGET", keys.installation(), "threads") == VERSION:
        return
    batch: list[str] = []
    async for key in scan(client, keys.every("thread")):
        batch.append(key.rpartition(":")[2])
        if len(batch) == AT_ONCE:
            await reindex_all(client, keys, batch)
            batch.clear()
    await reindex_all(client, keys, batch)
    async for key in scan(client, keys.every("threads")):  # the lists that were there before
        await client.call("UNLINK", key)
    await client.call("HSET", keys.installation(), "threads", VERSION)


async def lapse(client: Client, keys: Keys, lane: int) -> int:
    """Takes out what has expired; returns how many threads of the lane that were."""
    taken = 0
    while True:
        ids: list[bytes] = await client.run(LAPSED, [keys.thread_expiry(lane)], [AT_ONCE])
        gone = await take_out(client, keys, lane, [one.decode() for one in ids])
        taken += gone
        if len(ids) < AT_ONCE or not gone:
            return taken


async def take_out(client: Client, keys: Keys, lane: int, thread_ids: Collection[str]) -> int:
    """Takes those of the threads out that are there no more; returns how many."""
    if not thread_ids:
        return 0
    gone: int = await client.run(
        TAKE_LAPSED, [*lane_keys(keys, lane), *map(keys.thread, thread_ids)], [*thread_ids]
    )
    return gone
