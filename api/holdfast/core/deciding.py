"""Decisions on approvals: each counts once, in the script that puts the run in line which carries it out."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from holdfast.core import approvals, pauses, requests, runs
from holdfast.core.platform import Platform
from holdfast.core.votes import decide
from holdfast.errors import AssistantNotFound, Conflict
from holdfast.redis import approvals as stored
from holdfast.redis import lua
from holdfast.redis.acts import Act, dumped, saying
from holdfast.redis.approvals import Approval, Ballot
from holdfast.redis.records import Caller
from holdfast.redis.timers import server_time
from holdfast.wire.approvals import Decide
from holdfast.wire.runs import RunCreate

logger = logging.getLogger(__name__)

NOBODY = ""  # who decides when time has run out
TOO_LATE = "Nobody answered in time."
UNSERVED = timedelta(minutes=5)  # until a graph that is not served may have come back with another version


async def vote(
    platform: Platform, caller: Caller, thread_id: str, request_id: str, asked: Decide
) -> tuple[Approval, bool]:
    """The request after somebody's answer, and whether that has reached the disk.

    Raises as `votes.judge` and `lua.submit` do; the error then shows the request as it is.
    """

    async def attempt(approval: Approval) -> Approval:
        if asked.revision not in (None, approval.revision):
            raise Conflict("Something has happened to this request since you read it: look at it again.")
        ballot = await approvals.ballot(platform, caller, approval, asked.answer)
        return await cast(platform, caller, approval, ballot)

    changed = await approvals.insist(platform, caller, thread_id, request_id, attempt)
    return changed, await platform.disk.reached(thread_id)


async def cast(platform: Platform, caller: Caller, approval: Approval, ballot: Ballot) -> Approval:
    """Stores a vote, or the decision that it makes with the run that carries it out. Raises `Raced`."""
    if not ballot.decision:
        now = await server_time(platform.client)
        fields = {":votes": ballot.votes, ":claim": ""}
        return await approvals.change(platform, approval, ballot.act, fields, now)
    await enqueue(platform, caller, approval, ballot)
    return await approvals.as_it_is(platform, approval)


async def enqueue(platform: Platform, caller: Caller, approval: Approval, ballot: Ballot) -> None:
    assistant = await pauses.asked_by(platform, approval)
    asked = RunCreate(assistant_id=assistant.assistant_id)
    request = requests.new_request(approval.thread_id, asked, assistant, caller)
    request |= {"resume": {}, "decisions": {ballot.request: orjson.loads(ballot.decision)}}
    if told := platform.settings.told_of("run.ended"):
        request["webhooks"] = told
    request["task"] = await pauses.task_of(platform, approval.thread_id, approval.card["run_id"])
    submission = lua.Submission(
        approval.thread_id,
        request["run_id"],
        request,
        replace(caller, conditions=(), within=approval.owner),  # the policy let the caller in
        datetime.fromisoformat(request["created_at"]),
        create=False,
        metadata={},
        most=runs.bounds(platform),
        ballots=[ballot],
    )
    await requests.put_in_line(platform, submission)


# the clock's part


async def look(platform: Platform, thread_id: str, request_id: str) -> int | None:
    """Does what the time has come for: reminds, asks others, or rejects. Returns when to look again (ms).

    Raises `Raced` when somebody has changed the request just now.
    """
    client, keys = platform.client, platform.keys
    approval = await stored.read(client, keys, thread_id, request_id)
    now = await server_time(client)
    if approval is None or approval.status != "open" or approval.wake is None:
        return None
    if approval.due and approval.due <= now:
        try:
            await expire(platform, approval, now)
        except AssistantNotFound:
            told = {"graph_id": approval.card["graph_id"], "thread_id": thread_id}
            logger.warning("a request has expired whose graph is not served here", extra=told)
            return round((now + UNSERVED).timestamp() * 1000)
    elif approval.wake > now:
        return round(approval.wake.timestamp() * 1000)
    else:
        await approvals.change(platform, approval, Act("reminded"), {}, now, wake=approval.due)
    return None


async def expire(platform: Platform, approval: Approval, now: datetime) -> None:
    others = escalated(approval)
    if others is None or approval.roles == others:
        await reject(platform, approval, now)
        return
    longer = now + ((approval.due or now) - datetime.fromisoformat(approval.card["created_at"]))
    fields = {":roles": dumped(others), ":votes": "[]", ":claim": ""}
    act = saying("escalated", approval.card["salt"], {"roles": others})
    await approvals.change(platform, approval, act, fields, now, due=longer, wake=longer)


def escalated(approval: Approval) -> list[str] | None:
    """Whom a policy asks when nobody has answered in time; None when it is then a no."""
    on_expiry = approval.card["on_expiry"]
    return list(on_expiry["escalate"]) if isinstance(on_expiry, dict) else None


async def reject(platform: Platform, approval: Approval, now: datetime) -> None:
    question: Any = await stored.read_question(
        platform.client, platform.keys, approval.thread_id, approval.request_id
    )
    no = [{"type": "reject", "message": TOO_LATE} for _ in question.get("action_requests") or ()]
    decision = decide(approval, question, no, [], now)
    tell = platform.settings.told_of("approval.expired")
    act = saying("expired", approval.card["salt"], {"decisions": no}, kept=decision, tell=tell)
    made, votes = dumped(decision), dumped(approval.votes)
    ballot = Ballot(approval.request_id, made, approval.revision, votes, "expired", act, "expired")
    await enqueue(platform, Caller(NOBODY, approval.tenant, staff=True), approval, ballot)
