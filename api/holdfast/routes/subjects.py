"""People, as the platform knows them: forgotten when they ask for it. See docs/erasure.md."""

from fastapi import Response

from holdfast.core import erasure
from holdfast.core.erasure import Person
from holdfast.routes.base import CallerDep, PlatformDep, answer, router
from holdfast.wire.shown import Erased
from holdfast.wire.subjects import SubjectErase

routes = router("subjects")


@routes.post("/subjects/erase", response_model=Erased)
async def erase_subject(platform: PlatformDep, caller: CallerDep, asked: SubjectErase) -> Response:
    """Removes all that is kept of a subject in the caller's tenant; for `HOLDFAST_ADMIN_ROLES` only."""
    # The name comes in the body: what stands in an address ends in the logs of every proxy.
    erasure.check_admin(platform, caller)
    erased = await erasure.erase(platform, Person(asked.subject, caller.tenant))
    return answer({"platform": erased.platform, "project": erased.project})
