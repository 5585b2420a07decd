"""Protocol v3 over a WebSocket, behind the same sign-in, rates and bounds as every other route."""

import asyncio
import logging
from contextlib import suppress
from urllib.parse import urlsplit

from fastapi import WebSocket, WebSocketDisconnect
from starlette.routing import Match, WebSocketRoute
from starlette.types import Scope
from structlog.contextvars import bind_contextvars

from holdfast.auth import DevAuthenticator
from holdfast.core.platform import Platform
from holdfast.core.subscriptions import Connection
from holdfast.errors import Forbidden, HoldfastError, Invalid
from holdfast.limits import Opened
from holdfast.redis.records import Caller
from holdfast.routes.base import ids, let_in, refused
from holdfast.routes.sse import PING_S
from holdfast.wire.common import canonical

logger = logging.getLogger(__name__)

TOO_LARGE = 1009
BROKEN = 1011
FOREIGN = "Pages of this origin may not call: see HOLDFAST_CORS_ORIGINS."


class SocketRoute(WebSocketRoute):
    """A route whose endpoint lets its callers in by itself; the access log is told which it is."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        return match, {**found, "route": self}


async def stream_socket(websocket: WebSocket) -> None:
    """Commands in, replies and frames out, for as long as the client stays."""
    platform: Platform = websocket.app.state.platform
    bind_contextvars(**ids(websocket))
    try:
        check_origin(websocket)
        caller = await let_in(websocket, reads=True)
        thread_id = read_thread_id(websocket)
        counted = await platform.streams.open(caller)
    except HoldfastError as error:
        await websocket.send_denial_response(refused(error))
        return
    try:
        await websocket.accept()
        websocket.app.state.sockets.add(websocket)
        await converse(websocket, platform, caller, thread_id, counted)
    finally:
        websocket.app.state.sockets.discard(websocket)
        if counted:
            counted.close()


def check_origin(websocket: WebSocket) -> None:
    """Raises `Forbidden` for a page that may not call: browsers do not ask whether it may."""
    origin = websocket.headers.get("origin")
    if origin is None or urlsplit(origin).netloc == websocket.headers.get("host"):
        return
    if not (websocket.app.state.may_call(origin) and may_sign_in(websocket)):
        raise Forbidden(FOREIGN)


def may_sign_in(websocket: WebSocket) -> bool:
    """A page can send no token with this: what else says who calls, such as a cookie, comes with any page."""
    state = websocket.app.state
    token = any(name in websocket.headers for name in ("authorization", "x-api-key"))
    return token or state.with_credentials or isinstance(state.sign_in.own, DevAuthenticator)


def read_thread_id(websocket: WebSocket) -> str:
    try:
        return canonical(websocket.path_params["thread_id"])
    except ValueError as error:
        raise Invalid(f"Invalid thread ID: {error}") from None


async def converse(
    websocket: WebSocket, platform: Platform, caller: Caller, thread_id: str, counted: Opened | None
) -> None:
    async def send(body: bytes) -> None:
        async with asyncio.timeout(platform.settings.send_timeout_s):
            await websocket.send_text(body.decode())

    try:
        async with asyncio.TaskGroup() as group:
            if counted:
                group.create_task(renew(counted), name="lease of a stream")
            connection = Connection(platform, caller, thread_id, send, group)
            await listen(websocket, connection, platform.settings.max_body_bytes)
    except* (WebSocketDisconnect, TimeoutError):
        pass  # the client has left, or does not read
    except* Exception as failures:  # a subscription broke off: its client is to come again, and told so
        logger.error("a connection broke off", exc_info=failures)
        with suppress(WebSocketDisconnect, RuntimeError):  # it has left meanwhile
            await websocket.close(BROKEN)


async def listen(websocket: WebSocket, connection: Connection, max_bytes: int) -> None:
    """Raises `WebSocketDisconnect` when the client has left, or is sent away for what it sends."""
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"])
        body = message.get("bytes") or (message.get("text") or "").encode()
        if len(body) > max_bytes:
            await websocket.close(TOO_LARGE, f"{max_bytes} bytes are taken")
            raise WebSocketDisconnect(TOO_LARGE)
        await connection.take(body)


async def renew(counted: Opened) -> None:
    while True:
        await asyncio.sleep(PING_S)
        counted.renew()


# Added to an application as it is: a router would make a plain one of it.
stream_route = SocketRoute("/threads/{thread_id}/stream/events", stream_socket)
