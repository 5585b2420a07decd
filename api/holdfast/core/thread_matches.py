"""Which threads a search is for, found in the index: how many there are, and the first ones in an order."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import Any, NamedTuple

import orjson

from holdfast.core.filters import fits
from holdfast.core.platform import Platform
from holdfast.core.threads import values
from holdfast.events import dump
from holdfast.redis import lua
from holdfast.redis.records import Caller, Condition, ThreadRecord, contains, read_thread
from holdfast.redis.terms import Terms, join, terms_of
from holdfast.redis.thread_index import AT_ONCE, EVERY, WIDE, Entry, Part, lapse, scope_of, thread_of
from holdfast.wire.threads import ThreadFilter

STATUSES = ("busy", "error", "idle", "interrupted")
PAGE = 200  # records read at once


class Order(NamedTuple):
    field: str
    newest: bool  # the last one first


CREATED = Order("created_at", newest=False)


class Key(NamedTuple):
    """Where a thread comes among those that were found."""

    place: str | float
    thread_id: str


class Found(NamedTuple):
    """How many threads there are, and the first of them."""

    total: int
    first: list[Key]


@dataclass(frozen=True, slots=True)
class Question:
    """What the index is asked for: the threads that have all the terms.

    Of them, where `closer` is set, the record has to say the rest.
    """

    terms: frozenset[str]
    closer: bool


async def find(platform: Platform, caller: Caller, wanted: ThreadFilter, order: Order, most: int) -> Found:
    """The first `most` threads of those that are looked for, over all lanes."""
    questions = [
        (Search(platform, caller, wanted, lane), question)
        for lane in range(platform.keys.lanes)
        for question in ask(caller, wanted)
    ]
    parts = await asyncio.gather(*(search.find(question, order, most) for search, question in questions))
    first = merge(*(part.first for part in parts), reverse=order.newest)
    return Found(sum(part.total for part in parts), list(islice(first, most)))


async def every(platform: Platform, caller: Caller, wanted: ThreadFilter) -> AsyncIterator[ThreadRecord]:
    """All threads that are looked for."""
    for lane in range(platform.keys.lanes):
        search = Search(platform, caller, wanted, lane)
        for question in ask(caller, wanted):
            async for entries in search.matches(question):
                for thread in await read_all(platform, caller, list(map(thread_of, entries))):
                    if await meets(platform, caller, wanted, thread):
                        yield thread


def ask(caller: Caller, wanted: ThreadFilter) -> list[Question]:
    """What to ask the index: of threads with too many values for it, only what is no value of metadata."""
    described = join((terms_of(wanted.metadata or {}), *map(terms_of_condition, caller.conditions or ())))
    others = frozenset(filter(None, (wanted.status, wanted.hold and HELD[wanted.hold])))
    closer = bool(wanted.values) or not described.exact
    asked = [Question(others | described.found, closer)]
    return [*asked, Question(others | {WIDE}, closer=True)] if described.found else asked


HELD = {"any": "held", "asked": "asked", "taken": "taken"}


def terms_of_condition(condition: Condition) -> Terms:
    wanted = condition.value
    items = wanted if isinstance(wanted, list) else [wanted]
    plain = not any(isinstance(item, dict | list) for item in (items if condition.contains else [wanted]))
    terms = terms_of({condition.field: items if condition.contains else wanted})
    return Terms(terms.found, terms.exact and plain)


async def meets(platform: Platform, caller: Caller, wanted: ThreadFilter, thread: ThreadRecord) -> bool:
    """Whether a thread is one that is looked for, by its record and its state."""
    if not (caller.may_use(thread) and fits(thread, wanted)):
        return False
    if not wanted.values:
        return True
    return contains(orjson.loads(dump(await values(platform, thread))), wanted.values)


async def read_all(platform: Platform, caller: Caller, ids: Sequence[str]) -> list[ThreadRecord]:
    """The records of those that are there."""
    stored = await asyncio.gather(
        *(lua.read_thread(platform.client, platform.keys, thread_id, caller) for thread_id in ids)
    )
    return [read_thread(thread_id, fields) for thread_id, fields in zip(ids, stored, strict=True) if fields]


class Search:
    """A search in one lane."""

    def __init__(self, platform: Platform, caller: Caller, wanted: ThreadFilter, lane: int) -> None:
        self._platform, self._caller, self._wanted, self._lane = platform, caller, wanted, lane
        scope = scope_of(caller.tenant, caller.owner_filter)
        self._part = Part(platform.client, platform.keys, lane, scope)

    async def find(self, question: Question, order: Order, most: int) -> Found:
        counts = await self._count(question)
        rarest, others = choose(counts)
        total = counts[rarest]
        if total == 0:
            return Found(0, [])
        if not others and not question.closer:
            return Found(total, await self._first(rarest, total, order, min(most, total)))
        entries = [entry async for part in self._matches(rarest, others, question.closer) for entry in part]
        return Found(len(entries), await self._sorted(entries, order, most))

    async def matches(self, question: Question) -> AsyncIterator[list[Entry]]:
        """All threads that the index has for the question, in order of creation."""
        async for entries in self._matches(*choose(await self._count(question)), closer=False):
            yield entries

    async def _count(self, question: Question) -> dict[str, int]:
        """How many threads have each of the terms, once those that have expired are taken out."""
        terms = [EVERY, *question.terms]
        gone, *counts = await asyncio.gather(
            lapse(self._platform.client, self._platform.keys, self._lane), *map(self._part.count, terms)
        )
        if gone:
            return await self._count(question)
        return dict(zip(terms, counts, strict=True))

    async def _matches(self, rarest: str, others: Iterable[str], closer: bool) -> AsyncIterator[list[Entry]]:
        async for entries in self._part.every(rarest):
            have = await asyncio.gather(*(self._part.have(term, entries) for term in others))
            found = [entry for entry, *has in zip(entries, *have, strict=True) if all(has)]
            yield await self._look_closer(found) if closer else found

    async def _look_closer(self, entries: list[Entry]) -> list[Entry]:
        found: list[Entry] = []
        for start in range(0, len(entries), PAGE):
            page = {thread_of(entry): entry for entry in entries[start : start + PAGE]}
            read = await read_all(self._platform, self._caller, list(page))
            found += [page[one.thread_id] for one in read if await self._meets(one)]
        return found

    async def _meets(self, thread: ThreadRecord) -> bool:
        return await meets(self._platform, self._caller, self._wanted, thread)

    async def _first(self, term: str, total: int, order: Order, most: int) -> list[Key]:
        """The first threads of a term, of which there are `total`."""
        if most == 0:
            return []
        if order.field == "created_at":
            return [
                Key(*entry.decode().split(" ", 1))
                for entry in await self._part.first(term, most, newest=order.newest)
            ]
        if (
            order.field == "updated_at"
            and total > AT_ONCE
            and (walked := await self._walk(term, total, order, most))
        ):
            return walked
        entries = [entry async for part in self._part.every(term) for entry in part]
        return await self._sorted(entries, order, most)

    async def _walk(self, term: str, total: int, order: Order, most: int) -> list[Key]:
        """The first threads by their last update, nothing if it is shorter to sort all of them."""
        found: list[Key] = []
        walked = 0
        async for updated in self._part.by_update(self._caller.tenant, newest=order.newest):
            have = await self._part.have(term, [entry for _, entry in updated]) if updated else []
            found += [
                Key(at, thread_of(entry)) for (at, entry), has in zip(updated, have, strict=True) if has
            ]
            walked += len(updated)
            if len(found) >= most:
                return found[:most]
            if walked >= total:
                break
        return []

    async def _sorted(self, entries: list[Entry], order: Order, most: int) -> list[Key]:
        if most == 0:
            return []
        places = await self._places(entries, order.field)
        keys = [Key(place, thread_of(entry)) for place, entry in zip(places, entries, strict=True)]
        return sorted(keys, reverse=order.newest)[:most]

    async def _places(self, entries: list[Entry], field: str) -> Sequence[Any]:
        if field == "created_at":
            return [entry.decode().partition(" ")[0] for entry in entries]
        if field == "thread_id":
            return list(map(thread_of, entries))
        if field == "updated_at":
            return await self._part.updates(self._caller.tenant, entries)
        keys = self._platform.keys
        found: list[str] = []
        for start in range(0, len(entries), AT_ONCE):
            page = entries[start : start + AT_ONCE]
            calls = (self._platform.client.call("HGET", keys.thread(thread_of(one)), field) for one in page)
            found += [(value or b"").decode() for value in await asyncio.gather(*calls)]
        return found


def choose(counts: dict[str, int]) -> tuple[str, list[str]]:
    """The term that the fewest threads have, and those of the others that do not have all of them."""
    rarest, *others = sorted(counts, key=lambda term: (counts[term], term != EVERY))
    return rarest, [term for term in others if counts[term] < counts[EVERY]]
