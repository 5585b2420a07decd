"""Protocol v3 over HTTP: commands, and the frames of a thread as SSE."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any

import orjson
from fastapi import Header, Request, Response
from pydantic import ValidationError

from holdfast.core import protocol
from holdfast.core.following import pieces
from holdfast.core.protocol import Follower
from holdfast.errors import BadRequest, RateLimited
from holdfast.routes.base import JSON, CallerDep, JsonRoute, PlatformDep, ThreadId, answer, later, router
from holdfast.routes.sse import STREAMED, event_stream
from holdfast.wire.common import Body, sentence
from holdfast.wire.protocol import Command, EventsRequest

routes = router("protocol")

LIMITED = "holdfast.limited"


class CommandRoute(JsonRoute):
    """Lets in whoever asks too often, too: the reply to the command says so."""

    async def let_in(self, request: Request) -> None:
        try:
            await super().let_in(request)
        except RateLimited as error:
            request.scope[LIMITED] = error


def taking(body: type[Body]) -> dict[str, Any]:
    """For the reference: a body that the route reads by itself, to refuse it in the protocol's own words."""
    return {"requestBody": {"required": True, "content": {JSON: {"schema": body.model_json_schema()}}}}


async def read_body(request: Request) -> Any:
    try:
        return await request.json()
    except orjson.JSONDecodeError:
        raise BadRequest("Invalid JSON body") from None


async def command(
    request: Request, platform: PlatformDep, caller: CallerDep, thread_id: ThreadId
) -> Response:
    """Carries out a command. What cannot be done is said in the reply, with status 200."""
    body = await read_body(request)
    named = body.get("id") if isinstance(body, dict) else None
    if limited := request.scope.get(LIMITED):
        return answer(protocol.refusal(named, limited.code, limited.detail))
    try:
        asked = Command.model_validate(body)
    except ValidationError:
        return answer(protocol.refusal(named, "invalid_argument", protocol.NO_COMMAND), 400)
    return answer(await protocol.carry_out(platform, caller, thread_id, asked))


routes.add_api_route(
    "/threads/{thread_id}/commands",
    command,
    methods=["POST"],
    route_class_override=CommandRoute,
    openapi_extra=taking(Command),
    responses={400: {"description": "No command: the same form as a command's own refusal"}},
)


@routes.post(
    "/threads/{thread_id}/stream/events",
    response_class=Response,
    responses=STREAMED,
    openapi_extra=taking(EventsRequest),
)
async def stream_events(
    request: Request,
    platform: PlatformDep,
    caller: CallerDep,
    thread_id: ThreadId,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Streams what happens on the thread, from the cursor on and for ever; the thread may come later."""
    try:
        body = await read_body(request)
        asked = EventsRequest.model_validate(body if isinstance(body, dict) else {})
    except ValidationError as error:
        raise BadRequest(sentence(error)) from None
    since = protocol.read_cursor(asked, last_event_id)
    follower = await protocol.follow(platform, caller, thread_id, asked, since)
    return event_stream(frames(request, follower))


async def frames(request: Request, follower: Follower) -> AsyncGenerator[bytes, None]:
    try:
        async for lot in follower.frames():
            for piece in pieces(frame.sse for frame in lot):
                yield piece
    finally:
        later(request, follower.close())
