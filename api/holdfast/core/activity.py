"""Runs of all threads of a tenant, for its staff: those that have not ended, and those that failed last."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import orjson

from holdfast.core import threads
from holdfast.core.platform import Platform
from holdfast.core.requests import about
from holdfast.errors import Forbidden, RunNotFound
from holdfast.redis import activity, failures, lua, stats
from holdfast.redis.activity import Held, Turn
from holdfast.redis.records import Caller, RunRecord, ThreadRecord, moment, read_run, read_thread, run_fields
from holdfast.wire.operations import RunError, RunStanding, RunsWanted

FOR_STAFF = "This is for staff."
FAILED = ("error", "timeout")
LINE = 1000  # runs of one thread that are listed


def check_staff(caller: Caller) -> None:
    """Raises `Forbidden`."""
    if not caller.staff:
        raise Forbidden(FOR_STAFF)


async def list_runs(
    platform: Platform, caller: Caller, status: RunsWanted, *, limit: int, offset: int
) -> tuple[list[RunStanding], int]:
    """A page of the runs in a state, and how many there are."""
    check_staff(caller)
    wanted = {"metadata": {}, "limit": limit, "offset": offset}
    caller = await platform.rules.admit(caller, "threads", "search", wanted)
    if status == "failed":
        return await failed(platform, caller, limit=limit, offset=offset)
    found: list[RunStanding] = []
    async for run in active(platform, caller):
        if status in ("active", run.status):
            found.append(run)
        if len(found) == offset + limit:
            break
    total, running = await stats.read_active(platform.client, platform.keys, caller.tenant)
    counts = {"active": total, "running": running, "pending": total - running}
    return found[offset:], max(counts[status], len(found))


async def active(platform: Platform, caller: Caller) -> AsyncIterator[RunStanding]:
    """All that have not ended: those at work or next first, then those behind them, then those for later."""
    client, keys = platform.client, platform.keys
    seen: set[str] = set()  # a thread whose turn comes meanwhile stands in two places
    for lane in range(keys.lanes):
        async for page in activity.turns(client, keys, lane):
            for of_thread in await asyncio.gather(*(in_line(platform, caller, turn) for turn in page)):
                for run in of_thread:
                    if str(run.run_id) not in seen:
                        seen.add(str(run.run_id))
                        yield run
    for lane in range(keys.lanes):
        async for timed in activity.later(client, keys, lane):
            for found in await asyncio.gather(*(one_of(platform, caller, *named) for named in timed)):
                if found and str(found.run_id) not in seen:
                    yield found


async def held(platform: Platform, caller: Caller, lane: int, most: int) -> list[RunStanding]:
    """Those of a lane that workers have, at most so many, those first that were taken up first."""
    found: list[RunStanding] = []
    async for page in activity.turns(platform.client, platform.keys, lane):
        taken = [turn for turn in page if turn.held]
        for of_thread in await asyncio.gather(*(in_line(platform, caller, turn, 1) for turn in taken)):
            found += of_thread
        if not taken or len(found) >= most:
            break
    return found[:most]


async def in_line(platform: Platform, caller: Caller, turn: Turn, most: int = LINE) -> list[RunStanding]:
    """The first runs in a thread's line, the one whose turn it is before all."""
    thread = await usable(platform, caller, turn.thread_id)
    if thread is None:
        return []
    queue = platform.keys.queue(turn.thread_id)
    ids = [one.decode() for one in await platform.client.call("LRANGE", queue, 0, most - 1)]
    found = await load(platform, thread, ids, turn.held)
    return [run for run in found if run]


async def one_of(platform: Platform, caller: Caller, thread_id: str, run_id: str) -> RunStanding | None:
    thread = await usable(platform, caller, thread_id)
    return (await load(platform, thread, [run_id]))[0] if thread else None


async def failed(
    platform: Platform, caller: Caller, *, limit: int, offset: int, kind: failures.Kind = "failed"
) -> tuple[list[RunStanding], int]:
    """The last runs of threads, where those failed, the newest first."""
    client, keys = platform.client, platform.keys
    listed = await failures.newest(client, keys, caller.tenant, kind, offset + limit)
    page = [one.thread_id for one in listed[offset:]]
    found = await asyncio.gather(*(last_failed(platform, caller, thread_id) for thread_id in page))
    return [run for run in found if run], await failures.count(client, keys, caller.tenant, kind)


async def last_failed(platform: Platform, caller: Caller, thread_id: str) -> RunStanding | None:
    """The thread's newest run, if that is one that failed."""
    thread = await usable(platform, caller, thread_id)
    if thread is None:
        return None
    run_id = await newest(platform, thread_id)
    [run] = await load(platform, thread, [run_id]) if run_id else [None]
    if run and run.status in FAILED:
        return run
    if thread.status != "busy" and not thread.delayed:  # the run that failed was deleted
        await failures.drop(platform.client, platform.keys, thread.tenant, thread_id)
    return None


async def newest(platform: Platform, thread_id: str) -> str | None:
    found = await platform.client.call("ZRANGE", platform.keys.run_order(thread_id), -1, -1)
    return found[0].decode() if found else None


async def standing(platform: Platform, caller: Caller, thread_id: str, run_id: str) -> RunStanding:
    """Raises `ThreadNotFound` and `RunNotFound`."""
    check_staff(caller)
    caller = await threads.admit(platform, caller, thread_id, "read", about(thread_id, run_id))
    thread = await threads.read_record(platform, caller, thread_id)
    held = await activity.holder(platform.client, platform.keys, thread_id)
    [run] = await load(platform, thread, [run_id], held)
    if run is None:
        raise RunNotFound(f"Run with ID {run_id} not found")
    return run


async def usable(platform: Platform, caller: Caller, thread_id: str) -> ThreadRecord | None:
    stored = await lua.read_thread(platform.client, platform.keys, thread_id, caller)
    thread = read_thread(thread_id, stored) if stored else None
    return thread if thread and caller.may_use(thread) else None


async def load(
    platform: Platform, thread: ThreadRecord, run_ids: Sequence[str], held: Held | None = None
) -> list[RunStanding | None]:
    """Runs as they stand; the one that runs is in the hands of `held`."""
    runs = platform.keys.runs(thread.thread_id)
    more = (":started_at", ":node")
    stored = await asyncio.gather(
        *(
            platform.client.call("HMGET", runs, *run_fields(one), *(one + suffix for suffix in more))
            for one in run_ids
        )
    )
    return [
        describe(platform, thread, record, values[-2], values[-1], held) if record else None
        for run_id, values in zip(run_ids, stored, strict=True)
        for record in (read_run(thread.thread_id, run_id, values[:-2]),)
    ]


def describe(
    platform: Platform,
    thread: ThreadRecord,
    run: RunRecord,
    started_at: bytes | None,
    node: bytes | None,
    held: Held | None,
) -> RunStanding:
    request, running = run.request, run.status == "running"
    due = request.get("due_at")
    return RunStanding.model_validate(
        {
            "run_id": run.run_id,
            "thread_id": run.thread_id,
            "graph_id": request["graph_id"],
            "assistant_id": request["assistant_id"],
            "owner": thread.owner,
            "status": run.status,
            "attempt": run.attempt,
            "created_at": run.created_at,
            "due_at": datetime.fromisoformat(due) if due else run.created_at,
            "started_at": moment(started_at) if started_at else None,
            "updated_at": run.updated_at,
            "worker": held.worker if held and running else None,
            "silent_ms": held.silent_ms if held and running else None,
            "node": node.decode() if node and running else None,
            "error": read_error(platform, run),
            "retries": (request.get("retries") or [None])[-1],
        }
    )


def read_error(platform: Platform, run: RunRecord) -> RunError | None:
    return RunError.model_validate(orjson.loads(platform.told(run.error.encode()))) if run.error else None
