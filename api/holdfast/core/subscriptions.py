"""Protocol v3 over one connection: commands come in, replies and the frames of subscriptions go out."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from pydantic import ValidationError

from holdfast.core import protocol
from holdfast.core.platform import Platform
from holdfast.core.protocol import Answer, InvalidArgument, refusal
from holdfast.errors import BadRequest, HoldfastError, ScopeMissing
from holdfast.events import dump
from holdfast.limits import check_depth
from holdfast.redis.records import Caller
from holdfast.wire.common import sentence
from holdfast.wire.protocol import Command, EventsRequest, Reconnect, Unsubscribe

logger = logging.getLogger(__name__)

Send = Callable[[bytes], Awaitable[None]]

MOST = 100  # subscriptions of one connection: each reads the thread for itself
UNFORESEEN = "unknown_error"  # the protocol's name for it


class NoSuchSubscription(BadRequest):
    """There is no such subscription on this connection."""

    code = "no_such_subscription"


class Connection:
    """What one client follows of a thread, and what it commands. `group` runs the subscriptions."""

    def __init__(
        self, platform: Platform, caller: Caller, thread_id: str, send: Send, group: asyncio.TaskGroup
    ) -> None:
        self._platform = platform
        self._caller = caller
        self._thread_id = thread_id
        self._send = send
        self._group = group
        self._subscriptions: dict[str, asyncio.Task[None]] = {}

    async def take(self, text: bytes) -> None:
        """Carries out a command and replies. What cannot be done, or is no command, is said in the reply."""
        named: Any = None
        try:
            check_depth(text)
            body = orjson.loads(text)
            named = body.get("id") if isinstance(body, dict) else None
            command = Command.model_validate(body)
        except (orjson.JSONDecodeError, ValidationError):
            await self._reply(refusal(named, "invalid_argument", protocol.NO_COMMAND))
        except HoldfastError as error:
            await self._reply(refusal(named, error.code, error.detail))
        else:
            if reply := await self._answer(command):
                await self._send(reply)

    async def _answer(self, command: Command) -> bytes | None:
        """The reply to a command; None where the subscription that it begins will reply."""
        try:
            answer = await self._take(command)
            return dump(answer) if answer else None
        except Exception as error:  # a defect costs its own command, not all that the connection follows
            return dump(refused(command.id, error))

    async def _take(self, command: Command) -> Answer | None:
        await self._platform.rates.take(self._caller)
        params = command.params if isinstance(command.params, dict) else {}
        try:
            match command.method:
                case "subscription.subscribe":
                    self._subscribe(command, EventsRequest.model_validate(params))
                    return None
                case "subscription.unsubscribe":
                    self._unsubscribe(Unsubscribe.model_validate(params))
                    return protocol.success(command.id, {})
                case "subscription.reconnect":
                    restored = self._holds(Reconnect.model_validate(params).subscriptions)
                    return protocol.success(command.id, {"restored": restored})
        except ValidationError as error:
            raise InvalidArgument(f"{command.method}: {sentence(error)}") from None
        if command.method not in protocol.READING and "write" not in self._caller.scopes:
            raise ScopeMissing
        return await protocol.carry_out(self._platform, self._caller, self._thread_id, command)

    def _subscribe(self, command: Command, asked: EventsRequest) -> None:
        """The reply comes from the subscription itself, before its first frame."""
        if len(self._subscriptions) >= MOST:
            raise InvalidArgument(f"A connection has {MOST} subscriptions at most: end one first.")
        name, since = secrets.token_hex(8), protocol.read_cursor(asked, None)
        following = self._group.create_task(self._follow(command.id, name, asked, since))
        self._subscriptions[name] = following

    async def _follow(self, command_id: int, name: str, asked: EventsRequest, since: int) -> None:
        try:
            follower = await protocol.follow(self._platform, self._caller, self._thread_id, asked, since)
        except Exception as error:  # see `_answer`
            del self._subscriptions[name]
            await self._reply(refused(command_id, error))
            return
        try:
            await self._reply(protocol.success(command_id, {"subscription_id": name}))
            async for lot in follower.frames():
                for frame in lot:
                    await self._send(frame.body)
        finally:
            await follower.close()

    def _unsubscribe(self, asked: Unsubscribe) -> None:
        following = self._subscriptions.pop(asked.subscription_id, None)
        if following is None:
            raise NoSuchSubscription
        following.cancel("unsubscribed")

    def _holds(self, names: list[str]) -> bool:
        """A subscription ends with its connection: a new one has none to restore."""
        return bool(names) and all(name in self._subscriptions for name in names)

    async def _reply(self, answer: Answer) -> None:
        await self._send(dump(answer))


def refused(command_id: int, error: Exception) -> Answer:
    """The reply to a command that failed. What nobody has foreseen is said to the log alone."""
    if isinstance(error, HoldfastError):
        return refusal(command_id, error.code, error.detail)
    logger.error("a command failed", exc_info=error)
    return refusal(command_id, UNFORESEEN, "An internal error occurred")
