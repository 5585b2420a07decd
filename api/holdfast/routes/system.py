"""Whether the server works, and what it is."""

from contextlib import suppress
from importlib.metadata import version
from typing import Any

from fastapi import Request, Response

from holdfast import __version__
from holdfast.auth import DevAuthenticator
from holdfast.core.platform import Platform
from holdfast.errors import Unavailable
from holdfast.redis.checks import name_server
from holdfast.routes import ui
from holdfast.routes.base import PlatformDep, answer, open_router, router

routes = open_router("system")
about = open_router("system")
reference = router("system")

UNABLE: dict[int | str, dict[str, Any]] = {503: {"description": "Not for the moment, and why"}}

# The release of the official server whose wire is served: clients switch features by it.
WIRE_VERSION = "0.16.7"


@routes.get("/ok", responses=UNABLE)
async def ok(request: Request, platform: PlatformDep) -> Response:
    """Says that the process answers; with `?check_db=1` also that Redis does."""
    if platform.project.http.disable_meta:
        return answer({"ok": True})
    if request.query_params.get("check_db") in ("1", "true"):
        try:
            await platform.client.call("PING")
        except Unavailable as error:
            return answer({"ok": False, "detail": error.detail, "code": error.code}, error.status)
    return answer({"ok": True, "services": {}})


@routes.get("/", include_in_schema=False)
async def home(request: Request, platform: PlatformDep) -> Response:
    """The page for a browser; what `/ok` says for everything else."""
    if ui.wants_page(request) and not platform.project.http.disable_ui:
        return ui.serve(request, ui.HOME)
    return await ok(request, platform)


@routes.get("/livez")
async def livez() -> Response:
    """Says that the process runs, whatever Redis does: a restart would not help Redis."""
    return answer({"ok": True})


@routes.get("/readyz", responses=UNABLE)
async def readyz(request: Request) -> Response:
    """Says whether this process takes new work; if not, why: `reason` and, in a sentence, `detail`.

    Under `checks` is each thing that it looked at. A `warning` is what the project's own check says: it makes
    nobody unready.
    """
    report = await request.app.state.health.report()
    if report.ok:
        return answer(report.shown())
    return answer(report.shown(), Unavailable.status, {"Retry-After": "1"})


@reference.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> Response:
    """Every route, for callers that are known."""
    return answer(request.app.openapi())


@about.get("/docs", include_in_schema=False)
async def docs() -> Response:
    """Where other servers show their routes."""
    return Response(status_code=307, headers={"Location": "ui/reference"})


@about.get("/info")
async def info(request: Request, platform: PlatformDep) -> Response:
    """What this server is; under `HOLDFAST_AUTH=dev` also what it runs on, for the page at `/`."""
    http = platform.project.http
    dev = isinstance(request.app.state.sign_in.own, DevAuthenticator)
    shown: dict[str, Any] = {
        "version": WIRE_VERSION,
        "langgraph_py_version": version("langgraph"),
        "flags": {
            "assistants": not http.disable_assistants,
            "crons": not http.disable_runs,
            "langsmith": False,
            "strict_resume": True,
        },
        "host": {"kind": "self-hosted", "name": "holdfast", "version": __version__},
        "sign_in": "dev" if dev else "token",
    }
    return answer({**shown, **await describe_dev(request, platform)} if dev else shown)


async def describe_dev(request: Request, platform: Platform) -> dict[str, Any]:
    """What only a developer on this machine is told."""
    custom = request.app.state.custom
    told: dict[str, Any] = {"routes": custom.paths if custom else []}
    with suppress(Unavailable):  # /readyz says what is wrong
        told["redis"] = await name_server(platform.client)
    return told
