"""MCP (Model Context Protocol): each assistant is a tool. See docs/mcp.md.

The package of that name comes with the extra `mcp`. It takes a second to load: the first request does that.
"""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import orjson
from fastapi import APIRouter, Request, Response

from holdfast.errors import Forbidden, ScopeMissing, Unauthorized
from holdfast.extras import load
from holdfast.routes.base import (
    REFUSALS,
    CallerDep,
    JsonRoute,
    PlatformDep,
    answer,
    base_url,
    open_router,
)
from holdfast.routes.sockets import FOREIGN
from holdfast.routes.sse import STREAMED
from holdfast.wire.common import JsonObject

SERVER = "holdfast.routes.mcp_server"

CHALLENGE = "WWW-Authenticate"
METADATA = "/.well-known/oauth-protected-resource"  # RFC 9728: followed by the path of what is protected


class ProtectedRoute(JsonRoute):
    """Tells a caller who is not let in where to read whose tokens are taken."""

    async def let_in(self, request: Request) -> None:
        try:
            await super().let_in(request)
        except Unauthorized as error:
            if request.app.state.sign_in.issuer:
                where = f'resource_metadata="{base_url(request)}{METADATA}{self.path}"'
                error.headers = {**error.headers, CHALLENGE: f"{error.headers[CHALLENGE]}, {where}"}
            raise


routes = APIRouter(route_class=ProtectedRoute, tags=["mcp"], responses=REFUSALS)
about = open_router("mcp")  # where tokens are those of an issuer that clients can find

# The protocol says it in words of its own.
NO_MESSAGE: dict[str, Any] = {"model": JsonObject, "description": "This is no message of the protocol"}
UNREADABLE: dict[int | str, dict[str, Any]] = {400: NO_MESSAGE, 406: NO_MESSAGE}


@routes.post("/mcp", response_class=Response, responses={**STREAMED, **UNREADABLE})
async def exchange(request: Request, platform: PlatformDep, caller: CallerDep) -> Response:
    """A JSON-RPC message of MCP over streamable HTTP, without a session: each assistant is a tool."""
    check_origin(request)
    body = await request.body()
    calls = calls_tool(body)
    if calls and "write" not in caller.scopes:
        raise ScopeMissing
    server = await asyncio.to_thread(load, "mcp", SERVER)
    counted = await platform.streams.open(caller) if calls else None
    reply: Response = server.Answer(request, request.app.state.tools, caller, body, counted)
    return reply


@about.get(f"{METADATA}/mcp", response_model=JsonObject)
async def describe_door(request: Request) -> Response:
    """Whose tokens `/mcp` takes, for clients of OAuth (RFC 9728); there only under HOLDFAST_AUTH=jwt."""
    return describe(request, "/mcp")


@about.get(METADATA, response_model=JsonObject)
async def describe_server(request: Request) -> Response:
    """The same of the whole server."""
    return describe(request, "")


def describe(request: Request, path: str) -> Response:
    return answer(
        {
            "resource": f"{base_url(request)}{path}",
            "resource_name": request.app.title,
            "authorization_servers": [request.app.state.sign_in.issuer],
            "bearer_methods_supported": ["header"],
        }
    )


def check_origin(request: Request) -> None:
    """Raises `Forbidden` for a page that may not call; MCP asks servers to look, whatever browsers do."""
    origin = request.headers.get("origin")
    if origin is None or urlsplit(origin).netloc == request.headers.get("host"):
        return
    if not request.app.state.may_call(origin):
        raise Forbidden(FOREIGN)


def calls_tool(body: bytes) -> bool:
    """Whether a message asks for work; one that is no message is for the server to refuse."""
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(message, dict) and message.get("method") == "tools/call"
