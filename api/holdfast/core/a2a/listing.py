"""Tasks listed: those of a context, or of all the caller's threads on which the assistant has run."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from holdfast.core import pauses, runs, thread_search, threads
from holdfast.core.a2a import tasks
from holdfast.core.a2a.contexts import find_context
from holdfast.core.a2a.messages import Json
from holdfast.core.a2a.tasks import Task, TaskNotFound
from holdfast.core.platform import Platform
from holdfast.errors import Invalid, ThreadNotFound
from holdfast.redis.records import Caller, RunRecord
from holdfast.wire.threads import ThreadSearch

PAGE, LARGEST_PAGE = 50, 100
MOST_THREADS = 1000  # those used last; what is older is found by its contextId
MOST_RUNS = 1000  # of a thread
AT_ONCE = 8


async def search(platform: Platform, caller: Caller, assistant_id: str, asked: Mapping[str, Any]) -> Json:
    """A page of tasks, those changed last first, in the form of the protocol. Raises `Invalid`."""
    size, offset = read_page(asked)
    named = asked.get("contextId")
    thread_id = find_context(caller, named).thread_id if named else None
    tasks_there = await every(platform, caller, assistant_id, thread_id)
    found = [task for task in tasks_there if fits(task, asked)]
    found.sort(key=lambda task: task.runs[-1].updated_at, reverse=True)
    page, more = found[offset : offset + size], len(found) > offset + size
    shown = [await describe(platform, task, asked) for task in page]
    token = str(offset + size) if more else ""
    return {"tasks": shown, "nextPageToken": token, "pageSize": len(page), "totalSize": len(found)}


async def describe(platform: Platform, task: Task, asked: Mapping[str, Any]) -> Json:
    artifacts = bool(asked.get("includeArtifacts"))
    return await tasks.describe(
        platform, task, history_length=asked.get("historyLength"), artifacts=artifacts
    )


def read_page(asked: Mapping[str, Any]) -> tuple[int, int]:
    size, token = asked.get("pageSize", PAGE), asked.get("pageToken") or "0"
    if not 1 <= size <= LARGEST_PAGE:
        raise Invalid(f"A page has 1 to {LARGEST_PAGE} tasks.")
    if not (token.isascii() and token.isdecimal() and len(token) < 10):
        raise Invalid("This pageToken is not one of ours.")
    if asked.get("historyLength", 0) < 0:
        raise Invalid("A historyLength is not negative.")
    return size, int(token)


def fits(task: Task, asked: Mapping[str, Any]) -> bool:
    since = asked.get("statusTimestampAfter")
    return asked.get("status") in (None, task.state) and (
        since is None or task.runs[-1].updated_at >= datetime.fromisoformat(since)
    )


async def every(platform: Platform, caller: Caller, assistant_id: str, thread_id: str | None) -> list[Task]:
    ids = [thread_id] if thread_id else await used(platform, caller, assistant_id)
    gate = asyncio.Semaphore(AT_ONCE)

    async def of_thread(thread_id: str) -> list[Task]:
        async with gate:
            return await read_all(platform, caller, thread_id, assistant_id)

    return [task for found in await asyncio.gather(*map(of_thread, ids)) for task in found]


async def used(platform: Platform, caller: Caller, assistant_id: str) -> list[str]:
    """The threads on which the assistant has run last."""
    own = {"assistant_id": assistant_id}
    wanted = ThreadSearch(metadata=own, limit=MOST_THREADS, select=["thread_id"], sort_by="updated_at")
    found, _ = await thread_search.search(platform, caller, wanted)
    return [one["thread_id"] for one in found]


async def read_all(platform: Platform, caller: Caller, thread_id: str, assistant_id: str) -> list[Task]:
    """The tasks of a thread; none of one that is not there, or is somebody else's."""
    try:
        thread = await threads.find(platform, caller, thread_id)
        found, _ = await runs.list_runs(platform, caller, thread_id, limit=MOST_RUNS, offset=0, status=None)
        own = caller.on(thread)
        return [await tasks.look(platform, own, thread_id, one) for one in begun(found, assistant_id)]
    except (ThreadNotFound, TaskNotFound):  # it went just now
        return []


def begun(found: list[RunRecord], assistant_id: str) -> list[str]:
    """The runs that began tasks of an assistant."""
    return [
        run.run_id
        for run in found
        if pauses.first_of(run.run_id, run.request) == run.run_id
        and run.request["assistant_id"] == assistant_id
    ]
