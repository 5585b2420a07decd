"""The project's own sign-in: `@auth.authenticate` of the `langgraph_sdk.Auth` in langgraph.json."""

import asyncio
import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from langgraph_sdk.auth.exceptions import HTTPException
from starlette.exceptions import HTTPException as WebException
from starlette.requests import HTTPConnection, Request

from holdfast.auth.callers import make_caller
from holdfast.auth.dev import TENANT
from holdfast.errors import Refused, StartError, Unauthorized
from holdfast.events import dump
from holdfast.project import Project
from holdfast.redis.records import Caller
from holdfast.settings import Settings

SIMPLE: Mapping[str, Callable[[HTTPConnection], Any]] = {
    "request": lambda asked: asked,
    "path": lambda asked: asked.scope["path"],
    "method": lambda asked: asked.scope.get("method", "GET"),
    "path_params": lambda asked: dict(asked.path_params),
    "query_params": lambda asked: dict(asked.query_params),
    "headers": lambda asked: dict(asked.scope["headers"]),
    "authorization": lambda asked: asked.headers.get("authorization"),
}
BODY = "body"
OF_A_USER = ("identity", "display_name", "is_authenticated", "permissions")
NOBODY = "The project's sign-in knows no such caller."


def takes_over(settings: Settings, project: Project) -> bool:
    """Whether the project signs callers in itself. Raises `StartError` where that leaves a doubt."""
    own = project.auth is not None and project.auth._authenticate_handler is not None
    if settings.auth == "project" and not own:
        raise StartError(
            "HOLDFAST_AUTH=project needs an @auth.authenticate handler: name it in langgraph.json, "
            'as in "auth": {"path": "./auth.py:auth"}.'
        )
    if own and settings.auth not in ("dev", "project"):
        raise StartError(
            f"HOLDFAST_AUTH={settings.auth} is one way to sign in, the @auth.authenticate of langgraph.json "
            "another: set HOLDFAST_AUTH=project, or take the handler out."
        )
    return own


class ProjectAuthenticator:
    """Asks the handler with those of its arguments that it names, and reads the user that it returns."""

    def __init__(self, settings: Settings, project: Project) -> None:
        self._settings = settings
        self._handler: Callable[..., Any] = getattr(project.auth, "_authenticate_handler")  # noqa: B009
        self._names = argument_names(self._handler)

    async def authenticate(self, asked: HTTPConnection) -> Caller:
        arguments = {name: SIMPLE[name](asked) for name in self._names if name != BODY}
        if BODY in self._names:
            arguments[BODY] = await read_body(asked)
        user = read_user(await call(self._handler, arguments))
        tenant, roles = user.get("tenant"), user.get("roles")
        return make_caller(
            self._settings,
            user["identity"],
            tenant if isinstance(tenant, str) else self._settings.default_tenant or TENANT,
            roles if isinstance(roles, list) and all(isinstance(role, str) for role in roles) else (),
            user=user,
        )


def argument_names(handler: Callable[..., Any]) -> frozenset[str]:
    """Raises `StartError` for an argument that nobody can give."""
    names = set()
    for name, parameter in inspect.signature(handler).parameters.items():
        if name in SIMPLE or name == BODY:
            names.add(name)
        elif parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        ):
            raise StartError(
                f"The @auth.authenticate handler asks for {name!r}, which is not known: it may ask for "
                f"{', '.join(sorted((*SIMPLE, BODY)))}."
            )
    return frozenset(names)


async def read_body(asked: HTTPConnection) -> Any:
    """The request's JSON; nothing where there is none, or none that can be read: the route will say so."""
    if not isinstance(asked, Request) or asked.method not in ("POST", "PUT", "PATCH", "DELETE"):
        return {}
    try:
        return await asked.json()
    except ValueError:
        return {}


async def call(handler: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Calls the project's code; its refusals become ours. Raises `Refused`."""
    try:
        if inspect.iscoroutinefunction(handler):
            return await handler(**arguments)
        return await asyncio.to_thread(handler, **arguments)
    except (HTTPException, WebException) as error:
        raise Refused(error.status_code, str(error.detail), dict(error.headers or {})) from error


def read_user(found: Any) -> dict[str, Any]:
    """A user in whatever form the handler gave it, as JSON. Raises `Unauthorized` when it is nobody."""
    told = {"identity": found} if isinstance(found, str) else members(found)
    user: dict[str, Any] = orjson.loads(dump(told))
    if not user.get("identity") or user.get("is_authenticated") is False:
        raise Unauthorized(NOBODY)
    return user


def members(found: Any) -> dict[str, Any]:
    if isinstance(found, Mapping):
        return dict(found)
    if dataclasses.is_dataclass(found) and not isinstance(found, type):
        return dataclasses.asdict(found)
    given = {name: value for name, value in getattr(found, "__dict__", {}).items() if name[:1] != "_"}
    return given | {name: getattr(found, name) for name in OF_A_USER if hasattr(found, name)}
