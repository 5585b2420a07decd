"""What operators see and do: runs of all threads, what is not tried again, a server at work. For staff."""

from typing import Annotated

from fastapi import Path, Query, Request, Response

from holdfast.core import activity, dead_letters, operations, retries
from holdfast.routes.base import CallerDep, PlatformDep, RunId, ThreadId, answer, page, router
from holdfast.wire.operations import (
    DeadKind,
    DeadLetter,
    DeadLetterDetail,
    Operations,
    Retried,
    RunStanding,
    RunsWanted,
)

routes = router("operations")
of_runs = router("operations")

Limit = Annotated[int, Query(ge=1, le=1000)]
Offset = Annotated[int, Query(ge=0, le=100_000)]
LetterId = Annotated[
    str, Path(description="A letter's id, or `<thread id>:<run id>`", min_length=1, max_length=255)
]


@routes.get("/operations", response_model=Operations)
async def get_operations(request: Request, platform: PlatformDep, caller: CallerDep) -> Response:
    """What waits, what runs and where, who works, how Redis does: cheap enough to be asked every second."""
    found = await operations.read(platform, caller, request.app.state.ticker.open)
    return answer(found.model_dump(mode="json"))


@of_runs.get("/runs", response_model=list[RunStanding])
async def list_all_runs(
    platform: PlatformDep,
    caller: CallerDep,
    status: RunsWanted = "active",
    limit: Limit = 20,
    offset: Offset = 0,
) -> Response:
    """Runs of all threads of the tenant: `active` are those that have not ended, `failed` the last runs of
    threads, where those failed, the newest first."""
    found, total = await activity.list_runs(platform, caller, status, limit=limit, offset=offset)
    return page([one.model_dump(mode="json") for one in found], total, offset)


@of_runs.get("/threads/{thread_id}/runs/{run_id}/standing", response_model=RunStanding)
async def get_standing(
    platform: PlatformDep, caller: CallerDep, thread_id: ThreadId, run_id: RunId
) -> Response:
    """How a run stands: who has it, at which attempt and node, what it failed of."""
    found = await activity.standing(platform, caller, thread_id, run_id)
    return answer(found.model_dump(mode="json"))


@of_runs.post("/threads/{thread_id}/runs/{run_id}/retry", response_model=RunStanding)
async def retry_run(platform: PlatformDep, caller: CallerDep, thread_id: ThreadId, run_id: RunId) -> Response:
    """Tries a failed run again: a new run goes on where it had come to, and is the same when asked again."""
    found = await retries.retry(platform, caller, thread_id, run_id)
    return answer(found.model_dump(mode="json"))


@of_runs.get("/dead-letters", response_model=list[DeadLetter])
async def list_dead_letters(
    platform: PlatformDep,
    caller: CallerDep,
    kind: DeadKind | None = None,
    limit: Limit = 20,
    offset: Offset = 0,
) -> Response:
    """What is not tried again by itself, the newest first: runs that have used up their attempts, letters to
    webhooks that did not arrive."""
    found, total = await dead_letters.list_dead(platform, caller, kind, limit=limit, offset=offset)
    return page([one.model_dump(mode="json") for one in found], total, offset)


@of_runs.get("/dead-letters/{letter_id}", response_model=DeadLetterDetail)
async def get_dead_letter(platform: PlatformDep, caller: CallerDep, letter_id: LetterId) -> Response:
    """One of them, with what was asked of the run or what the letter says."""
    found = await dead_letters.show(platform, caller, letter_id)
    return answer(found.model_dump(mode="json"))


@of_runs.post("/dead-letters/{letter_id}/retry", response_model=Retried)
async def retry_dead_letter(platform: PlatformDep, caller: CallerDep, letter_id: LetterId) -> Response:
    """Tries the run again, or sends the letter again at once, with all its attempts before it."""
    found = await dead_letters.retry(platform, caller, letter_id)
    return answer(found.model_dump(mode="json"))


@of_runs.delete("/dead-letters/{letter_id}", status_code=204)
async def drop_dead_letter(platform: PlatformDep, caller: CallerDep, letter_id: LetterId) -> Response:
    """Gives it up for good. A run stays on its thread as it is, and is listed no more."""
    await dead_letters.drop(platform, caller, letter_id)
    return Response(status_code=204)
