"""The protocol's own package at work: what it reads is carried out by `core.a2a`, what that says it writes.

Nothing else imports this module: it needs the extra `a2a`, and is loaded by name.
"""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar, cast

from a2a.server.context import ServerCallContext
from a2a.server.events.event_queue import Event
from a2a.server.request_handlers.request_handler import RequestHandler, validate_request_params
from a2a.server.request_handlers.response_helpers import agent_card_to_dict
from a2a.server.routes.common import ServerCallContextBuilder
from a2a.types import a2a_pb2 as pb
from a2a.utils import constants
from a2a.utils import errors as a2a
from a2a.utils.proto_utils import validate_proto_required_fields
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from sse_starlette import EventSourceResponse
from starlette.requests import Request

from holdfast.core.a2a import listing, pushes, sending, subscribing, tasks
from holdfast.core.a2a.messages import Json, UnsupportedContent
from holdfast.core.a2a.pushes import ConfigNotFound
from holdfast.core.a2a.sending import NotCancelable, Sent, TaskEnded
from holdfast.core.a2a.subscribing import Follower
from holdfast.core.a2a.tasks import SETTLED, TERMINAL, Task, TaskNotFound
from holdfast.core.platform import Platform
from holdfast.errors import (
    BadRequest,
    HoldfastError,
    Invalid,
    NothingPending,
    RunNotFound,
    ThreadNotFound,
    TooMany,
    Unavailable,
)
from holdfast.redis.assistants import AssistantRecord
from holdfast.redis.records import Caller
from holdfast.routes.a2a_older import Dispatcher

M = TypeVar("M", bound=Message)

logger = logging.getLogger(__name__)

ENDED = "The task has ended: ask for it with tasks/get."
NO_PUSHES = "This server sends no push notifications."

# What of ours is what of theirs; the first that fits.
ERRORS: tuple[tuple[tuple[type[HoldfastError], ...], type[a2a.A2AError]], ...] = (
    ((TaskNotFound, ThreadNotFound, RunNotFound, ConfigNotFound), a2a.TaskNotFoundError),
    ((NotCancelable,), a2a.TaskNotCancelableError),
    ((UnsupportedContent,), a2a.ContentTypeNotSupportedError),
    ((TaskEnded,), a2a.UnsupportedOperationError),
    ((Invalid, BadRequest, NothingPending), a2a.InvalidParamsError),
)


def encode_card(card: Json) -> Json:
    """A card as clients of either version read it."""
    return agent_card_to_dict(filled(card, pb.AgentCard()))


class Visit:
    """One call of one caller to one assistant."""

    def __init__(
        self, platform: Platform, caller: Caller, assistant: AssistantRecord, method: str | None
    ) -> None:
        self.platform = platform
        self.caller = caller
        self.assistant = assistant
        self.refused: HoldfastError | None = None
        self._followers: list[Follower] = []
        newer = method in Dispatcher.METHOD_TO_MODEL
        self.version = constants.PROTOCOL_VERSION_1_0 if newer else constants.PROTOCOL_VERSION_0_3
        contexts = Contexts(self.version)
        self._dispatcher = Dispatcher(Handler(self), contexts)

    async def reply(self, request: Request) -> bytes:
        """The reply as JSON. Raises what is to be told by the status of the answer."""
        try:
            response = await self._dispatcher.handle_requests(request)
        finally:
            await self.close()
        if self.refused:
            raise self.refused
        return bytes(response.body)

    async def items(self, request: Request) -> AsyncGenerator[Json, None]:
        """The events of a stream, as sse-starlette takes them; a refusal is one too. The visit is to be
        closed when they end. Raises as `reply` does."""
        try:
            response = await self._dispatcher.handle_requests(request)
            if self.refused:
                raise self.refused
        except BaseException:
            await self.close()
            raise
        if isinstance(response, EventSourceResponse):
            return cast("AsyncGenerator[Json, None]", response.body_iterator)
        return one({"data": bytes(response.body).decode()})

    async def follow(self, thread_id: str, send: Callable[[], Awaitable[Sent]]) -> Follower:
        return self._followed(await subscribing.follow(self.platform, self.caller, thread_id, send))

    async def subscribe(self, task: Task) -> Follower:
        found = subscribing.subscribe(self.platform, self.caller, task.thread_id, task.first)
        return self._followed(await found)

    def _followed(self, follower: Follower) -> Follower:
        self._followers.append(follower)
        return follower

    async def close(self) -> None:
        while self._followers:
            await self._followers.pop().close()

    async def find(self, task_id: str) -> Task:
        return await tasks.find(self.platform, self.caller, self.assistant.assistant_id, task_id)

    @contextmanager
    def told(self) -> Iterator[None]:
        """What goes wrong, in the protocol's words; nothing of what nobody has foreseen."""
        try:
            yield
        except a2a.A2AError:
            raise
        except HoldfastError as error:
            raise self._translate(error) from error
        except Exception as error:  # its own words may hold anything
            logger.error("an A2A call failed", exc_info=error)
            raise a2a.InternalError from None

    def _translate(self, error: HoldfastError) -> a2a.A2AError:
        if isinstance(error, TooMany | Unavailable):
            self.refused = error
        for ours, theirs in ERRORS:
            if isinstance(error, ours):
                return theirs(error.detail)
        return (a2a.InternalError if error.status >= 500 else a2a.UnsupportedOperationError)(error.detail)


async def one(item: Json) -> AsyncGenerator[Json, None]:
    yield item


class Contexts(ServerCallContextBuilder):
    """The version that a client speaks is all that the package has to know of a request.

    A client that does not say it shows it by how it calls the method.
    """

    def __init__(self, shown: str) -> None:
        self._shown = shown

    def build(self, request: Request) -> ServerCallContext:
        said = request.headers.get(constants.VERSION_HEADER) or self._shown
        return ServerCallContext(state={"headers": {constants.VERSION_HEADER: said}})


class Handler(RequestHandler):
    """The methods of A2A; those of version 0.3 arrive here in the terms of 1.0."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._platform = visit.platform
        self._caller = visit.caller

    @validate_request_params
    async def on_message_send(
        self, params: pb.SendMessageRequest, context: ServerCallContext
    ) -> pb.Task | pb.Message:
        with self._visit.told():
            configuration = read(params.configuration)
            follower = await self._send(params)
            if follower.standing.state not in SETTLED and not configuration.get("returnImmediately"):
                async for _ in follower.updates():
                    pass
            return await self._show(follower.task, configuration.get("historyLength"))

    @validate_request_params
    async def on_message_send_stream(
        self, params: pb.SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event]:
        with self._visit.told():
            follower = await self._send(params)
            yield filled(await follower.snapshot(), pb.Task())
            if follower.standing.state in SETTLED:  # clients of 0.3 wait for the word that it is the last
                yield filled(follower.status()["statusUpdate"], pb.TaskStatusUpdateEvent())
                return
            async for event in changes(follower):
                yield event

    @validate_request_params
    async def on_subscribe_to_task(
        self, params: pb.SubscribeToTaskRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event]:
        """Also while the task waits for an answer, whoever gives it."""
        with self._visit.told():
            task = await self._visit.find(params.id)
            follower = await self._visit.subscribe(task)
            if follower.task.state in TERMINAL:
                raise a2a.UnsupportedOperationError(ENDED)
            yield filled(await follower.snapshot(), pb.Task())
            async for event in changes(follower):
                yield event

    @validate_request_params
    async def on_get_task(self, params: pb.GetTaskRequest, context: ServerCallContext) -> pb.Task | None:
        with self._visit.told():
            length = params.history_length if params.HasField("history_length") else None
            return await self._show(await self._visit.find(params.id), length)

    @validate_request_params
    async def on_list_tasks(
        self, params: pb.ListTasksRequest, context: ServerCallContext
    ) -> pb.ListTasksResponse:
        with self._visit.told():
            assistant_id = self._visit.assistant.assistant_id
            found = await listing.search(self._platform, self._caller, assistant_id, read(params))
            return filled(found, pb.ListTasksResponse())

    @validate_request_params
    async def on_cancel_task(
        self, params: pb.CancelTaskRequest, context: ServerCallContext
    ) -> pb.Task | None:
        with self._visit.told():
            await sending.cancel(self._platform, self._caller, await self._visit.find(params.id))
            return await self._show(await self._visit.find(params.id), None)

    @validate_request_params
    async def on_create_task_push_notification_config(
        self, params: pb.TaskPushNotificationConfig, context: ServerCallContext
    ) -> pb.TaskPushNotificationConfig:
        with self._visit.told():
            target = self._target(read(params))
            task = await self._visit.find(params.task_id)
            await pushes.put(self._platform, task, target)
            return shown(task, target)

    async def on_get_task_push_notification_config(
        self, params: pb.GetTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> pb.TaskPushNotificationConfig:
        with self._visit.told():
            if self._visit.version == constants.PROTOCOL_VERSION_1_0:  # 0.3 may leave the config's id out
                validate_proto_required_fields(params)
            task = await self._visit.find(params.task_id)
            return shown(task, await pushes.find(self._platform, task, params.id))

    @validate_request_params
    async def on_list_task_push_notification_configs(
        self, params: pb.ListTaskPushNotificationConfigsRequest, context: ServerCallContext
    ) -> pb.ListTaskPushNotificationConfigsResponse:
        with self._visit.told():
            task = await self._visit.find(params.task_id)
            listed = await pushes.listed(self._platform, task)
            return pb.ListTaskPushNotificationConfigsResponse(configs=[shown(task, one) for one in listed])

    @validate_request_params
    async def on_delete_task_push_notification_config(
        self, params: pb.DeleteTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> None:
        with self._visit.told():
            task = await self._visit.find(params.task_id)
            await pushes.remove(self._platform, task, params.id)

    async def on_get_extended_agent_card(
        self, params: pb.GetExtendedAgentCardRequest, context: ServerCallContext
    ) -> pb.AgentCard:
        raise a2a.ExtendedAgentCardNotConfiguredError

    async def _send(self, params: pb.SendMessageRequest) -> Follower:
        platform, caller, assistant = self._platform, self._caller, self._visit.assistant
        asked = read(params.configuration).get("taskPushNotificationConfig")
        target = self._target(asked) if asked else None
        planned = await sending.plan(platform, caller, assistant, read(params.message))

        async def send() -> Sent:
            made = await sending.send(platform, caller, assistant, planned)
            if target:
                task = await tasks.read(platform, caller, made.thread_id, made.first)
                await pushes.put(platform, task, target, at_once=True)
            return made

        return await self._visit.follow(planned.thread_id, send)

    def _target(self, given: Json) -> Json:
        if self._platform.project.http.disable_webhooks:
            raise a2a.PushNotificationNotSupportedError(NO_PUSHES)
        return pushes.read_target(self._platform, given, self._visit.version)

    async def _show(self, task: Task, history_length: int | None) -> pb.Task:
        told = await tasks.describe(self._platform, task, history_length=history_length)
        return filled(told, pb.Task())


def filled(content: Json, message: M) -> M:
    return cast("M", ParseDict(content, message))


def read(message: Message) -> Json:
    found: Json = MessageToDict(message)
    return found


def shown(task: Task, target: Json) -> pb.TaskPushNotificationConfig:
    return filled(pushes.describe(task, target), pb.TaskPushNotificationConfig())


async def changes(follower: Follower) -> AsyncIterator[Event]:
    async for update in follower.updates():
        if "statusUpdate" in update:
            yield filled(update["statusUpdate"], pb.TaskStatusUpdateEvent())
        else:
            yield filled(update["artifactUpdate"], pb.TaskArtifactUpdateEvent())
