"""The outermost layer of the application: an id for each request, headers for each answer, what is told."""

import logging
import re
import time
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, clear_contextvars
from uuid_utils.compat import uuid7

from holdfast.telemetry import access
from holdfast.telemetry.recorder import SILENT, Recorder
from holdfast.telemetry.tracing import Tracing

logger = logging.getLogger(__name__)

Header = tuple[bytes, bytes]

REQUEST_ID = b"x-request-id"
TRACEPARENT = b"traceparent"
SAFE_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")

# For answers that do not say otherwise: the pages have a policy of their own, and may be kept.
HEADERS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)

BEGINS = ("http.response.start", "websocket.http.response.start", "websocket.accept")
SWITCHED = 101  # to a WebSocket
UNKNOWN = "none"  # the route of a path that leads nowhere
GONE = 499  # the client left before there was an answer


class Door:
    """Outside of everything, so that it sees the answers to unexpected errors too."""

    def __init__(self, app: ASGIApp, recorder: Recorder = SILENT, tracing: Tracing | None = None) -> None:
        self._app = app
        self._recorder = recorder
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request_id = read_id(scope["headers"])
        clear_contextvars()  # a server may start a request in the context of the one before it
        bind_contextvars(request_id=request_id)
        began, took_s, status, ended = time.perf_counter(), None, GONE, False
        scope.setdefault("state", {})["asked_at"] = began
        trace = self._tracing and self._tracing.request(method(scope), read_traceparent(scope["headers"]))

        async def send_on(message: Message) -> None:
            nonlocal took_s, status, ended
            if message["type"] in BEGINS:
                took_s, status = time.perf_counter() - began, message.get("status", SWITCHED)
                message["headers"] = completed(message.get("headers", ()), request_id.encode())
            await send(message)
            ended = message["type"] == "http.response.body" and not message.get("more_body", False)

        try:
            await self._app(scope, receive, send_on)
        except Exception:  # whatever it is, it has been answered as an unexpected error
            if not ended:
                raise  # uvicorn logs it, and cuts the connection in the middle of the answer
            logger.exception("unexpected error")
        finally:
            whole_s, route = time.perf_counter() - began, read_route(scope)
            self._recorder.answered(
                method(scope), route or UNKNOWN, status, whole_s if took_s is None else took_s
            )
            if trace:
                trace.end(method(scope), route, status)
            if access.isEnabledFor(logging.INFO):
                log(method(scope), route, status, whole_s)


def read_id(headers: Iterable[Header]) -> str:
    """The id that the caller gave its request, if it is safe to be written down; else a new one."""
    for name, value in headers:
        if name == REQUEST_ID and SAFE_ID.fullmatch(value):
            return value.decode()
    return uuid7().hex


def completed(headers: Iterable[Header], request_id: bytes) -> list[Header]:
    given = list(headers)
    present = {name for name, _ in given}
    return [*given, (REQUEST_ID, request_id), *(header for header in HEADERS if header[0] not in present)]


def method(scope: Scope) -> str:
    found: str = scope.get("method", "GET")  # that of a WebSocket has none
    return found


def read_route(scope: Scope) -> str | None:
    """Which route, never the path, which may hold anything."""
    return getattr(scope.get("route"), "path", None)


def read_traceparent(headers: Iterable[Header]) -> str:
    return next((value.decode("latin-1") for name, value in headers if name == TRACEPARENT), "")


def log(method: str, route: str | None, status: int, seconds: float) -> None:
    """Ids are bound already, and nothing else of a request is for the log."""
    fields = {"method": method, "route": route, "status": status}
    access.info("request", extra={**fields, "ms": round(1000 * seconds, 1)})
