"""Approvals: requests that wait for a person, over all threads."""

from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request, Response

from holdfast.core import approval_feed, approvals, deciding
from holdfast.core.approval_feed import Feed
from holdfast.core.approvals import describe
from holdfast.core.platform import Platform
from holdfast.errors import ApprovalNotFound
from holdfast.redis.approvals import Approval
from holdfast.redis.timers import server_time
from holdfast.routes.base import CallerDep, PlatformDep, answer, later, page, router
from holdfast.routes.sse import STREAMED, event_stream
from holdfast.wire.approvals import ApprovalDetail, ApprovalSearch, ApprovalShown, Claim, Decide
from holdfast.wire.common import canonical

routes = router("approvals")


def read_id(approval_id: Annotated[str, Path(description="`<thread_id>:<request_id>`")]) -> tuple[str, str]:
    """The two parts of an approval's id. Raises `ApprovalNotFound` for what is none."""
    thread_id, _, request_id = approval_id.partition(":")
    try:
        return canonical(thread_id), request_id
    except ValueError:
        raise ApprovalNotFound from None


ApprovalId = Annotated[tuple[str, str], Depends(read_id)]


@routes.get("/approvals", response_model=list[ApprovalShown])
async def list_approvals(
    platform: PlatformDep, caller: CallerDep, wanted: Annotated[ApprovalSearch, Query()]
) -> Response:
    """Those that wait, next due first; with another `status`, those that wait no more, newest first."""
    found, total = await approvals.search(platform, caller, wanted)
    now = await server_time(platform.client)
    return page([describe(one, now) for one in found], total, wanted.offset)


@routes.get("/approvals/stream", response_class=Response, responses=STREAMED)
async def stream_approvals(
    request: Request,
    platform: PlatformDep,
    caller: CallerDep,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Streams what happens to approvals, from now on or after `Last-Event-ID`.

    `event` says what happened; after `gap` events were missed: list the approvals again.
    """
    feed = await approval_feed.follow(platform, caller, last_event_id)
    return event_stream(frames(request, feed), {"Location": request.url.path})


async def frames(request: Request, feed: Feed) -> AsyncGenerator[bytes, None]:
    try:
        async for frame in approval_feed.frames(feed):
            yield frame
    finally:
        later(request, feed.close())


@routes.get("/approvals/{approval_id}", response_model=ApprovalDetail)
async def get_approval(platform: PlatformDep, caller: CallerDep, approval_id: ApprovalId) -> Response:
    """A request with its figures and its history."""
    return answer(await approvals.view(platform, caller, *approval_id))


@routes.post("/approvals/{approval_id}/claim", response_model=ApprovalShown)
async def claim_approval(
    platform: PlatformDep, caller: CallerDep, approval_id: ApprovalId, asked: Claim | None = None
) -> Response:
    """Takes a request in hand: for a while nobody else decides it."""
    seconds = (asked or Claim()).seconds

    async def attempt(approval: Approval) -> Approval:
        return await approvals.claim(platform, caller, approval, seconds)

    return await shown(platform, await approvals.insist(platform, caller, *approval_id, attempt))


@routes.post("/approvals/{approval_id}/release", response_model=ApprovalShown)
async def release_approval(platform: PlatformDep, caller: CallerDep, approval_id: ApprovalId) -> Response:
    """Lets go of a claim."""

    async def attempt(approval: Approval) -> Approval:
        return await approvals.release(platform, caller, approval)

    return await shown(platform, await approvals.insist(platform, caller, *approval_id, attempt))


@routes.post(
    "/approvals/{approval_id}/decisions",
    response_model=ApprovalShown,
    responses={202: {"description": "Accepted, not yet on disk", "model": ApprovalShown}},
)
async def decide_approval(
    platform: PlatformDep, caller: CallerDep, approval_id: ApprovalId, asked: Decide
) -> Response:
    """Answers a request: `{"type": "approve" | "edit" | "reject"}`, or `{"decisions": [...]}`.

    Of several deciders each casts a vote. A decision counts once: whoever comes later is told who made it.
    """
    approval, on_disk = await deciding.vote(platform, caller, *approval_id, asked)
    return await shown(platform, approval, 200 if on_disk else 202)


async def shown(platform: Platform, approval: Approval, status: int = 200) -> Response:
    return answer(describe(approval, await server_time(platform.client)), status)
