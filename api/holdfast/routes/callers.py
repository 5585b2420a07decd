"""Who is calling."""

from fastapi import Response

from holdfast.routes.base import CallerDep, answer, router

routes = router("callers")


@routes.get("/me")
async def me(caller: CallerDep) -> Response:
    """Whom the server takes the caller for: for a page that says who is signed in, and what that allows."""
    shown = {
        "subject": caller.subject,
        "name": caller.user.get("display_name") or caller.subject,
        "tenant": caller.tenant,
        "roles": caller.roles,
        "staff": caller.staff,
        "may_hold": caller.may_hold,
        "scopes": sorted(caller.scopes),
    }
    return answer(shown)
