"""The MCP server behind `/mcp`.

It knows what a request brings and what Redis holds, nothing else: any replica answers any request. Clients of
2026-07-28 and later answer questions by calling again, with what the first answer gave them; those before
would need a session, so they get the tool `answer` instead.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
from fastapi import Request, Response
from mcp.server import Server, ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ContentBlock,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from mcp.types.version import MODERN_PROTOCOL_VERSIONS
from starlette.types import Message, Receive, Scope, Send

from holdfast import __version__
from holdfast.core import runs, threads
from holdfast.core.answers import pending
from holdfast.core.chat import Account, approval_id, display, listen
from holdfast.core.following import Followed
from holdfast.core.runs import Created
from holdfast.core.tools import ANSWER, ANSWERS, Outcome, Tools, check, read_id
from holdfast.errors import HoldfastError, Invalid
from holdfast.events import dump
from holdfast.limits import Opened
from holdfast.redis.records import Caller
from holdfast.routes import mcp_forms
from holdfast.routes.base import later
from holdfast.routes.following import cancelled
from holdfast.routes.sse import PING_S

logger = logging.getLogger(__name__)

Context = ServerRequestContext[Any, Any]

PAGE = 100
INSTRUCTIONS = (
    "Each tool is an assistant. A call starts a conversation, whose thread_id is in the result; a call with "
    "that thread_id goes on with it. While the status is `waiting`, it waits for a person's answer."
)
OUTPUT = {
    "type": "object",
    "properties": {
        "thread_id": {"type": "string", "format": "uuid"},
        "status": {"type": "string", "enum": ["done", "waiting", "busy", "error"]},
        "reply": {"type": "string"},
        "values": {"description": "What a graph that says nothing came to"},
        "error": {"type": "string"},
        "waiting": {"type": "array", "items": {"type": "object"}},
    },
    "required": ["thread_id", "status"],
}
ASK_FIRST = (
    "This waits for a person's answer. Show them what is asked, and call the tool `answer` with this "
    "thread_id and their answer."
)
OF_OTHERS = (
    "This waits for somebody else's decision. Call the tool `answer` with this thread_id to look again."
)


class Unread(Exception):
    """A client takes nothing of an answer for too long."""


class Answer(Response):
    """The answer to one message. `counted` is what is counted of a tool's call until its end."""

    def __init__(
        self, request: Request, tools: Tools, caller: Caller, body: bytes, counted: Opened | None
    ) -> None:
        super().__init__()
        self._exchange = Exchange(request, tools, caller)
        self._given = body
        self._headers = request.scope["headers"]  # as a route has them: every body is taken for JSON
        self._counted = counted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        server = self._exchange.server()
        limit_s = self._exchange.tools.platform.settings.send_timeout_s
        scope = {**scope, "headers": self._headers}
        manager = StreamableHTTPSessionManager(
            server, stateless=True, max_request_body_size=max(1, len(self._given))
        )
        try:
            async with counting(self._counted), manager.run():
                await manager.handle_request(scope, replayed(self._given, receive), in_time(send, limit_s))
        except* Unread:
            logger.info("a client does not read")


@asynccontextmanager
async def counting(counted: Opened | None) -> AsyncIterator[None]:
    if counted is None:
        yield
        return
    renewing = asyncio.create_task(renew(counted), name="lease of a call")
    try:
        yield
    finally:
        renewing.cancel("the call has ended")
        counted.close()


async def renew(counted: Opened) -> None:
    while True:
        await asyncio.sleep(PING_S)
        counted.renew()


def replayed(body: bytes, receive: Receive) -> Receive:
    """What is received, from the beginning: the body has been read."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return left.pop() if left else await receive()

    return receive_again


def in_time(send: Send, limit_s: float) -> Send:
    async def send_in_time(message: Message) -> None:
        try:
            async with asyncio.timeout(limit_s):
                await send(message)
        except TimeoutError:
            raise Unread from None

    return send_in_time


@dataclass(frozen=True, slots=True)
class State:
    """What a client keeps between two calls: nothing secret, and nothing that it is believed.

    `asked` are the questions that were put to the person already, and left open.
    """

    thread_id: str
    asked: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return dump({"thread_id": self.thread_id, "asked": sorted(self.asked)}).decode()

    @classmethod
    def read(cls, text: str) -> "State":
        try:
            given = orjson.loads(text)
            return cls(read_id(given["thread_id"]), frozenset(map(str, given["asked"])))
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            raise Invalid("requestState is not one of this server's.") from None


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer."""

    request: Request
    tools: Tools
    caller: Caller

    def server(self) -> Server[Any]:
        return Server(
            "holdfast",
            version=__version__,
            instructions=INSTRUCTIONS,
            on_list_tools=self.list_tools,
            on_call_tool=guarded(self.call_tool),
            # No header mirrors an argument: without this, each call would list all tools to find that out.
            get_tool_input_schema=lambda name: None,
        )

    async def list_tools(self, ctx: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        offered = await self.tools.offered(self.caller)
        start = read_cursor(params.cursor if params else None)
        following = start + PAGE
        return ListToolsResult(
            tools=[
                Tool(
                    name=one.name,
                    title=one.title,
                    description=one.description,
                    input_schema=one.input_schema,
                    output_schema=OUTPUT,
                    annotations=ToolAnnotations(destructive_hint=True, open_world_hint=True),
                )
                for one in offered[start:following]
            ],
            next_cursor=str(following) if following < len(offered) else None,
        )

    async def call_tool(
        self, ctx: Context, params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult:
        given = params.arguments or {}
        if params.name == ANSWER:
            return tell(await self._answer(ctx, given))
        record = await self.tools.find(self.caller, params.name)
        if record is None:
            raise MCPError(INVALID_PARAMS, f"Unknown tool: {params.name}")
        if params.request_state is None:
            outcome = await self._follow(ctx, await self.tools.call(self.caller, record, given))
            return self._ask(ctx, outcome, frozenset())
        state = State.read(params.request_state)
        outcome = await self._go_on(ctx, state, params.input_responses or {})
        return self._ask(ctx, outcome, state.asked)

    async def _answer(self, ctx: Context, given: Mapping[str, Any]) -> Outcome:
        check(ANSWERS, given)
        thread_id, named = read_id(given["thread_id"]), given.get("answers") or {}
        if not named:
            return await self.tools.standing(self.caller, thread_id)
        return await self._follow(ctx, await self.tools.answer(self.caller, thread_id, named))

    async def _go_on(self, ctx: Context, state: State, responses: Mapping[str, Any]) -> Outcome:
        """Hands on what the person answered; what they did not answer goes on waiting."""
        thread = await threads.find(self.tools.platform, self.caller, state.thread_id)
        waiting = {approval_id(one): one for one in pending(thread)}
        read = {name: mcp_forms.read(waiting.get(name), one) for name, one in responses.items()}
        named = {name: answer["value"] for name, answer in read.items() if answer is not None}
        if not named:
            return await self.tools.standing(self.caller, state.thread_id)
        return await self._follow(ctx, await self.tools.answer(self.caller, state.thread_id, named))

    def _ask(
        self, ctx: Context, outcome: Outcome, asked: Collection[str]
    ) -> CallToolResult | InputRequiredResult:
        """Puts the questions to the person where the client can do that and has not done so already."""
        own = {one.name: one for one in outcome.questions if one.own and one.name not in asked}
        if not own or not can_ask(ctx):
            return tell(outcome)
        return InputRequiredResult(
            input_requests={name: mcp_forms.form(one) for name, one in own.items()},
            request_state=str(State(outcome.thread_id, frozenset((*asked, *own)))),
        )

    async def _follow(self, ctx: Context, begun: tuple[Created, Followed]) -> Outcome:
        """Waits for a run's end, and tells of its progress. See `_left` for a client that leaves before."""
        created, followed = begun
        account, thread_id = Account(), created.record.thread_id
        try:
            await ctx.session.report_progress(0, message=f"thread {thread_id}")
            said = 0
            async for delta in listen(followed, account):
                said += 1
                await ctx.session.report_progress(said, message=delta)
        except asyncio.CancelledError:
            self._left(ctx, created, followed)
            raise
        finally:
            later(self.request, followed.close())
        return await self.tools.outcome(self.caller, thread_id, account)

    def _left(self, ctx: Context, created: Created, followed: Followed) -> None:
        """To close the answer is to cancel the call; with older clients it is just a lost connection."""
        if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS and not followed.ended:
            platform, run = self.tools.platform, created.record
            stop = partial(runs.stop, platform, created.caller, run.thread_id, run.run_id)
            later(self.request, cancelled(self.request, stop))


def read_cursor(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isdecimal() or len(cursor) > 9:
        raise MCPError(INVALID_PARAMS, "The cursor is not one of this server's.")
    return int(cursor)


Called = Callable[[Context, CallToolRequestParams], Awaitable[CallToolResult | InputRequiredResult]]


def guarded(call: Called) -> Called:
    """A refusal is the result of a call, for the model to read; the words of any other error are nobody's."""

    async def call_guarded(
        ctx: Context, params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult:
        try:
            return await call(ctx, params)
        except HoldfastError as error:
            told = dump({"error": error.detail, "code": error.code}).decode()
            # Nothing structured: a refusal is not of the output's schema, and clients may hold it to that.
            return CallToolResult(content=written(error.detail, told), is_error=True)
        except MCPError:
            raise
        except Exception:  # its own words may hold anything
            logger.exception("unexpected error")
            raise MCPError(INTERNAL_ERROR, "An internal error occurred") from None

    return call_guarded


def can_ask(ctx: Context) -> bool:
    """Whether the client shows forms, and its protocol takes the answers in another request."""
    if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS or not ctx.session.client_capabilities:
        return False
    offered = ctx.session.client_capabilities.elicitation
    return offered is not None and (offered.form is not None or offered.url is None)


def tell(outcome: Outcome) -> CallToolResult:
    """What was said, in words; then how the conversation stands, for models and for programs alike."""
    standing: dict[str, Any] = {"thread_id": outcome.thread_id, "status": outcome.status}
    if outcome.problem:
        standing["error"] = outcome.problem
    if outcome.questions:
        standing["waiting"] = [
            {"id": one.name, "display": display(one.pending), "yours": one.own} for one in outcome.questions
        ]
    words = [outcome.reply, outcome.problem or "", advice(outcome)]
    if outcome.values is not None:
        words.append(dump(outcome.values).decode())
    reply = {"reply": outcome.reply} if outcome.reply else {}
    values = {"values": outcome.values} if outcome.values is not None else {}
    return CallToolResult(
        content=written(*filter(None, words), dump(standing).decode()),
        structured_content={**standing, **reply, **values},
        is_error=outcome.problem is not None,
    )


def written(*texts: str) -> list[ContentBlock]:
    return [TextContent(text=text) for text in texts]


def advice(outcome: Outcome) -> str:
    if not outcome.questions:
        return ""
    return ASK_FIRST if any(one.own for one in outcome.questions) else OF_OTHERS
