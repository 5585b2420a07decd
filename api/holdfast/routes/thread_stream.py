"""The stream of a thread: what all its runs say, for ever."""

import re
from collections.abc import AsyncGenerator
from typing import Annotated, get_args
from urllib.parse import urlencode

from fastapi import Header, Query, Request, Response

from holdfast.core import thread_stream
from holdfast.core.following import pieces
from holdfast.core.thread_stream import ThreadStream
from holdfast.errors import Invalid
from holdfast.routes.base import CallerDep, PlatformDep, ThreadId, later, router
from holdfast.routes.following import frame
from holdfast.routes.sse import STREAMED, event_stream
from holdfast.wire.threads import ThreadStreamMode

routes = router("threads")

MODES = get_args(ThreadStreamMode)

Modes = Annotated[
    list[str] | None, Query(description="run_modes (the default), lifecycle, state_update: one or several")
]


@routes.get("/threads/{thread_id}/stream", response_class=Response, responses=STREAMED)
async def stream_thread(
    request: Request,
    platform: PlatformDep,
    caller: CallerDep,
    thread_id: ThreadId,
    stream_modes: Modes = None,
    stream_mode: Modes = None,
    after: Annotated[str | None, Query(include_in_schema=False)] = None,
    made: Annotated[int | None, Query(include_in_schema=False)] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Streams the events of all runs of a thread, from now on or after `Last-Event-ID`."""
    # Documented under the one name, sent by the SDKs under the other.
    modes = read_modes([*(stream_modes or ()), *(stream_mode or ())])
    followed = await thread_stream.follow(platform, caller, thread_id, modes, last_event_id or after, made)
    return event_stream(frames(request, followed), {"Location": location(request, followed)})


def read_modes(given: list[str]) -> frozenset[str]:
    """The modes as clients send them: one or several, between commas, or as a JSON array."""
    modes = {mode for text in given for mode in re.findall(r'[^\s,"\[\]]+', text)}
    for mode in sorted(modes.difference(MODES)):
        raise Invalid(f"Invalid stream mode: {mode}. There are {', '.join(MODES)}.")
    return frozenset(modes or {"run_modes"})


def location(request: Request, followed: ThreadStream) -> str:
    """Where to go on: clients that reconnect send no query, and no id before they have seen an event."""
    own = {"after": followed.start.id, "made": followed.made}
    asked = [(name, value) for name, value in request.query_params.multi_items() if name not in own]
    return f"{request.url.path}?{urlencode([*asked, *own.items()])}"


async def frames(request: Request, followed: ThreadStream) -> AsyncGenerator[bytes, None]:
    try:
        async for batch in followed.batches():
            for piece in pieces(frame(stored, with_id=True) for stored in batch):
                yield piece
    finally:
        later(request, followed.close())
