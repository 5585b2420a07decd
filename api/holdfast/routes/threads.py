"""Threads, their state and their history."""

from typing import Annotated, Any

from fastapi import Header, Query, Response

from holdfast.core import histories, holds, ratings, storage, thread_search, threads
from holdfast.routes.base import CallerDep, PlatformDep, ThreadId, answer, page, router
from holdfast.wire.common import JsonObject
from holdfast.wire.shown import HoldShown, Pruned, Rating, Storage, Thread, ThreadState, Written
from holdfast.wire.threads import (
    HistoryRead,
    HoldPut,
    HoldRelease,
    RatingPut,
    StateRead,
    StateUpdate,
    ThreadCreate,
    ThreadFilter,
    ThreadPatch,
    ThreadSearch,
    ThreadsPrune,
)

routes = router("threads")

CHANGED: dict[int | str, dict[str, Any]] = {204: {"description": "Changed, under `Prefer: return=minimal`"}}


@routes.post("/threads", response_model=Thread)
async def create_thread(platform: PlatformDep, caller: CallerDep, asked: ThreadCreate) -> Response:
    thread = await histories.create(platform, caller, asked)
    return answer(await threads.show(platform, thread))


@routes.post("/threads/search", response_model=list[JsonObject])
async def search_threads(platform: PlatformDep, caller: CallerDep, asked: ThreadSearch) -> Response:
    found, total = await thread_search.search(platform, caller, asked)
    return page(found, total, asked.offset)


@routes.post("/threads/count", response_model=int)
async def count_threads(platform: PlatformDep, caller: CallerDep, asked: ThreadFilter) -> Response:
    return answer(await thread_search.count(platform, caller, asked))


@routes.post("/threads/prune", response_model=Pruned)
async def prune_threads(platform: PlatformDep, caller: CallerDep, asked: ThreadsPrune) -> Response:
    """Deletes threads, or all but the last checkpoint of each, and says of how many."""
    return answer({"pruned_count": await histories.prune(platform, caller, asked)})


@routes.get("/threads/{thread_id}", response_model=Thread)
async def get_thread(
    platform: PlatformDep,
    caller: CallerDep,
    thread_id: ThreadId,
    include: Annotated[str, Query(description="`ttl`, for how long the thread is kept")] = "",
) -> Response:
    return answer(await threads.read(platform, caller, thread_id, include.replace(" ", "").split(",")))


@routes.patch("/threads/{thread_id}", response_model=Thread, responses=CHANGED)
async def patch_thread(
    platform: PlatformDep,
    caller: CallerDep,
    thread_id: ThreadId,
    asked: ThreadPatch,
    prefer: Annotated[str, Header()] = "",
) -> Response:
    await threads.patch(platform, caller, thread_id, asked)
    if "return=minimal" in prefer.replace(" ", "").lower():
        return Response(status_code=204)
    return answer(await threads.read(platform, caller, thread_id))


@routes.delete("/threads/{thread_id}", status_code=204)
async def delete_thread(platform: PlatformDep, caller: CallerDep, thread_id: ThreadId) -> Response:
    await threads.delete(platform, caller, thread_id)
    return Response(status_code=204)


@routes.post("/threads/{thread_id}/copy", response_model=Thread)
async def copy_thread(platform: PlatformDep, caller: CallerDep, thread_id: ThreadId) -> Response:
    """A thread with the same history, and none of its runs."""
    return answer(await threads.show(platform, await histories.copy(platform, caller, thread_id)))


@routes.put("/threads/{thread_id}/hold", response_model=HoldShown)
async def put_hold(
    platform: PlatformDep, caller: CallerDep, thread_id: ThreadId, asked: HoldPut | None = None
) -> Response:
    """Takes the thread over or, for who may not, asks for a person; answers with who has it now."""
    return answer(await holds.put(platform, caller, thread_id, asked or HoldPut()))


@routes.delete("/threads/{thread_id}/hold", status_code=204)
async def delete_hold(
    platform: PlatformDep, caller: CallerDep, thread_id: ThreadId, asked: HoldRelease | None = None
) -> Response:
    """Hands the thread back to its graph, which the next run tells of the `note`; or withdraws the wish for a
    person."""
    await holds.release(platform, caller, thread_id, asked.note if asked else None)
    return Response(status_code=204)


@routes.put("/threads/{thread_id}/rating", response_model=Rating)
async def put_rating(
    platform: PlatformDep, caller: CallerDep, thread_id: ThreadId, asked: RatingPut
) -> Response:
    """Says how the conversation was, in the place of what was said before; for whose it is."""
    return answer(await ratings.put(platform, caller, thread_id, asked))


@routes.get("/threads/{thread_id}/storage", response_model=Storage)
async def get_storage(platform: PlatformDep, caller: CallerDep, thread_id: ThreadId) -> Response:
    """What the thread weighs: in all, by table and by channel."""
    await threads.find(platform, caller, thread_id)
    return answer(await storage.weigh(platform, thread_id))


@routes.get("/threads/{thread_id}/state", response_model=ThreadState)
@routes.get("/threads/{thread_id}/state/{checkpoint_id}", response_model=ThreadState)
async def get_state(
    platform: PlatformDep,
    caller: CallerDep,
    thread_id: ThreadId,
    checkpoint_id: str | None = None,
    subgraphs: Annotated[bool, Query()] = False,
) -> Response:
    return answer(await threads.state(platform, caller, thread_id, checkpoint_id, subgraphs=subgraphs))


@routes.post("/threads/{thread_id}/state/checkpoint", response_model=ThreadState)
async def get_state_at(
    platform: PlatformDep, caller: CallerDep, thread_id: ThreadId, asked: StateRead
) -> Response:
    at = asked.checkpoint
    found = await threads.state(
        platform, caller, thread_id, at.checkpoint_id, at.checkpoint_ns, subgraphs=asked.subgraphs
    )
    return answer(found)


@routes.post("/threads/{thread_id}/state", response_model=Written)
async def update_state(
    platform: PlatformDep, caller: CallerDep, thread_id: ThreadId, asked: StateUpdate
) -> Response:
    return answer(await threads.update_state(platform, caller, thread_id, asked))


@routes.get("/threads/{thread_id}/history", response_model=list[ThreadState])
async def get_history(
    platform: PlatformDep,
    caller: CallerDep,
    thread_id: ThreadId,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1,
    before: str | None = None,
) -> Response:
    asked = HistoryRead(limit=limit, before=before)
    return answer(await threads.history(platform, caller, thread_id, asked))


@routes.post("/threads/{thread_id}/history", response_model=list[ThreadState])
async def search_history(
    platform: PlatformDep, caller: CallerDep, thread_id: ThreadId, asked: HistoryRead
) -> Response:
    return answer(await threads.history(platform, caller, thread_id, asked))
