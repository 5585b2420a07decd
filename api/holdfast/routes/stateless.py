"""Runs on threads of their own, which go with them."""

from functools import partial

from fastapi import Request, Response

from holdfast.core import runs
from holdfast.core.once import thread_for
from holdfast.routes.base import CallerDep, IdempotencyKey, PlatformDep, answer, router
from holdfast.routes.following import run_headers, stream, wait
from holdfast.routes.sse import STREAMED, of_new_run
from holdfast.wire.runs import RunCreateStateless
from holdfast.wire.shown import Run

routes = router("stateless runs")


@routes.post("/runs", response_model=Run)
async def create_stateless_run(
    platform: PlatformDep,
    caller: CallerDep,
    asked: RunCreateStateless,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    thread_id = thread_for(caller, idempotency_key)
    created = await runs.create_stateless(platform, caller, thread_id, asked, idempotency_key)
    record = created.record
    return answer(runs.describe(record), headers=run_headers(record.thread_id, record.run_id))


@routes.post("/runs/wait")
async def wait_stateless_run(
    request: Request,
    platform: PlatformDep,
    caller: CallerDep,
    asked: RunCreateStateless,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    created, followed = await runs.follow_stateless(platform, caller, asked, idempotency_key)
    thread_id, run_id = created.record.thread_id, created.record.run_id
    cancel = partial(runs.stop, platform, created.caller, thread_id, run_id)
    leaving = cancel if asked.on_disconnect == "cancel" else None
    return await wait(request, runs.answer(platform, caller, created, followed), thread_id, run_id, leaving)


@routes.post("/runs/stream", response_class=Response, responses=STREAMED)
async def stream_stateless_run(
    request: Request,
    platform: PlatformDep,
    caller: CallerDep,
    asked: RunCreateStateless,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    created, followed = await runs.follow_stateless(platform, caller, asked, idempotency_key)
    cancel = partial(runs.stop, platform, created.caller, created.record.thread_id, created.record.run_id)
    leaving = cancel if asked.on_disconnect == "cancel" else None
    return of_new_run(request, stream(request, followed, leaving))
