"""Many runs at once."""

from typing import Annotated

from fastapi import Body, Query, Response

from holdfast.core import batches, runs
from holdfast.routes.base import CallerDep, PlatformDep, answer, router
from holdfast.wire.runs import CancelAction, RunCreateStateless, RunsCancel
from holdfast.wire.shown import Run

routes = router("runs")


@routes.post("/runs/batch", response_model=list[Run])
async def create_runs(
    platform: PlatformDep,
    caller: CallerDep,
    asked: Annotated[list[RunCreateStateless], Body(min_length=1, max_length=1000)],
) -> Response:
    """Puts runs in line, each on a thread of its own: all of them, or none."""
    created = await batches.create(platform, caller, asked)
    return answer([runs.describe(one.record) for one in created])


@routes.post("/runs/cancel", status_code=204)
async def cancel_runs(
    platform: PlatformDep,
    caller: CallerDep,
    asked: RunsCancel,
    action: Annotated[CancelAction, Query()] = "interrupt",
) -> Response:
    """Ends runs of a thread, or all runs of the caller in a state."""
    await batches.cancel(platform, caller, asked, action)
    return Response(status_code=204)
