"""A2A: each assistant as an agent that other agents call. What speaks the protocol is loaded on first use."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated, Any

import orjson
from fastapi import Path, Query, Request, Response

from holdfast.core import assistants
from holdfast.core.a2a import cards
from holdfast.core.following import Result
from holdfast.core.platform import Platform
from holdfast.extras import load
from holdfast.limits import Opened
from holdfast.redis.assistants import AssistantRecord
from holdfast.routes.base import (
    REFUSALS,
    CallerDep,
    PlatformDep,
    answer,
    base_url,
    identify,
    later,
    open_router,
    router,
)
from holdfast.routes.following import patiently
from holdfast.routes.sse import STREAMED, EventStream, event_stream
from holdfast.wire.common import JsonObject

routes = router("a2a")
about = open_router("a2a")

PROTOCOL = "holdfast.routes.a2a_protocol"
STREAMING = ("SendStreamingMessage", "SubscribeToTask", "message/stream", "tasks/resubscribe")

CARD_FOR: dict[str, str] = {"Cache-Control": "private, max-age=60"}
AssistantId = Annotated[str, Path(description="An assistant's UUID, or the name of its graph")]
# For the reference: the body is JSON-RPC, which the protocol's own package reads. What is none is refused by
# an answer of that protocol, so nothing is said here of what a body must be.
JSON_RPC: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"description": "A request of JSON-RPC 2.0"},
                "example": {"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {"id": "…"}},
            }
        },
    }
}


async def protocol() -> Any:
    """The module that speaks A2A; importing it takes a moment, in which streams are to go on."""
    return await asyncio.to_thread(load, "a2a", PROTOCOL)


@about.get("/.well-known/agent-card.json", response_model=JsonObject, responses=REFUSALS)
async def get_card(
    request: Request,
    platform: PlatformDep,
    assistant_id: Annotated[str | None, Query(description="Without it: that of the first graph")] = None,
) -> Response:
    """The card of an assistant. That of a graph is for everybody, any other for its callers."""
    return await show_card(request, platform, assistant_id or platform.project.first_graph.graph_id)


@about.get("/a2a/{assistant_id}/.well-known/agent-card.json", response_model=JsonObject, responses=REFUSALS)
async def get_card_of(request: Request, platform: PlatformDep, assistant_id: AssistantId) -> Response:
    """The same, where a client looks for it that knows the assistant's address."""
    return await show_card(request, platform, assistant_id)


async def show_card(request: Request, platform: Platform, name: str) -> Response:
    assistant = await find_open(request, platform, name)
    card = cards.describe(platform, assistant, f"{base_url(request)}/a2a/{assistant.assistant_id}")
    return answer((await protocol()).encode_card(card), headers=CARD_FOR)


async def find_open(request: Request, platform: Platform, name: str) -> AssistantRecord:
    own = assistants.own_of_graph(platform, assistants.read_name(platform, name))
    return own or await assistants.resolve(platform, await identify(request), name)


@routes.post("/a2a/{assistant_id}", response_model=JsonObject, responses=STREAMED, openapi_extra=JSON_RPC)
async def call(
    request: Request, platform: PlatformDep, caller: CallerDep, assistant_id: AssistantId
) -> Response:
    """A2A over JSON-RPC, version 1.0 or 0.3. What goes wrong is said in the reply, with status 200; who may
    not call at all, or too often, gets the status for it."""
    assistant = await assistants.resolve(platform, caller, assistant_id)
    method = method_of(await request.body())
    visit = (await protocol()).Visit(platform, caller, assistant, method)
    if method not in STREAMING:
        return await patiently(request, result(request, visit), {})
    opened = await platform.streams.open(caller)
    try:
        items = await visit.items(request)
    except BaseException:
        if opened:
            opened.close()
        raise
    return stream(request, visit, items, opened)


def method_of(body: bytes) -> str | None:
    """The method of a request that can be read."""
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    method = asked.get("method") if isinstance(asked, dict) else None
    return method if isinstance(method, str) else None


async def result(request: Request, visit: Any) -> Result:
    return Result(await visit.reply(request), "")


def stream(request: Request, visit: Any, items: AsyncGenerator[Any], opened: Opened | None) -> EventStream:
    found = event_stream(frames(request, visit, items))
    found.counted = opened
    return found


async def frames(request: Request, visit: Any, items: AsyncGenerator[Any]) -> AsyncGenerator[bytes, None]:
    try:
        async for item in items:
            named = b"event: %b\r\n" % item["event"].encode() if "event" in item else b""
            yield b"%bdata: %b\r\n\r\n" % (named, item["data"].encode())
    finally:
        later(request, visit.close())
