"""Figures for staff."""

from typing import Annotated

from fastapi import Query, Response

from holdfast.core import stats
from holdfast.routes.base import CallerDep, PlatformDep, answer, router
from holdfast.wire.stats import Stats

routes = router("stats")


@routes.get("/stats", response_model=Stats)
async def get_stats(
    platform: PlatformDep, caller: CallerDep, days: Annotated[int, Query(ge=1, le=31)] = 14
) -> Response:
    """What runs and waits now in the caller's tenant, and what happened on each of the last days."""
    found = await stats.read(platform, caller, days)
    return answer(found.model_dump(mode="json", by_alias=True))
