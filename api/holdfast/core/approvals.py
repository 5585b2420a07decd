"""Approvals: requests that wait for a person, found, claimed and voted on. A decision counts once.

Whatever is done to a request is a compare-and-set on its revision: who comes second reads it again, and is
told what has happened.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import orjson

from holdfast.core import answers, pauses, threads
from holdfast.core.answers import Pending
from holdfast.core.platform import Platform
from holdfast.core.racing import again
from holdfast.core.votes import check_claim, check_open, check_role, claimed, judge
from holdfast.errors import (
    ApprovalNotFound,
    Decided,
    Forbidden,
    HoldfastError,
    Invalid,
    NothingPending,
    Refused,
    ThreadNotFound,
)
from holdfast.redis import approvals as stored
from holdfast.redis import audit
from holdfast.redis.acts import Act, dumped, saying
from holdfast.redis.approvals import Approval, Ballot
from holdfast.redis.lua import Raced
from holdfast.redis.records import Caller, ThreadRecord
from holdfast.redis.timers import server_time
from holdfast.wire.approvals import ApprovalSearch

T = TypeVar("T")

NOBODY = ""  # as an assignee: what nobody has claimed


@dataclass(slots=True)
class Answers:
    """What a resume answers: plain interrupts by id, requests by what is said to them.

    `asked_in` is the run that asked the first of the requests.
    """

    resume: dict[str, Any] = field(default_factory=dict)
    ballots: list[Ballot] = field(default_factory=list)
    asked_in: str = ""

    @property
    def decisions(self) -> dict[str, dict[str, Any]]:
        return {one.request: orjson.loads(one.decision) for one in self.ballots if one.decision}


# found


async def find(platform: Platform, caller: Caller, thread_id: str, request_id: str) -> Approval:
    """Raises `ApprovalNotFound`, also for one that the caller may not see."""
    approval = await stored.read(platform.client, platform.keys, thread_id, request_id)
    if approval is None or not await may_see(platform, caller, approval):
        raise ApprovalNotFound
    return approval


async def may_see(platform: Platform, caller: Caller, approval: Approval) -> bool:
    """Whose roles it names, and who may read its thread."""
    if approval.tenant != caller.tenant:
        return False
    return bool(set(approval.roles) & set(caller.roles)) or await may_read(platform, caller, approval)


async def may_read(platform: Platform, caller: Caller, approval: Approval) -> bool:
    """Whether the request's thread is within reach; it is read only where the project's rules ask of it.

    Else what somebody may not see would cost more than what is not there, and be told apart by that.
    """
    try:
        value = {"thread_id": approval.thread_id}
        caller = await platform.rules.admit(caller, "threads", "read", value)
        if caller.conditions:
            await threads.read_record(platform, caller, approval.thread_id)
    except (Forbidden, Refused, ThreadNotFound):
        return False
    return caller.owner_filter in ("", approval.owner)


async def search(platform: Platform, caller: Caller, wanted: ApprovalSearch) -> tuple[list[Approval], int]:
    """A page, and how many there are: those that wait, next due first, before the others, newest first."""
    now = await server_time(platform.client)
    found = [one async for one in matching(platform, caller, wanted, now)]
    found.sort(key=lambda one: urgency(one, wanted.sort_by))
    return found[wanted.offset : wanted.offset + wanted.limit], len(found)


async def matching(
    platform: Platform, caller: Caller, wanted: ApprovalSearch, now: datetime
) -> AsyncIterator[Approval]:
    opened, closed = wanted.status in ("open", "all"), wanted.status != "open"
    every = stored.every(platform.client, platform.keys, caller.tenant, opened=opened, closed=closed)
    async for approval in every:
        if await may_see(platform, caller, approval) and fits(approval, wanted, now):
            yield approval


def fits(approval: Approval, wanted: ApprovalSearch, now: datetime) -> bool:
    claim = claimed(approval, now)
    age_s = (now - datetime.fromisoformat(approval.card["created_at"])).total_seconds()
    return (
        wanted.status in ("all", approval.status)
        and (wanted.thread_id in (None, approval.thread_id))
        and (wanted.graph_id in (None, approval.card["graph_id"]))
        and (wanted.role is None or wanted.role in approval.roles)
        and (wanted.action is None or wanted.action in approval.card["actions"])
        and (wanted.assignee is None or wanted.assignee == (claim["by"] if claim else NOBODY))
        and age_s >= wanted.min_age_s
    )


def urgency(approval: Approval, sort_by: str) -> tuple[bool, float, str]:
    """What waits comes first; what has no time to be decided by comes last of it."""
    created = datetime.fromisoformat(approval.card["created_at"]).timestamp()
    if sort_by == "created_at":
        return False, created, approval.request_id
    if approval.status == "open":
        return False, approval.due.timestamp() if approval.due else float("inf"), approval.request_id
    return True, -created, approval.request_id


def describe(approval: Approval, now: datetime) -> dict[str, Any]:
    card, decision, claim = approval.card, approval.decision, claimed(approval, now)
    return {
        "approval_id": approval.approval_id,
        "request_id": approval.request_id,
        "thread_id": approval.thread_id,
        "interrupt_id": approval.interrupt_id,
        "status": approval.status,
        "revision": approval.revision,
        "roles": approval.roles,
        "expires_at": approval.due,
        "claim": claim,
        "votes": [{name: vote[name] for name in ("by", "at", "type")} for vote in approval.votes],
        "decision": {name: decision[name] for name in ("value", "by", "at")} if decision else None,
        **{name: card[name] for name in SHOWN},
    }


SHOWN = (
    "run_id", "assistant_id", "graph_id", "title", "actions", "facts", "reason", "version", "deciders",
    "exclude_requester", "requester", "owner", "created_at", "remind_at", "on_expiry", "supersedes",
)  # fmt: skip


async def view(platform: Platform, caller: Caller, thread_id: str, request_id: str) -> dict[str, Any]:
    """A request with its figures and its history; that somebody has looked at them is part of it."""
    client, keys = platform.client, platform.keys
    approval = await find(platform, caller, thread_id, request_id)
    now = await server_time(client)
    await stored.note_view(client, keys, approval, await act_of(platform, caller, approval, "viewed"), now)
    question = await stored.read_question(client, keys, thread_id, request_id)
    history = await stored.read_history(client, keys, thread_id, request_id)
    return {**describe(approval, now), "question": question, "history": list(map(happening, history))}


def happening(line: Mapping[str, Any]) -> dict[str, Any]:
    return {**line, "at": datetime.fromtimestamp(line["at"] / 1000, UTC)}


# changed


async def claim(platform: Platform, caller: Caller, approval: Approval, seconds: int) -> Approval:
    """Takes a request in hand for a while. Raises as `votes.judge` does, and `Raced`."""
    now = await server_time(platform.client)
    check_open(approval, now)
    check_role(approval, caller)
    check_claim(approval, caller, now)
    held = {"by": caller.subject, "until": (now + timedelta(seconds=seconds)).isoformat()}
    act = await act_of(platform, caller, approval, "claimed")
    return await change(platform, approval, act, {":claim": dumped(held)}, now)


async def release(platform: Platform, caller: Caller, approval: Approval) -> Approval:
    """Lets go of a claim; who holds none has nothing to do. Raises as `votes.judge` does, and `Raced`."""
    now = await server_time(platform.client)
    check_open(approval, now)
    claim = claimed(approval, now)
    if claim is None or claim["by"] != caller.subject:
        check_role(approval, caller)
        check_claim(approval, caller, now)
        return approval
    act = await act_of(platform, caller, approval, "released")
    return await change(platform, approval, act, {":claim": ""}, now)


async def change(
    platform: Platform, approval: Approval, act: Act, fields: Mapping[str, str], now: datetime, **times: Any
) -> Approval:
    """The request with other fields, and other times where they are given (`due`, `wake`).

    Raises `Raced` when it was changed meanwhile.
    """
    client, keys = platform.client, platform.keys
    times = {"due": approval.due, "wake": approval.wake, **times}
    if not await stored.change(client, keys, approval, act, fields, now=now, **times):
        raise Raced(approval.request_id)
    return await as_it_is(platform, approval)


async def as_it_is(platform: Platform, approval: Approval) -> Approval:
    """The request by now; as it was, when it has gone with its thread."""
    found = await stored.read(platform.client, platform.keys, approval.thread_id, approval.request_id)
    return found or approval


async def insist(
    platform: Platform,
    caller: Caller,
    thread_id: str,
    request_id: str,
    attempt: Callable[[Approval], Awaitable[T]],
) -> T:
    """Changes a request as it is found."""
    changing = again(lambda: attempt_on(platform, caller, thread_id, request_id, attempt))
    return await showing(platform, thread_id, changing, request_id)


async def showing(platform: Platform, thread_id: str, attempt: Awaitable[T], request_id: str = "") -> T:
    """What an attempt comes to; what is refused shows the request as it is then, where it is known which."""
    try:
        return await attempt
    except ApprovalNotFound:
        raise
    except HoldfastError as error:
        about = error.request_id if isinstance(error, Decided) else request_id
        if approval := about and await stored.read(platform.client, platform.keys, thread_id, about):
            error.more = {"approval": describe(approval, await server_time(platform.client))}
        raise


async def attempt_on(
    platform: Platform,
    caller: Caller,
    thread_id: str,
    request_id: str,
    attempt: Callable[[Approval], Awaitable[T]],
) -> T:
    return await attempt(await find(platform, caller, thread_id, request_id))


async def act_of(platform: Platform, caller: Caller, approval: Approval, kind: str) -> Act:
    return Act(kind, await pseudonym(platform, caller, approval), caller.subject)


async def pseudonym(platform: Platform, caller: Caller, approval: Approval) -> str:
    lane = platform.keys.lane(approval.thread_id)
    return await audit.pseudonym(platform.client, platform.keys, lane, approval.tenant, caller.subject)


# answered


async def ballot(platform: Platform, caller: Caller, approval: Approval, answer: Any) -> Ballot:
    """What an answer comes to. Raises as `votes.judge` does."""
    client, keys = platform.client, platform.keys
    question = await stored.read_question(client, keys, approval.thread_id, approval.request_id)
    verdict = judge(approval, question or {}, caller, answer, await server_time(client))
    act = saying(
        verdict.act,
        approval.card["salt"],
        verdict.said,
        kept=verdict.kept,
        actor=await pseudonym(platform, caller, approval),
        by=caller.subject,
        tell=platform.settings.told_of("approval.decided" if verdict.decision else "approval.voted"),
    )
    return Ballot(
        approval.request_id,
        dumped(verdict.decision) if verdict.decision else "",
        approval.revision,
        dumped(verdict.votes),
        "decided",
        act,
        verdict.kind,
    )


async def read_resume(
    platform: Platform, caller: Caller, thread: ThreadRecord, resume: Any, *, strict: bool = False
) -> Answers | None:
    """Matches a resume to what waits on the thread; None when it is for LangGraph to make sense of.

    Raises `NothingPending` (409) when it answers a decided request, or does not say which one it means;
    `Invalid` (422) when the answer is not one that the request takes; `Forbidden` (403) when it is not this
    caller's to give. Where it is known which request it is about, it shows that.
    """
    matched = answers.match(thread, resume)
    if matched is None:
        return None
    if not matched and answers.is_decision(resume):
        await check_late(platform, thread)
    found = Answers()
    for one, value in matched:
        if one.policy:
            approval = await kept(platform, thread, one)
            said = ballot(platform, caller, approval, value)
            found.ballots.append(await showing(platform, thread.thread_id, said, approval.request_id))
            found.asked_in = found.asked_in or approval.card["run_id"]
        else:
            found.resume[one.interrupt_id] = value
    if strict and not found.ballots and not found.resume:
        raise NothingPending("Nothing that this resume answers is waiting.")
    if found.ballots and found.resume:
        raise Invalid("Answer requests for approval and other interrupts in separate runs.")
    return found


async def check_late(platform: Platform, thread: ThreadRecord) -> None:
    """Refuses a decision that names no request and finds none, if a request is what was answered last."""
    request_id = await pauses.last_decided(platform, thread.thread_id) if thread.decisions else ""
    if decision := thread.decisions.get(request_id):
        raise Decided(request_id, decision["by"], decision["at"])


async def kept(platform: Platform, thread: ThreadRecord, one: Pending) -> Approval:
    """The request that an interrupt asks about; one that only the thread knows of is kept from now on."""
    client, keys, request_id = platform.client, platform.keys, str(one.request_id)
    found = await stored.read(client, keys, thread.thread_id, request_id)
    if found is None:
        about = {
            "tenant": thread.tenant,
            "owner": thread.owner,
            "requester": thread.owner,
            "run_id": "",
            "graph_id": thread.graph_id,
            "assistant_id": thread.metadata.get("assistant_id"),
        }
        asked = stored.ask(one.interrupt_id, one.value, about)
        now = await server_time(client)
        await stored.adopt(client, keys, thread.thread_id, thread.tenant, asked, now)
        found = await stored.read(client, keys, thread.thread_id, request_id)
    if found is None:
        raise NothingPending
    return found
