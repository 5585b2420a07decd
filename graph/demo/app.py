"""The demo model's HTTP routes: the OpenAI ones, and those by which tests direct it."""

from collections.abc import AsyncIterator, Callable, Iterable
from json import JSONDecodeError
from typing import Any

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Scope

from graph.demo import wire
from graph.demo.conversation import RequestInvalid
from graph.demo.script import Script, Stall, Status
from graph.demo.stage import ConnectionCut, Stage, Take

MODEL = "holdfast-demo"

HangUp = Callable[[Scope], None]


def create_app(stage: Stage, hang_up: HangUp) -> Starlette:
    """`hang_up(scope)` resets the connection that the request came in on."""
    completions, directions = _Completions(stage, hang_up), _Directions(stage)
    routes = [
        Route("/v1/models", list_models),
        Route("/v1/chat/completions", completions.chat, methods=["POST"]),
        Route("/v1/responses", completions.responses, methods=["POST"]),
    ]
    if stage.scripting:
        routes += [
            Route("/demo/script", directions.play, methods=["POST"]),
            Route("/demo/release", directions.release, methods=["POST"]),
            Route("/demo/held", directions.count_held),
            Route("/demo/requests", directions.list_requests),
            Route("/demo/requests", directions.clear_requests, methods=["DELETE"]),
        ]
    return Starlette(routes=routes)


async def list_models(request: Request) -> Response:
    model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "holdfast"}
    return JSONResponse({"object": "list", "data": [model]})


class _Completions:
    def __init__(self, stage: Stage, hang_up: HangUp) -> None:
        self._stage = stage
        self._hang_up = hang_up

    async def chat(self, request: Request) -> Response:
        return await self._complete(request, wire.ChatCompletion)

    async def responses(self, request: Request) -> Response:
        return await self._complete(request, wire.Response)

    async def _complete(self, request: Request, read: Callable[[dict[str, Any]], wire.Wire]) -> Response:
        try:
            body = await request.json()
            wired = read(body)
            self._stage.record(request.url.path, body)
            take = self._stage.take(wired.conversation)
        except RequestInvalid as error:
            return _error(400, str(error))
        except (JSONDecodeError, UnicodeDecodeError, AttributeError, KeyError, TypeError) as error:
            return _error(400, f"the body is not a request of this API: {error!r}")
        return await self._respond(request, wired, take)

    async def _respond(self, request: Request, wired: wire.Wire, take: Take) -> Response:
        match take.step:
            case Status(status=status, retry_after_s=wait):
                return _error(status, "the script says so", wait)
            case Stall(after_words=None):
                await self._stage.closing.wait()
                return _error(503, "the demo model is closing")
        frames = self._play(request, take, wired.frames(take.reply))
        if wired.streamed:
            return StreamingResponse(frames, media_type="text/event-stream")
        async for _ in frames:
            pass
        return JSONResponse(wired.document(take.reply))

    async def _play(self, request: Request, take: Take, frames: Iterable[wire.Frame]) -> AsyncIterator[str]:
        try:
            async for frame in take.perform(frames):
                yield frame
        except ConnectionCut:
            self._hang_up(request.scope)
            while (await request.receive())["type"] != "http.disconnect":
                continue


class _Directions:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def play(self, request: Request) -> Response:
        try:
            self._stage.play(Script.model_validate_json(await request.body()))
        except ValidationError as error:
            return _error(422, str(error))
        return Response(status_code=204)

    async def release(self, request: Request) -> Response:
        self._stage.release()
        return Response(status_code=204)

    async def count_held(self, request: Request) -> Response:
        return JSONResponse({"held": self._stage.held})

    async def list_requests(self, request: Request) -> Response:
        return JSONResponse(list(self._stage.requests))

    async def clear_requests(self, request: Request) -> Response:
        self._stage.requests.clear()
        return Response(status_code=204)


_ERROR_TYPES = {400: "invalid_request_error", 422: "invalid_request_error", 429: "rate_limit_error"}


def _error(status: int, message: str, retry_after_s: float | None = None) -> Response:
    headers = {} if retry_after_s is None else {"Retry-After": f"{retry_after_s:g}"}
    error = {
        "message": message,
        "type": _ERROR_TYPES.get(status, "server_error"),
        "param": None,
        "code": None,
    }
    return JSONResponse({"error": error}, status, headers)
