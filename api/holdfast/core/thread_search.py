"""Threads looked for: by id, status, metadata, values and who has them; shown as far as is asked for."""

import asyncio
from collections.abc import Iterable
from typing import Any, TypeVar

from holdfast.core import thread_matches
from holdfast.core.extracts import extract
from holdfast.core.filters import fits
from holdfast.core.platform import Platform
from holdfast.core.thread_matches import CREATED, Order, meets, read_all
from holdfast.core.threads import describe, show
from holdfast.redis.records import Caller, ThreadRecord
from holdfast.wire.threads import ThreadFilter, ThreadSearch

Wanted = TypeVar("Wanted", bound=ThreadFilter)
AT_ONCE = 8  # states loaded at once for a page of threads


async def search(
    platform: Platform, caller: Caller, wanted: ThreadSearch
) -> tuple[list[dict[str, Any]], int]:
    """A page of threads, and how many there are in all."""
    caller, wanted = await admit_search(platform, caller, wanted)
    page, total = await find_page(platform, caller, wanted)
    shown = await describe_all(platform, page) if needs_values(wanted) else [describe(one) for one in page]
    return [cut(one, wanted) for one in shown], total


async def find_page(
    platform: Platform, caller: Caller, wanted: ThreadSearch
) -> tuple[list[ThreadRecord], int]:
    order, end = Order(wanted.sort_by, wanted.sort_order == "desc"), wanted.offset + wanted.limit
    if wanted.ids is not None:
        found = await named(platform, caller, wanted, wanted.ids)
        found.sort(key=lambda thread: (getattr(thread, order.field), thread.thread_id), reverse=order.newest)
        return found[wanted.offset : end], len(found)
    total, first = await thread_matches.find(platform, caller, wanted, order, end)
    page = await read_all(platform, caller, [key.thread_id for key in first[wanted.offset :]])
    # What has changed since the index was read is no match any more.
    return [thread for thread in page if caller.may_use(thread) and fits(thread, wanted)], total


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
    if wanted.ids is not None:
        return len(await named(platform, caller, wanted, wanted.ids))
    return (await thread_matches.find(platform, caller, wanted, CREATED, 0)).total


async def matching(platform: Platform, caller: Caller, wanted: ThreadFilter) -> list[ThreadRecord]:
    """All threads that are looked for."""
    if wanted.ids is not None:
        return await named(platform, caller, wanted, wanted.ids)
    return [thread async for thread in thread_matches.every(platform, caller, wanted)]


async def named(
    platform: Platform, caller: Caller, wanted: ThreadFilter, ids: list[str]
) -> list[ThreadRecord]:
    """Those of the threads of these ids that are looked for."""
    found = await read_all(platform, caller, list(dict.fromkeys(ids)))
    return [thread for thread in found if await meets(platform, caller, wanted, thread)]
