"""What all routes share: who and what they work on, how JSON comes in and goes out."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, cast

import orjson
from fastapi import APIRouter, Depends, Header, Path, Request, Response
from fastapi.requests import HTTPConnection
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Receive, Scope, Send
from structlog.contextvars import bind_contextvars

from holdfast.core.platform import Platform
from holdfast.errors import HoldfastError, ScopeMissing, TooLarge, TooMany, Unavailable
from holdfast.events import dump
from holdfast.limits import check_depth
from holdfast.redis.records import Caller
from holdfast.wire.common import Problem, Uuid, canonical

if TYPE_CHECKING:
    from holdfast.routes.sse import EventStream

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

JSON = "application/json"
RETRY_AFTER_S = 1
CALLER = "holdfast.caller"
STREAMS = ("/stream", "/stream/events")  # what the path of a route ends with that answers with a stream
# What the path of a POST ends with that only reads, or looks at what it is asked for by itself.
READING = (
    *("/search", "/count", "/history", "/state/checkpoint", "/namespaces", "/stream/events", "/versions"),
    "/mcp",
)
# For the reference: how any request may be refused.
REFUSALS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Problem, "description": "The request is refused"},
    503: {"model": Problem, "description": "Not for the moment: see Retry-After"},
}


class JsonRequest(Request):
    """Reads its body with orjson, up to a size and a depth."""

    async def json(self) -> Any:
        return orjson.loads(await self.body())

    async def body(self) -> bytes:
        """Raises `TooLarge`, and `Invalid` for JSON that is nested too deep."""
        if not hasattr(self, "_body"):
            await self._check(self.app.state.platform.settings.max_body_bytes)
        return self._body

    async def _check(self, max_bytes: int) -> None:
        declared = self.headers.get("content-length", "")
        if declared.isdecimal():
            limit(int(declared), max_bytes)
        chunks, size = [], 0
        async for chunk in self.stream():
            size += len(chunk)
            limit(size, max_bytes)
            chunks.append(chunk)
        self._body = body = b"".join(chunks)
        check_depth(body)


def limit(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise TooLarge(f"The request body is too large: {max_bytes} bytes are taken.")


class JsonRoute(APIRoute):
    """Takes every body for JSON: Studio sends it as text/plain. Before it is read, the caller is let in."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        if self.path.endswith(STREAMS):
            handle = counted(handle)

        async def handle_json(request: Request) -> Response:
            bind_contextvars(**ids(request))
            headers = [(name, value) for name, value in request.scope["headers"] if name != b"content-type"]
            scope = {**request.scope, "headers": [*headers, (b"content-type", JSON.encode())]}
            read = JsonRequest(scope, request.receive)
            await self.let_in(read)
            if request.method in ("POST", "PUT", "PATCH", "DELETE"):
                await read.body()
            return await handle(read)

        return handle_json

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return super().matches(self.as_get(scope) if scope.get("method") == "HEAD" else scope)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().handle(self.as_get(scope), receive, send)

    def as_get(self, scope: Scope) -> Scope:
        """A HEAD is a GET of which the server sends no body; of a stream it would have no end."""
        asked = scope["method"] == "HEAD" and not self.path.endswith(STREAMS)
        return {**scope, "method": "GET"} if asked else scope

    async def let_in(self, request: Request) -> None:
        """Raises `Unauthorized`, `RateLimited`, and `ScopeMissing` for a caller who may only read."""
        await let_in(request, reads=reads_only(request, self.path))


def counted(handle: Handler) -> Handler:
    """Counts the stream that a route answers with until it has ended. Raises `TooManyStreams`."""

    async def handle_counted(request: Request) -> Response:
        opened = await request.app.state.platform.streams.open(await identify(request))
        if opened is None:
            return await handle(request)
        try:
            stream = cast("EventStream", await handle(request))
        except BaseException:
            opened.close()
            raise
        stream.counted = opened
        return stream

    return handle_counted


class OpenRoute(JsonRoute):
    """Answers everybody, known or not."""

    async def let_in(self, request: Request) -> None:
        pass


def ids(request: HTTPConnection) -> dict[str, str]:
    """The thread and the run that a path names, for the log: only what is an id, whatever else was sent."""
    found = {}
    for name in ("thread_id", "run_id"):
        with suppress(KeyError, ValueError):
            found[name] = canonical(request.path_params[name])
    return found


def router(tag: str) -> APIRouter:
    return APIRouter(route_class=JsonRoute, tags=[tag], responses=REFUSALS)


def open_router(tag: str) -> APIRouter:
    """For what needs no sign-in."""
    return APIRouter(route_class=OpenRoute, tags=[tag])


def base_url(request: Request) -> str:
    """Where clients reach the server, without a slash at the end."""
    known: str | None = request.app.state.platform.settings.public_url
    return (known or str(request.base_url)).rstrip("/")


async def identify(connection: HTTPConnection) -> Caller:
    """Who is calling; found out once for each request. Raises `Unauthorized`."""
    found: Caller | None = connection.scope.get(CALLER)
    if found is None:
        found = connection.scope[CALLER] = await connection.app.state.sign_in.authenticate(connection)
    return found


async def let_in(connection: HTTPConnection, *, reads: bool) -> Caller:
    """Who is calling. Raises `Unauthorized`, `RateLimited`, and `ScopeMissing` for who may only read."""
    caller = await identify(connection)
    await connection.app.state.platform.rates.take(caller)
    if not reads and "write" not in caller.scopes:
        raise ScopeMissing
    return caller


def reads_only(request: Request, path: str) -> bool:
    """Whether a request to a route changes nothing; of a route that is not known to, it is not assumed."""
    if request.method in ("GET", "HEAD"):
        return request.query_params.get("cancel_on_disconnect") in (None, "0", "false")
    return request.method == "POST" and path.endswith(READING)


async def get_platform(request: Request) -> Platform:
    return request.app.state.platform  # type: ignore[no-any-return]


PlatformDep = Annotated[Platform, Depends(get_platform)]
CallerDep = Annotated[Caller, Depends(identify)]
IdempotencyKey = Annotated[
    str | None,
    Header(description="The same key and body give the same run for 24 hours: for a client that tries again"),
]
ThreadId = Annotated[Uuid, Path(description="A thread's UUID")]
RunId = Annotated[Uuid, Path(description="A run's UUID")]
CronId = Annotated[Uuid, Path(description="A cron's UUID")]


def answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(dump(value), status, headers, JSON)


def refused(error: HoldfastError) -> Response:
    """The answer to what was asked in vain."""
    headers = {**error.headers, **retry_after(error)}
    return answer({**error.more, "detail": error.detail, "code": error.code}, error.status, headers)


def retry_after(error: HoldfastError) -> dict[str, str]:
    match error:
        case TooMany():
            return {"Retry-After": str(error.retry_after_s)}
        case Unavailable():
            return {"Retry-After": str(RETRY_AFTER_S)}
    return {}


def page(values: list[Any], total: int, offset: int) -> Response:
    """A page of a list, with how many there are and where the next page begins."""
    headers = {"X-Pagination-Total": str(total)}
    if offset + len(values) < total:
        headers["X-Pagination-Next"] = str(offset + len(values))
    return answer(values, headers=headers)


def later(request: Request, work: Awaitable[Any]) -> None:
    """Does something after the request is gone."""
    task = asyncio.ensure_future(work)
    request.app.state.background.add(task)
    task.add_done_callback(request.app.state.background.discard)
