"""The ASGI application, built of its parts."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from holdfast import __version__
from holdfast.auth import DevAuthenticator, SignIn
from holdfast.core.health import Health
from holdfast.core.platform import Platform
from holdfast.core.tools import Tools
from holdfast.errors import HoldfastError, StartError
from holdfast.extras import installed
from holdfast.http import ANY, Cors
from holdfast.routes import (
    a2a,
    approvals,
    assistants,
    base,
    batches,
    callers,
    chat,
    crons,
    dev,
    mcp,
    operations,
    protocol,
    runs,
    sockets,
    stateless,
    stats,
    store,
    subjects,
    system,
    thread_stream,
    threads,
    ui,
)
from holdfast.routes.custom import Custom
from holdfast.routes.door import Door
from holdfast.routes.sse import Ticker
from holdfast.settings import Settings

EXPOSED = [
    "Content-Location",
    "Location",
    "X-Pagination-Next",
    "X-Pagination-Total",
    "X-Request-ID",
    "X-Run-Status",
]
# Each with the flags of `http` in langgraph.json that leave it out.
ROUTERS: tuple[tuple[APIRouter, tuple[str, ...]], ...] = (
    (system.routes, ()),
    (system.about, ("disable_meta",)),
    (system.reference, ("disable_meta",)),
    (callers.routes, ()),
    (assistants.routes, ("disable_assistants",)),
    (threads.routes, ("disable_threads",)),
    (thread_stream.routes, ("disable_threads",)),
    (runs.routes, ("disable_runs",)),
    (stateless.routes, ("disable_runs",)),
    (batches.routes, ("disable_runs",)),
    (crons.routes, ("disable_runs",)),
    (store.routes, ("disable_store",)),
    (protocol.routes, ("disable_threads", "disable_runs")),
    (chat.routes, ("disable_runs",)),
    (approvals.routes, ()),
    (stats.routes, ()),
    (operations.routes, ()),
    (operations.of_runs, ("disable_threads", "disable_runs")),
    (subjects.routes, ()),
    (ui.routes, ("disable_ui",)),
)
# Each with the extra that it needs as well.
OF_EXTRAS: tuple[tuple[APIRouter, str, tuple[str, ...]], ...] = (
    (a2a.about, "a2a", ("disable_a2a", "disable_runs")),
    (a2a.routes, "a2a", ("disable_a2a", "disable_runs")),
    (mcp.routes, "mcp", ("disable_mcp", "disable_runs")),
)
# What only clients of OAuth look for, with the extra and the flags of what they call.
OF_OAUTH = ((mcp.about, "mcp", ("disable_mcp", "disable_runs")),)
NAMES = {
    "thread_id": "thread ID",
    "ids": "thread ID",
    "run_id": "run ID",
    "run_ids": "run ID",
    "thread_ids": "thread ID",
    "assistant_id": "assistant ID",
    "cron_id": "cron ID",
    "checkpoint_id": "checkpoint ID",
}


class Application(FastAPI):
    """FastAPI behind the door."""

    def build_middleware_stack(self) -> ASGIApp:
        platform: Platform = self.state.platform
        return Door(super().build_middleware_stack(), platform.recorder, platform.tracing)


def create_app(platform: Platform, sign_in: SignIn, custom: Custom | None = None) -> FastAPI:
    cors = allow_origins(platform.settings, platform.project.http.cors or Cors())
    app = Application(
        title="Holdfast",
        version=__version__,
        summary="A LangGraph agent server on plain Redis",
        openapi_url=None,  # served by routes/system.py, to callers that are known
        middleware=[Middleware(CORSMiddleware, **cors)],
        exception_handlers={
            HoldfastError: answer_error,
            RequestValidationError: answer_invalid,
            HTTPException: answer_http_error,
            Exception: answer_unexpected,
        },
    )
    app.state.platform = platform
    app.state.sign_in = sign_in
    app.state.custom = custom
    app.state.with_credentials = cors["allow_credentials"]
    app.state.may_call = CORSMiddleware(app, **cors).is_allowed_origin
    app.state.background = set()
    app.state.ticker = Ticker(platform.settings.send_timeout_s)
    app.state.sockets = set()
    platform.recorder.watch_streams("sse", lambda: app.state.ticker.open)
    platform.recorder.watch_streams("websocket", app.state.sockets.__len__)
    app.state.tools = Tools(platform)
    app.state.stopping = False  # told to stop: no longer ready
    app.state.health = Health(platform, lambda: app.state.stopping)
    app.state.closing = asyncio.Event()  # answers that are under way are about to be cut
    http = platform.project.http
    of_extras = OF_EXTRAS + (OF_OAUTH if sign_in.issuer else ())
    extras = tuple((router, flags) for router, extra, flags in of_extras if installed(extra))
    for router, flags in (*ROUTERS, *extras):
        if not any(getattr(http, flag) for flag in flags):
            add_routes(app, router)
    if not (http.disable_threads or http.disable_runs):
        app.router.routes.append(sockets.stream_route)
    if isinstance(sign_in.own, DevAuthenticator):
        add_routes(app, dev.routes)
    if custom:
        app.router.default = custom.before(app.router.default)
    return app


def add_routes(app: FastAPI, router: APIRouter) -> None:
    """Each as a route of the application's own: an included router would be a layer more to go through."""
    app.router.routes.extend(router.routes)


def allow_origins(settings: Settings, cors: Cors) -> dict[str, Any]:
    """The pages that either of the two names; where nobody has said anything, those of anybody."""
    said = "cors_origins" in settings.model_fields_set or not cors.names_origins
    origins = [*(settings.cors_origins if said else ()), *(cors.allow_origins or ())]
    if cors.allow_credentials and ANY in origins:
        raise StartError(
            'HOLDFAST_CORS_ORIGINS="*" and "allow_credentials" of langgraph.json would let any page call as '
            "its visitor: name the origins."
        )
    return {
        "allow_origins": origins,
        "allow_origin_regex": cors.allow_origin_regex,
        "allow_methods": cors.allow_methods or [ANY],
        "allow_headers": cors.allow_headers or [ANY],
        "allow_credentials": cors.allow_credentials,
        "expose_headers": [*EXPOSED, *cors.expose_headers],
        "max_age": cors.max_age,
    }


async def answer_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HoldfastError):
        raise error
    return base.refused(error)


async def answer_invalid(_request: Request, error: Exception) -> Response:
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    # The official server answers a malformed query with 400, everything else with 422.
    status = 400 if errors and errors[0]["loc"][0] == "query" else 422
    return base.answer({"detail": sentence(errors), "code": "invalid"}, status)


def sentence(errors: Sequence[Any]) -> str:
    """What is wrong with a request, in one sentence."""
    if not errors:
        return "The request is not well formed."
    first = errors[0]
    _, *where = first["loc"]
    if first["type"] == "json_invalid" or (not where and first["type"] == "missing"):
        return "Invalid JSON in request body"
    message = first["msg"].removeprefix("Value error, ")
    if where and message == "must be a UUID":
        name = next(part for part in reversed(where) if isinstance(part, str))
        return f"Invalid {NAMES.get(name, name)}: {message}"
    return f"{'.'.join(map(str, where))}: {message}" if where else message


async def answer_http_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    told = {"detail": error.detail, "code": HTTPStatus(error.status_code).name.lower()}
    return base.answer(told, error.status_code, dict(error.headers or {}))


async def answer_unexpected(_request: Request, _error: Exception) -> Response:
    """What is told of it; the door logs it."""
    return base.answer({"detail": "An internal error occurred", "code": "internal_error"}, 500)
