"""Protocol 0.3 as the official package answers it, mended where that is not what 0.3 and JSON-RPC say."""

from collections.abc import AsyncIterator
from typing import Any, cast

import orjson
from a2a.compat.v0_3 import types as v03
from a2a.compat.v0_3.jsonrpc_adapter import JSONRPC03Adapter
from a2a.compat.v0_3.request_handler import RequestHandler03
from a2a.server.context import ServerCallContext
from a2a.server.request_handlers.request_handler import RequestHandler
from a2a.server.routes.common import ServerCallContextBuilder
from a2a.server.routes.jsonrpc_dispatcher import JsonRpcDispatcher
from a2a.utils import errors as a2a
from pydantic import BaseModel, ValidationError
from sse_starlette import EventSourceResponse
from starlette.requests import Request
from starlette.responses import JSONResponse

from holdfast.wire.common import sentence

Told = v03.SendStreamingMessageSuccessResponse


class Dispatcher(JsonRpcDispatcher):
    def __init__(self, handler: RequestHandler, contexts: ServerCallContextBuilder) -> None:
        super().__init__(handler, contexts)
        self.enable_v0_3_compat = True
        self._v03_adapter = Adapter(handler, contexts)


class Adapter(JSONRPC03Adapter):
    def __init__(self, handler: RequestHandler, contexts: ServerCallContextBuilder) -> None:
        super().__init__(handler, contexts)
        self.handler = Handler(handler)

    async def handle_request(
        self, request_id: str | int | None, method: str, body: dict[str, Any], request: Request
    ) -> JSONResponse | EventSourceResponse:
        model = cast("type[BaseModel]", self.METHOD_TO_MODEL[method])
        try:  # the package takes all for an invalid request, and logs what it holds
            model.model_validate(body)
        except ValidationError as error:
            return self._generate_error_response(request_id, refusal(error))
        response = await super().handle_request(request_id, method, body, request)
        return response if isinstance(response, EventSourceResponse) else whole(response)


def refusal(error: ValidationError) -> a2a.A2AError:
    kind = a2a.InvalidParamsError if error.errors()[0]["loc"][0] == "params" else a2a.InvalidRequestError
    return kind(sentence(error))


def whole(response: JSONResponse) -> JSONResponse:
    """A reply has a result, also where that is null: the package leaves it out."""
    reply = orjson.loads(response.body)
    return response if "error" in reply else JSONResponse({"result": None, **reply})


class Handler(RequestHandler03):
    async def on_message_send_stream(
        self, request: v03.SendMessageRequest, context: ServerCallContext
    ) -> AsyncIterator[Told]:
        async for told in super().on_message_send_stream(request, context):
            yield marked(told)

    async def on_subscribe_to_task(
        self, request: v03.TaskResubscriptionRequest, context: ServerCallContext
    ) -> AsyncIterator[Told]:
        async for told in super().on_subscribe_to_task(request, context):
            yield marked(told)


def marked(told: Told) -> Told:
    """The last word of a stream is final also where the task asks something: 1.0 has no such mark."""
    update = told.result
    if isinstance(update, v03.TaskStatusUpdateEvent) and update.status.state == v03.TaskState.input_required:
        update.final = True
    return told
