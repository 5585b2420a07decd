"""Answers that take as long as a run: streams of its events, and the wait for its end."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from holdfast.core.following import Followed, Result, pieces
from holdfast.errors import Forbidden, NotFound, Refused
from holdfast.redis.stream import Stored
from holdfast.routes.base import JSON, later
from holdfast.routes.sse import PING_S, EventStream, event_stream, no_frames

Cancel = Callable[[], Awaitable[None]]


def run_headers(thread_id: str, run_id: str, view: str = "") -> dict[str, str]:
    """Where the run is, and where this view of it can be taken up again."""
    run = f"/threads/{thread_id}/runs/{run_id}"
    return {"Content-Location": run, "Location": f"{run}/{view}"} if view else {"Content-Location": run}


def frame(stored: Stored, *, with_id: bool) -> bytes:
    text = b"event: %b\r\ndata: %b\r\n" % (stored.event.name.encode(), stored.event.data)
    return text + b"id: %b\r\n\r\n" % stored.id.encode() if with_id else text + b"\r\n"


def stream(request: Request, followed: Followed, cancel: Cancel | None) -> EventStream:
    """The run's events as SSE; `cancel` is called when the client leaves before the end."""
    headers = run_headers(followed.thread_id, followed.run_id, "stream")
    return event_stream(frames(request, followed, cancel), headers)


async def frames(request: Request, followed: Followed, cancel: Cancel | None) -> AsyncGenerator[bytes, None]:
    try:
        async for batch in followed.shown():
            for piece in pieces(frame(stored, with_id=followed.resumable) for stored in batch):
                yield piece
    finally:
        if cancel and not followed.ended:
            later(request, cancelled(request, cancel))
        later(request, followed.close())


async def cancelled(request: Request, cancel: Cancel) -> None:
    if request.app.state.closing.is_set():
        return  # it was not the client who left
    with suppress(NotFound, Forbidden, Refused):  # it ended just now, or is not the caller's to end
        await cancel()


async def wait(
    request: Request,
    result: Awaitable[Result],
    thread_id: str,
    run_id: str,
    cancel: Cancel | None,
) -> Response:
    """The run's result as JSON; see `patiently`."""
    return await patiently(request, result, run_headers(thread_id, run_id, "join"), cancel)


async def patiently(
    request: Request, result: Awaitable[Result], headers: dict[str, str], cancel: Cancel | None = None
) -> Response:
    """A result as JSON. One that takes longer is answered with blank lines until it is there.

    So it is when the server is about to close: cut with its headers sent, the answer says where to ask again.
    """
    work = asyncio.ensure_future(result)
    gone = asyncio.create_task(left(request))
    closing = asyncio.create_task(request.app.state.closing.wait())
    try:
        await asyncio.wait({work, gone, closing}, timeout=PING_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        closing.cancel()
    if work.done():
        found = work.result()
        status = {"X-Run-Status": found.status} if found.status else {}
        return Response(found.body, 200, {**headers, **status}, JSON)
    if gone.done() and not gone.cancelled():
        work.cancel()
        if cancel:
            later(request, cancelled(request, cancel))
        return Response(status_code=499)
    return StreamingResponse(blanks(request, work, cancel), headers=headers, media_type=JSON)


async def left(request: Request) -> None:
    """Returns when the client has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def blanks(
    request: Request, work: asyncio.Future[Result], cancel: Cancel | None
) -> AsyncIterator[bytes]:
    try:
        while not work.done():
            yield b"\n"
            await asyncio.wait({work}, timeout=PING_S)
        yield work.result().body
    finally:
        if not work.done():
            work.cancel()
            if cancel:
                later(request, cancelled(request, cancel))


def empty_stream(thread_id: str, run_id: str) -> EventStream:
    return event_stream(no_frames(), run_headers(thread_id, run_id, "stream"))
