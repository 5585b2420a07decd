"""Threads looked for: by id, status, metadata, values and who has them; shown as far as is asked for."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any, TypeVar

import orjson

from holdfast.core.extracts import extract
from holdfast.core.filters import fits
from holdfast.core.platform import Platform
from holdfast.core.threads import describe, show, values
from holdfast.events import dump
from holdfast.redis import lua
from holdfast.redis.records import Caller, ThreadRecord, contains, read_thread
from holdfast.wire.threads import ThreadFilter, ThreadSearch

Wanted = TypeVar("Wanted", bound=ThreadFilter)
PAGE = 200  # records read at once while searching
AT_ONCE = 8  # states loaded at once for a page of threads


async def search(
    platform: Platform, caller: Caller, wanted: ThreadSearch
) -> tuple[list[dict[str, Any]], int]:
    """A page of threads, and how many there are in all."""
    caller, wanted = await admit_search(platform, caller, wanted)
    found = [thread async for thread in matching(platform, caller, wanted)]
    found.sort(key=lambda thread: getattr(thread, wanted.sort_by), reverse=wanted.sort_order == "desc")
    page = found[wanted.offset : wanted.offset + wanted.limit]
    shown = await describe_all(platform, page) if needs_values(wanted) else [describe(one) for one in page]
    return [cut(one, wanted) for one in shown], len(found)


def needs_values(wanted: ThreadSearch) -> bool:
    paths = (wanted.extract or {}).values()
    return not wanted.select or "values" in wanted.select or any(path.startswith("values") for path in paths)


def cut(shown: dict[str, Any], wanted: ThreadSearch) -> dict[str, Any]:
    """What was asked for of a thread."""
    fields = wanted.select or shown
    extracted = {"extracted": extract(shown, wanted.extract)} if wanted.extract else {}
    return {**{key: shown[key] for key in fields if key in shown}, **extracted}


async def describe_all(platform: Platform, page: Iterable[ThreadRecord]) -> list[dict[str, Any]]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(thread: ThreadRecord) -> dict[str, Any]:
        async with gate:
            return await show(platform, thread)

    return list(await asyncio.gather(*map(one, page)))


async def admit_search(platform: Platform, caller: Caller, wanted: Wanted) -> tuple[Caller, Wanted]:
    """The project's rules may narrow a search by more `metadata` too."""
    value = wanted.model_dump(exclude_none=True, exclude={"select", "sort_by", "sort_order", "extract"})
    value.setdefault("metadata", {})
    caller = await platform.rules.admit(caller, "threads", "search", value)
    return caller, wanted.model_copy(update={"metadata": value["metadata"]})


async def count(platform: Platform, caller: Caller, wanted: ThreadFilter) -> int:
    caller, wanted = await admit_search(platform, caller, wanted)
    return len([thread async for thread in matching(platform, caller, wanted)])


async def matching(platform: Platform, caller: Caller, wanted: ThreadFilter) -> AsyncIterator[ThreadRecord]:
    async for thread in visible(platform, caller, wanted.ids):
        if not fits(thread, wanted):
            continue
        if wanted.values and not contains(orjson.loads(dump(await values(platform, thread))), wanted.values):
            continue
        yield thread


async def visible(platform: Platform, caller: Caller, ids: list[str] | None) -> AsyncIterator[ThreadRecord]:
    for lane in range(platform.keys.lanes):
        index = platform.keys.threads(lane, caller.tenant, caller.owner_filter)
        if ids is None:
            names = [name.decode() for name in await platform.client.call("ZRANGE", index, 0, -1)]
        else:
            names = [thread_id for thread_id in dict.fromkeys(ids) if platform.keys.lane(thread_id) == lane]
        for start in range(0, len(names), PAGE):
            for thread in await load(platform, caller, index, names[start : start + PAGE]):
                if caller.may_use(thread):
                    yield thread


async def load(platform: Platform, caller: Caller, index: str, ids: list[str]) -> list[ThreadRecord]:
    """Reads records; what has expired meanwhile is taken off the index."""
    stored = await asyncio.gather(
        *(lua.read_thread(platform.client, platform.keys, thread_id, caller) for thread_id in ids)
    )
    gone = [thread_id for thread_id, fields in zip(ids, stored, strict=True) if not fields]
    if gone:
        await platform.client.call("ZREM", index, *gone)
    return [read_thread(thread_id, fields) for thread_id, fields in zip(ids, stored, strict=True) if fields]
