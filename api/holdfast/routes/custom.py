"""The project's own routes: the app that `http.app` of langgraph.json names, behind the same sign-in."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import Request
from fastapi.requests import HTTPConnection
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from holdfast.auth import DevAuthenticator
from holdfast.auth.rules import User
from holdfast.errors import HoldfastError, StartError
from holdfast.imports import load_target, reason
from holdfast.project import Project
from holdfast.redis.records import Caller
from holdfast.routes.base import let_in, limit

SAFE = ("GET", "HEAD", "OPTIONS")
OURS = "holdfast:"  # what a scope begins with that only the server gives
REFUSED = 1008  # to a websocket: against the rules


def load_app(project: Project) -> Starlette | None:
    """The project's app, if it has one. Raises `StartError`."""
    path = project.http.app
    if path is None:
        return None
    app = load_target(project.folder, '"http.app"', path)
    if not isinstance(app, Starlette):
        raise StartError(
            f'"http.app": {path} is a {type(app).__name__}: it must be a Starlette or FastAPI application.'
        )
    return app


@asynccontextmanager
async def open_app(project: Project) -> AsyncIterator["Custom | None"]:
    """The project's app for as long as its lifespan. Raises `StartError`."""
    app = load_app(project)
    if app is None:
        yield None
        return
    async with AsyncExitStack() as stack:
        try:
            state = await stack.enter_async_context(app.router.lifespan_context(app))
        except Exception as error:  # whatever the project's own code raises
            raise StartError(
                f'"http.app": {project.http.app} cannot start, {type(error).__name__}: {reason(error)}.'
            ) from error
        yield Custom(app, state or {})


class Custom:
    """Answers what no route of the platform does, where a route of the project's app may."""

    def __init__(self, app: Starlette, state: Mapping[str, Any]) -> None:
        self._app = app
        self._state = state

    @property
    def paths(self) -> list[str]:
        """What the project has routes for."""
        return sorted({path for route in self._app.routes if (path := getattr(route, "path", ""))})

    def before(self, otherwise: ASGIApp) -> ASGIApp:
        """Leaves to `otherwise` what the project has no route for."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            route = self._find(scope)
            if route is None:
                await otherwise(scope, receive, send)
                return
            scope["route"] = route  # for the access log
            await self._serve(scope, receive, send)

        return answer

    def _find(self, scope: Scope) -> BaseRoute | None:
        """The app itself sends from `/path/` to `/path` and back."""
        path = scope["path"]
        others = path.rstrip("/") if path.endswith("/") else f"{path}/"
        for candidate in ({**scope}, {**scope, "path": others}):
            for route in self._app.routes:
                if route.matches(candidate)[0] is not Match.NONE:
                    return route
        return None

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        try:
            caller = await let_in(connection, reads=scope.get("method") in SAFE)
        except HoldfastError:
            if scope["type"] == "http":
                raise
            await WebSocketClose(REFUSED)(scope, receive, send)
            return
        dev = isinstance(connection.app.state.sign_in.own, DevAuthenticator)
        inside = {
            **scope,
            "user": User(caller),
            "auth": AuthCredentials(scopes(caller, dev=dev)),
            "state": dict(self._state),
        }
        await self._app(
            inside, bounded(Request(scope), receive) if scope["type"] == "http" else receive, send
        )


def scopes(caller: Caller, *, dev: bool) -> list[str]:
    """What `starlette.authentication.requires` may ask for: the caller's permissions, and what we know."""
    given = [one for one in User(caller).permissions if not str(one).startswith(OURS)]
    known = {"staff": caller.staff, "dev": dev, "write": "write" in caller.scopes}
    return ["authenticated", *given, *(OURS + name for name, holds in known.items() if holds)]


def bounded(request: Request, receive: Receive) -> Receive:
    """The body of a request, up to the size that the platform's own routes take. Raises `TooLarge`."""
    most, size = request.app.state.platform.settings.max_body_bytes, 0
    declared = request.headers.get("content-length", "")
    if declared.isdecimal():
        limit(int(declared), most)

    async def receive_bounded() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        limit(size, most)
        return message

    return receive_bounded
