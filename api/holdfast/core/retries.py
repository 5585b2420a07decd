"""A run that failed, tried again: by a new run that goes on where the failed one has come to.

What the failed run has come through is in checkpoints and is not done again; its last step is, as after a
crash. A question that it was to answer waits again, and is not answered by the retry.
"""

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from uuid_utils.compat import uuid7

from holdfast.core import activity, runs
from holdfast.core.activity import FAILED, check_staff
from holdfast.core.platform import Platform
from holdfast.core.requests import admit
from holdfast.errors import NotRetryable
from holdfast.redis import lua
from holdfast.redis.records import Caller, RunRecord
from holdfast.wire.operations import RunStanding

OF_THE_FAILED = ("resume", "decisions", "http_request_id")  # not of who goes on with it


async def retry(platform: Platform, caller: Caller, thread_id: str, run_id: str) -> RunStanding:
    """Puts the new run in line, once: who asks again is told of the same one.

    Raises `RunNotFound`, `NotRetryable`, `ThreadBusy`, and what putting a run in line raises.
    """
    check_staff(caller)
    failed = await runs.get(platform, caller, thread_id, run_id)
    asker = Caller(failed.request["caller"], caller.tenant)
    once = lua.Once(f"{asker.digest}.{sha256(f'retry {run_id}'.encode()).hexdigest()}", run_id)
    try:
        await lua.check_once(platform.client, platform.keys, thread_id, once)
        await check_failed(platform, failed)
        made = await submit(platform, caller, failed, once)
    except lua.AlreadyMade as earlier:
        made = earlier.run_id
    return await activity.standing(platform, caller, thread_id, made)


async def check_failed(platform: Platform, run: RunRecord) -> None:
    if run.status not in FAILED:
        raise NotRetryable(f"The run is {run.status}: only one that has failed can be tried again.")
    newest = await activity.newest(platform, run.thread_id)
    if newest != run.run_id:
        raise NotRetryable(f"The thread has gone on since, with run {newest}: there is nothing to try again.")


async def submit(platform: Platform, caller: Caller, failed: RunRecord, once: lua.Once) -> str:
    request = new_request(failed)
    caller = await admit(platform, caller, request)
    submission = lua.Submission(
        failed.thread_id,
        request["run_id"],
        request,
        replace(caller, subject=request["caller"]),
        datetime.fromisoformat(request["created_at"]),
        create=False,
        metadata={},
        most=runs.bounds(platform),
        once=once,
    )
    await lua.submit(platform.client, platform.keys, submission)
    return str(request["run_id"])


def new_request(failed: RunRecord) -> dict[str, Any]:
    """The same is asked, for whom it was asked, of what the failed run has left."""
    now = datetime.now(UTC).isoformat()
    kept = {name: value for name, value in failed.request.items() if name not in OF_THE_FAILED}
    retries = [*failed.request.get("retries", ()), failed.run_id]
    new = {"run_id": str(uuid7()), "created_at": now, "due_at": now, "multitask_strategy": "reject"}
    decided = failed.request.get("decisions") or failed.request.get("decided") or ()
    return {**kept, **new, "retries": retries, "decided": list(decided)}
