"""Crons: runs that start again and again, at times."""

from fastapi import Response

from holdfast.core import crons
from holdfast.routes.base import CallerDep, CronId, PlatformDep, ThreadId, answer, page, router
from holdfast.wire.common import JsonObject
from holdfast.wire.crons import CronCreate, CronFilter, CronPatch, CronSearch
from holdfast.wire.shown import Cron

routes = router("crons")


@routes.post("/threads/{thread_id}/runs/crons", response_model=Cron)
async def create_thread_cron(
    platform: PlatformDep, caller: CallerDep, thread_id: ThreadId, asked: CronCreate
) -> Response:
    """A cron whose runs are all on one thread."""
    return answer(crons.describe(await crons.create(platform, caller, asked, thread_id)))


@routes.post("/runs/crons", response_model=Cron)
async def create_cron(platform: PlatformDep, caller: CallerDep, asked: CronCreate) -> Response:
    """A cron each of whose runs is on a thread of its own."""
    return answer(crons.describe(await crons.create(platform, caller, asked)))


@routes.post("/runs/crons/search", response_model=list[JsonObject])
async def search_crons(platform: PlatformDep, caller: CallerDep, asked: CronSearch) -> Response:
    found, total = await crons.search(platform, caller, asked)
    return page(found, total, asked.offset)


@routes.post("/runs/crons/count", response_model=int)
async def count_crons(platform: PlatformDep, caller: CallerDep, asked: CronFilter) -> Response:
    return answer(await crons.count(platform, caller, asked))


@routes.get("/runs/crons/{cron_id}", response_model=Cron)
async def get_cron(platform: PlatformDep, caller: CallerDep, cron_id: CronId) -> Response:
    return answer(crons.describe(await crons.find(platform, caller, cron_id)))


@routes.patch("/runs/crons/{cron_id}", response_model=Cron)
async def patch_cron(platform: PlatformDep, caller: CallerDep, cron_id: CronId, asked: CronPatch) -> Response:
    """Changes what is given; `end_time: null` takes the end away."""
    return answer(crons.describe(await crons.update(platform, caller, cron_id, asked)))


@routes.delete("/runs/crons/{cron_id}", status_code=204)
async def delete_cron(platform: PlatformDep, caller: CallerDep, cron_id: CronId) -> Response:
    await crons.delete(platform, caller, cron_id)
    return Response(status_code=204)
