"""What is not tried again by itself: runs that have used up their attempts, letters that did not arrive."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from holdfast.core import activity, retries, runs
from holdfast.core.activity import check_staff, usable
from holdfast.core.platform import Platform
from holdfast.core.webhooks import letters
from holdfast.core.webhooks.bodies import body_of
from holdfast.core.webhooks.courier import shown_host
from holdfast.errors import NotFound
from holdfast.redis import failures, outbox
from holdfast.redis.outbox import Filed, Letter
from holdfast.redis.records import Caller
from holdfast.wire.common import canonical
from holdfast.wire.operations import DeadKind, DeadLetter, DeadLetterDetail, Retried, RunStanding


class Dead(NamedTuple):
    """A dead letter with what stands behind it: the run, or the letter."""

    shown: DeadLetter
    run: RunStanding | None = None
    letter: Letter | None = None


async def list_dead(
    platform: Platform, caller: Caller, kind: DeadKind | None, *, limit: int, offset: int
) -> tuple[list[DeadLetter], int]:
    """A page of them, the newest first, and how many there are."""
    check_staff(caller)
    caller = await platform.rules.admit(caller, "threads", "search", {"metadata": {}})
    most = offset + limit
    found, total = await dead_runs(platform, caller, most) if kind != "webhook" else ([], 0)
    if kind != "run":
        sent = await dead_webhooks(platform, caller)
        found, total = [*found, *sent], total + len(sent)
    found.sort(key=lambda one: one.shown.at, reverse=True)
    return [one.shown for one in found[offset:most]], total


async def dead_runs(platform: Platform, caller: Caller, most: int) -> tuple[list[Dead], int]:
    found, total = await activity.failed(platform, caller, limit=most, offset=0, kind="given_up")
    return [of_run(run) for run in found], total


def of_run(run: RunStanding) -> Dead:
    shown = DeadLetter(
        id=f"{run.thread_id}:{run.run_id}",
        kind="run",
        at=run.updated_at,
        thread_id=run.thread_id,
        what=run.graph_id,
        host=None,
        attempts=run.attempt,
        error=run.error.message if run.error else "",
    )
    return Dead(shown, run=run)


async def dead_webhooks(platform: Platform, caller: Caller) -> list[Dead]:
    """Those of threads that the caller may use. How many are kept is bounded, over all tenants."""
    filed = await letters.dead(platform)
    return await of_letters(platform, caller, filed)


async def of_letters(platform: Platform, caller: Caller, filed: Sequence[Filed]) -> list[Dead]:
    found = await asyncio.gather(*(of_letter(platform, caller, one) for one in filed))
    return [dead for dead in found if dead]


async def of_letter(platform: Platform, caller: Caller, filed: Filed) -> Dead | None:
    thread_id = filed.address.thread_id
    if not await usable(platform, caller, thread_id):
        return None
    letter = await outbox.read(platform.client, platform.keys, filed.address)
    if letter is None:
        return None
    shown = DeadLetter.model_validate(
        {
            "id": letter.id,
            "kind": "webhook",
            "at": filed.at,
            "thread_id": thread_id,
            "what": letter.content["type"],
            "host": shown_host(letter.url),
            "attempts": letter.attempt,
            "error": letter.error,
        }
    )
    return Dead(shown, letter=letter)


async def find(platform: Platform, caller: Caller, letter_id: str) -> Dead:
    """Raises `NotFound`, also for what is somebody else's, or no dead letter any more."""
    check_staff(caller)
    caller = await platform.rules.admit(caller, "threads", "search", {"metadata": {}})
    thread_id, colon, run_id = letter_id.partition(":")
    found = await find_run(platform, caller, thread_id, run_id) if colon else None
    if not colon:
        filed = [one for one in await letters.dead(platform) if one.address.id == letter_id]
        found = next(iter(await of_letters(platform, caller, filed)), None)
    if found is None:
        raise NotFound("There is no such dead letter.")
    return found


async def find_run(platform: Platform, caller: Caller, thread_id: str, run_id: str) -> Dead | None:
    try:
        thread_id, run_id = canonical(thread_id), canonical(run_id)
    except ValueError:
        return None
    index = platform.keys.given_up(platform.keys.lane(thread_id), caller.tenant)
    listed = await platform.client.call("ZSCORE", index, thread_id)
    run = await activity.last_failed(platform, caller, thread_id) if listed else None
    return of_run(run) if run and str(run.run_id) == run_id else None


async def show(platform: Platform, caller: Caller, letter_id: str) -> DeadLetterDetail:
    """Raises `NotFound`."""
    found = await find(platform, caller, letter_id)
    if found.letter:
        content = orjson.loads(await body_of(platform, found.letter))
    else:
        thread_id, _, run_id = found.shown.id.partition(":")
        content = runs.describe(await runs.get(platform, caller, thread_id, run_id))["kwargs"]
    return DeadLetterDetail(**found.shown.model_dump(), content=content)


async def retry(platform: Platform, caller: Caller, letter_id: str) -> Retried:
    """Raises `NotFound`, and what `retries.retry` raises."""
    found = await find(platform, caller, letter_id)
    if found.letter:
        await outbox.replay(platform.client, platform.keys, found.letter.address)
        return Retried(kind="webhook", run=None)
    thread_id, _, run_id = found.shown.id.partition(":")
    return Retried(kind="run", run=await retries.retry(platform, caller, thread_id, run_id))


async def drop(platform: Platform, caller: Caller, letter_id: str) -> None:
    """Takes it off the list; the run stays on its thread as it is. Raises `NotFound`."""
    client, keys = platform.client, platform.keys
    found = await find(platform, caller, letter_id)
    if found.letter:
        await outbox.withdraw(client, keys, found.letter.address, only_dead=True)
    else:
        await failures.drop(client, keys, caller.tenant, str(found.shown.thread_id))
