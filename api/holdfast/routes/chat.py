"""The short door: a message in, a reply out, by session. See docs/chat.md."""

from collections.abc import AsyncGenerator

from fastapi import Request, Response

from holdfast.core import chat
from holdfast.core.chat import Account, Session
from holdfast.core.following import Followed
from holdfast.core.platform import Platform
from holdfast.events import dump
from holdfast.redis.records import Caller
from holdfast.routes.base import CallerDep, PlatformDep, answer, later, router
from holdfast.routes.following import run_headers, wait
from holdfast.routes.sse import STREAMED, event_stream, of_new_run
from holdfast.wire.chat import ChatRequest
from holdfast.wire.common import JsonObject
from holdfast.wire.shown import Submitted

routes = router("chat")

# Parted by bare line feeds: clients of this door split the text by hand.
PING = b": ping\n\n"


@routes.post("/chat", response_model=JsonObject)
async def reply(request: Request, platform: PlatformDep, caller: CallerDep, asked: ChatRequest) -> Response:
    """Answers when the run has ended."""
    session = chat.find_session(platform, caller, asked.session_id)
    followed = await chat.ask(platform, caller, session, asked)
    result = chat.result(platform, caller, session, followed)
    return await wait(request, result, followed.thread_id, followed.run_id, None)


@routes.post("/chat/stream", response_class=Response, responses=STREAMED)
async def stream_reply(
    request: Request, platform: PlatformDep, caller: CallerDep, asked: ChatRequest
) -> Response:
    """Streams the reply as SSE: `delta` frames, and a last `done` frame."""
    session = chat.find_session(platform, caller, asked.session_id)
    followed = await chat.ask(platform, caller, session, asked)
    told = frames(request, platform, caller, session, followed)
    headers = run_headers(followed.thread_id, followed.run_id, "stream")
    return of_new_run(request, event_stream(told, headers, ping=PING))


async def frames(
    request: Request, platform: Platform, caller: Caller, session: Session, followed: Followed
) -> AsyncGenerator[bytes, None]:
    account = Account()
    try:
        async for delta in chat.listen(followed, account):
            yield frame({"type": "delta", "content": delta})
        content, rest = await chat.close(platform, caller, session, account)
        yield frame({"type": "done", "content": content, **rest})
    finally:
        later(request, followed.close())


def frame(content: dict[str, object]) -> bytes:
    return b"data: %b\n\n" % dump(content)


@routes.post("/chat/async", response_model=Submitted)
async def submit_task(platform: PlatformDep, caller: CallerDep, asked: ChatRequest) -> Response:
    """Answers at once, with the task to ask for."""
    session = chat.find_session(platform, caller, asked.session_id)
    return answer({"task_id": await chat.submit(platform, caller, session, asked)})


@routes.get("/chat/result/{task_id}", response_model=JsonObject)
async def get_result(platform: PlatformDep, caller: CallerDep, task_id: str) -> Response:
    """How a task stands; `not_found` is an answer too."""
    return answer(await chat.task(platform, caller, task_id))
