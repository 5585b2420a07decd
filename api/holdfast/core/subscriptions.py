"""Protocol v3 over one connection: commands come in, replies and the frames of subscriptions go out."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from pydantic import ValidationError

from holdfast.core import protocol
from holdfast.core.platform import Platform
from holdfast.core.protocol import Answer, InvalidArgument, refusal
from holdfast.errors import BadRequest, HoldfastError, ScopeMissing
from holdfast.limits import check_depth
from holdfast.redis.records import Caller
from holdfast.wire.common import sentence
from holdfast.wire.protocol import Command, EventsRequest, Reconnect, Unsubscribe

Send = Callable[[bytes], Awaitable[None]]

MOST = 100  # subscriptions of one connection: each reads the thread for itself


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
            await self._take(Command.model_validate(body))
        except (orjson.JSONDecodeError, ValidationError):
            await self._reply(refusal(named, "invalid_argument", protocol.NO_COMMAND))
        except HoldfastError as error:
            await self._reply(refusal(named, error.code, error.detail))

    async def _take(self, command: Command) -> None:
        await self._platform.rates.take(self._caller)
        params = command.params if isinstance(command.params, dict) else {}
        try:
            match command.method:
                case "subscription.subscribe":
                    self._subscribe(command, EventsRequest.model_validate(params))
                case "subscription.unsubscribe":
                    self._unsubscribe(Unsubscribe.model_validate(params))
                    await self._reply(protocol.success(command.id, {}))
                case "subscription.reconnect":
                    restored = self._holds(Reconnect.model_validate(params).subscriptions)
                    await self._reply(protocol.success(command.id, {"restored": restored}))
                case _:
                    await self._carry_out(command)
        except ValidationError as error:
            raise InvalidArgument(f"{command.method}: {sentence(error)}") from None

    async def _carry_out(self, command: Command) -> None:
        if command.method not in protocol.READING and "write" not in self._caller.scopes:
            raise ScopeMissing
        reply = await protocol.carry_out(self._platform, self._caller, self._thread_id, command)
        await self._reply(reply)

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
        except HoldfastError as error:
            del self._subscriptions[name]
            await self._reply(refusal(command_id, error.code, error.detail))
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
        await self._send(orjson.dumps(answer))
