"""Runs on a thread."""

from functools import partial
from typing import Annotated, Any

import orjson
from fastapi import Header, Query, Request, Response

from holdfast.core import runs, timeline
from holdfast.core.following import resume_place
from holdfast.errors import BadRequest
from holdfast.routes.base import CallerDep, IdempotencyKey, PlatformDep, RunId, ThreadId, answer, page, router
from holdfast.routes.following import empty_stream, run_headers, stream, wait
from holdfast.routes.sse import STREAMED, of_new_run
from holdfast.wire.common import JsonObject
from holdfast.wire.runs import CancelAction, RunCreate, RunField
from holdfast.wire.shown import Run
from holdfast.wire.stats import Timeline

routes = router("runs")

ACCEPTED: dict[int | str, dict[str, Any]] = {202: {"description": "The run is asked to end"}}


@routes.post("/threads/{thread_id}/runs", response_model=Run)
async def create_run(
    platform: PlatformDep,
    caller: CallerDep,
    thread_id: ThreadId,
    asked: RunCreate,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Puts a run in line and answers at once."""
    created = await runs.create(platform, caller, thread_id, asked, idempotency_key)
    await runs.on_disk(platform, created)
    record = created.record
    return answer(runs.describe(record), headers=run_headers(thread_id, record.run_id))


@routes.post("/threads/{thread_id}/runs/wait")
async def wait_run(
    request: Request,
    platform: PlatformDep,
    caller: CallerDep,
    thread_id: ThreadId,
    asked: RunCreate,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Runs, and answers with the final values."""
    created, followed = await runs.follow_new(platform, caller, thread_id, asked, idempotency_key)
    run_id = created.record.run_id
    cancel = partial(runs.stop, platform, created.caller, thread_id, run_id)
    leaving = cancel if asked.on_disconnect == "cancel" else None
    return await wait(request, runs.answer(platform, caller, created, followed), thread_id, run_id, leaving)


@routes.post("/threads/{thread_id}/runs/stream", response_class=Response, responses=STREAMED)
async def stream_run(
    request: Request,
    platform: PlatformDep,
    caller: CallerDep,
    thread_id: ThreadId,
    asked: RunCreate,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Runs, and streams what happens as SSE."""
    created, followed = await runs.follow_new(platform, caller, thread_id, asked, idempotency_key)
    cancel = partial(runs.stop, platform, created.caller, thread_id, created.record.run_id)
    leaving = cancel if asked.on_disconnect == "cancel" else None
    return of_new_run(request, stream(request, followed, leaving))


@routes.get("/threads/{thread_id}/runs", response_model=list[JsonObject])
async def list_runs(
    platform: PlatformDep,
    caller: CallerDep,
    thread_id: ThreadId,
    limit: Annotated[int, Query(ge=1, le=1000)] = 10,
    offset: Annotated[int, Query(ge=0)] = 0,
    status: str | None = None,
    select: Annotated[list[RunField] | None, Query()] = None,
) -> Response:
    found, total = await runs.list_runs(
        platform, caller, thread_id, limit=limit, offset=offset, status=status
    )
    shown = [runs.describe(record) for record in found]
    if select:
        shown = [{key: run[key] for key in select if key in run} for run in shown]
    return page(shown, total, offset)


@routes.get("/threads/{thread_id}/runs/{run_id}", response_model=Run)
async def get_run(platform: PlatformDep, caller: CallerDep, thread_id: ThreadId, run_id: RunId) -> Response:
    return answer(runs.describe(await runs.get(platform, caller, thread_id, run_id)))


@routes.get("/threads/{thread_id}/runs/{run_id}/timeline", response_model=Timeline)
async def get_timeline(
    platform: PlatformDep, caller: CallerDep, thread_id: ThreadId, run_id: RunId
) -> Response:
    """What happened in a run and when, as far as its log goes."""
    found = await timeline.read(platform, caller, thread_id, run_id)
    return answer(found.model_dump(mode="json", exclude_unset=True))


@routes.delete("/threads/{thread_id}/runs/{run_id}", status_code=204)
async def delete_run(
    platform: PlatformDep, caller: CallerDep, thread_id: ThreadId, run_id: RunId
) -> Response:
    await runs.delete(platform, caller, thread_id, run_id)
    return Response(status_code=204)


@routes.get("/threads/{thread_id}/runs/{run_id}/join")
async def join_run(
    request: Request,
    platform: PlatformDep,
    caller: CallerDep,
    thread_id: ThreadId,
    run_id: RunId,
    cancel_on_disconnect: Annotated[bool, Query()] = False,
) -> Response:
    """Waits for a run's end and answers with its values."""
    await runs.get(platform, caller, thread_id, run_id)
    cancel = partial(runs.stop, platform, caller, thread_id, run_id)
    result = runs.join(platform, caller, thread_id, run_id)
    return await wait(request, result, thread_id, run_id, cancel if cancel_on_disconnect else None)


@routes.get("/threads/{thread_id}/runs/{run_id}/stream", response_class=Response, responses=STREAMED)
async def join_stream(
    request: Request,
    platform: PlatformDep,
    caller: CallerDep,
    thread_id: ThreadId,
    run_id: RunId,
    stream_mode: Annotated[list[str] | None, Query()] = None,
    cancel_on_disconnect: Annotated[bool, Query()] = False,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Goes on streaming a run from `Last-Event-ID`; see `resume_place`."""
    modes = read_modes(stream_mode)
    _, followed = await runs.follow(platform, caller, thread_id, run_id, after=None)
    after = resume_place(followed, last_event_id)
    if after is None:
        await followed.close()
        return empty_stream(thread_id, run_id)
    followed.after = after
    followed.modes = modes or followed.modes
    cancel = partial(runs.stop, platform, caller, thread_id, run_id)
    return stream(request, followed, cancel if cancel_on_disconnect else None)


def read_modes(given: list[str] | None) -> frozenset[str]:
    """`stream_mode` as clients send it: once, several times, as a JSON array, or empty for the run's own."""
    modes: set[str] = set()
    for text in given or ():
        try:
            listed = orjson.loads(text) if text.startswith("[") else [text]
        except orjson.JSONDecodeError:
            raise BadRequest("stream_mode is neither a mode nor a JSON array of modes.") from None
        modes.update(map(str, listed))
    return frozenset(modes - {""})


@routes.post("/threads/{thread_id}/runs/{run_id}/cancel", responses=ACCEPTED)
async def cancel_run(
    platform: PlatformDep,
    caller: CallerDep,
    thread_id: ThreadId,
    run_id: RunId,
    wait: Annotated[bool, Query()] = False,
    action: Annotated[CancelAction, Query()] = "interrupt",
) -> Response:
    ended = await runs.cancel(platform, caller, thread_id, run_id, action=action, wait=wait)
    return answer(ended) if wait else Response(status_code=202)
