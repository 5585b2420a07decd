"""Many runs at once: put in line together, or told to end."""

from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from uuid_utils.compat import uuid7

from holdfast.core import runs, thread_matches, threads
from holdfast.core.platform import Platform
from holdfast.core.requests import about
from holdfast.errors import HoldfastError, NotFound, RunNotFound, ThreadNotFound
from holdfast.redis import lua
from holdfast.redis.records import Caller
from holdfast.wire.runs import CancelAction, RunCreateStateless, RunsCancel
from holdfast.wire.threads import ThreadFilter

ACTIVE = (b"pending", b"running")
STATUSES = {"pending": ACTIVE[:1], "running": ACTIVE[1:], "all": ACTIVE}
NONE_FOUND = "No runs found to cancel."


async def create(
    platform: Platform, caller: Caller, asked: Collection[RunCreateStateless]
) -> list[runs.Created]:
    """Puts runs in line, each on a new thread. Where one is refused, those before it go again."""
    made: list[runs.Created] = []
    try:
        for one in asked:
            made += [await runs.create_stateless(platform, caller, str(uuid7()), one)]
    except HoldfastError:
        for created in made:
            with suppress(ThreadNotFound):  # it has ended, and its thread is gone with it
                await withdraw(platform, created)
        raise
    return made


async def withdraw(platform: Platform, created: runs.Created) -> None:
    caller = replace(created.caller, conditions=(), within=created.caller.subject)
    await threads.delete(platform, caller, created.record.thread_id)


async def cancel(platform: Platform, caller: Caller, asked: RunsCancel, action: CancelAction) -> None:
    """Asks for the end of all runs that are meant. Raises `RunNotFound` when there is none."""
    ended = 0
    if asked.thread_id:
        for run_id in dict.fromkeys(asked.run_ids or ()):
            ended += await end(platform, caller, asked.thread_id, run_id, action)
    else:
        value = {"status": asked.status, "action": action}
        caller = await platform.rules.admit(caller, "threads", "update", value)
        async for thread_id, run_id in found(platform, caller, STATUSES[asked.status or "all"]):
            ended += await end(platform, caller, thread_id, run_id, action)
    if not ended:
        raise RunNotFound(NONE_FOUND)


async def end(platform: Platform, caller: Caller, thread_id: str, run_id: str, action: CancelAction) -> bool:
    """False for a run that is not there, or that has ended."""
    client, keys, now = platform.client, platform.keys, datetime.now(UTC)
    try:
        asked = about(thread_id, run_id, action=action)
        caller = await threads.admit(platform, caller, thread_id, "update", asked)
        await runs.get(platform, caller, thread_id, run_id)
        await lua.cancel(client, keys, thread_id, caller.tenant, run_id, action, now)
    except NotFound:
        return False
    return True


async def found(
    platform: Platform, caller: Caller, statuses: Collection[bytes]
) -> AsyncIterator[tuple[str, str]]:
    """Thread and run of all runs in one of these states that the caller may use."""
    async for thread in thread_matches.every(platform, caller, ThreadFilter()):
        if thread.status == "busy" or thread.delayed:
            for run_id in await active_runs(platform, thread.thread_id, statuses):
                yield thread.thread_id, run_id


async def active_runs(platform: Platform, thread_id: str, statuses: Collection[bytes] = ACTIVE) -> list[str]:
    """The runs that wait or run, the newest first: so none begins because the one before it was canceled."""
    client, keys = platform.client, platform.keys
    ids = [one.decode() for one in await client.call("ZREVRANGE", keys.run_order(thread_id), 0, -1)]
    fields = [f"{run_id}:status" for run_id in ids]
    stored = await client.call("HMGET", keys.runs(thread_id), *fields) if ids else []
    return [run_id for run_id, status in zip(ids, stored, strict=True) if status in statuses]
