"""Requests for approval as Redis keeps them: what a script is told of one, and what is read back."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from holdfast.redis.acts import Act, details_of, dumped
from holdfast.redis.audit import digest
from holdfast.redis.client import Argument, Client, Script
from holdfast.redis.keys import Keys
from holdfast.redis.outbox import box_keys
from holdfast.redis.records import timestamp_us
from holdfast.redis.stats import DecisionKind, today
from holdfast.redis.thread_index import INDEXED
from holdfast.redis.timers import SEPARATOR, clock_ms
from holdfast.wire.approvals import ApprovalStatus, read_policy

# The scripts that change a request are made of these.
REQUESTS = ("sha256", "audit", "outbox", "stats", "approvals")
CHANGE_APPROVAL = Script.load("thread", *REQUESTS, "change_approval")
VIEW_APPROVAL = Script.load("thread", *REQUESTS, "view_approval")
ADOPT_APPROVAL = Script.load(*INDEXED, *REQUESTS, "adopt_approval")

PAGE = 500

DECIDED, ASKED = Act("decided"), Act("requested")  # by nobody

FIELDS = (
    "",
    ":status",
    ":revision",
    ":interrupt",
    ":votes",
    ":claim",
    ":decision",
    ":roles",
    ":due",
    ":wake",
)


@dataclass(frozen=True, slots=True)
class Ballot:
    """What somebody said to a request, on top of a revision of it ('' = whatever it is).

    `decision` is '' while more votes are wanted; `status` is what the request becomes by it, `kind` what it
    is counted as.
    """

    request: str
    decision: str
    revision: str = ""
    votes: str = "[]"
    status: ApprovalStatus = "decided"
    act: Act = DECIDED
    kind: DecisionKind = "approved"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that waits when a run ends; `answered` when this attempt was given an answer to it.

    `due` is when it expires, `wake` when the clock is to look at it (ms; '' = never).
    """

    request: str
    answered: bool
    interrupt: str = ""
    card: str = "{}"
    question: str = "null"
    due: str = ""
    wake: str = ""
    act: Act = ASKED


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a request."""

    request: str
    act: Act
    status: ApprovalStatus = "decided"


@dataclass(frozen=True, slots=True)
class Requests:
    """What the end of a run says of its thread's requests.

    Where `heed` is set, a decision that was made meanwhile keeps the run from its end. `gone` wait no more;
    the decisions of `done` were carried out by the run.
    """

    heed: bool = False
    waiting: Collection[Asked] = ()
    gone: Collection[Told] = ()
    done: Collection[Told] = ()


NO_REQUESTS = Requests()


@dataclass(frozen=True, slots=True)
class Approval:
    """A request and how it stands. `card` says what does not change: who asked for what, by which rules."""

    thread_id: str
    request_id: str
    card: dict[str, Any]
    status: ApprovalStatus
    revision: str
    interrupt_id: str
    votes: list[dict[str, Any]]
    claim: dict[str, Any] | None
    decision: dict[str, Any] | None
    roles: list[str]
    due: datetime | None
    wake: datetime | None

    @property
    def approval_id(self) -> str:
        return approval_id(self.thread_id, self.request_id)

    @property
    def tenant(self) -> str:
        return str(self.card["tenant"])

    @property
    def owner(self) -> str:
        return str(self.card["owner"])


def approval_id(thread_id: str, request_id: str) -> str:
    return f"{thread_id}:{request_id}"


def ask(
    interrupt_id: str,
    question: dict[str, Any],
    about: Mapping[str, Any],
    actor: str = "",
    *,
    answered: bool = False,
    known: Mapping[str, Any] | None = None,
    tell: Collection[str] = (),
) -> Asked:
    """A request as it is kept: `about` says whose it is, who asked, and in which run of which graph; `known`
    is its card if it was asked before.

    Raises `Invalid` for a policy that makes no sense.
    """
    policy = read_policy(question["policy"])
    display = question.get("display")
    shown = display if isinstance(display, dict) else {}
    actions = question.get("action_requests") or []
    began = {"created_at": datetime.now(UTC).isoformat(), "salt": secrets.token_hex(16)}
    began |= {name: known[name] for name in ("created_at", "salt", "requester") if known and name in known}
    salt = began["salt"]
    card = {
        **about,
        **began,
        "title": str(shown.get("title") or ""),
        "facts": shown.get("facts") or [],
        "actions": [str(action.get("name")) for action in actions if isinstance(action, dict)],
        **policy.model_dump(mode="json", exclude={"request_id", "edit_schema"}),
    }
    return Asked(
        request=policy.request_id,
        answered=answered,
        interrupt=interrupt_id,
        card=dumped(card),
        question=dumped(question),
        due=milliseconds(policy.expires_at),
        wake=milliseconds(earlier(policy.remind_at, policy.expires_at)),
        act=Act(
            "requested",
            actor,
            str(about["requester"]),
            digest(salt, question),
            details=digest(salt, details_of(card)),
            tell=tell,
        ),
    )


def earlier(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment), default=None)


def approval_keys(keys: Keys, thread_id: str, tenant: str) -> list[str]:
    """What `approvals.lua` works on, in its order."""
    lane = keys.lane(thread_id)
    feed = keys.feed(lane, tenant)
    return [
        keys.approvals(thread_id),
        keys.open_approvals(lane, tenant),
        keys.closed_approvals(lane, tenant),
        keys.audit(lane),
        keys.thread(feed),
        keys.events(feed),
        keys.timers(lane),
        keys.stats(lane, tenant, today()),
        keys.asked(lane),
        *box_keys(keys, thread_id),
    ]


def milliseconds(moment: datetime | None) -> str:
    return "" if moment is None else str(round(moment.timestamp() * 1000))


def read_moment(stored: bytes | None) -> datetime | None:
    return datetime.fromtimestamp(int(stored) / 1000, UTC) if stored else None


def read_approval(thread_id: str, request_id: str, values: list[bytes | None]) -> Approval | None:
    """`values` are those of `FIELDS`; None when there is no such request."""
    card, status, revision, interrupt, votes, claim, decision, roles, due, wake = values
    if card is None or status is None or revision is None:
        return None
    about = orjson.loads(card)
    return Approval(
        thread_id=thread_id,
        request_id=request_id,
        card=about,
        status=status.decode(),  # type: ignore[arg-type]
        revision=revision.decode(),
        interrupt_id=(interrupt or b"").decode(),
        votes=orjson.loads(votes or b"[]"),
        claim=orjson.loads(claim) if claim else None,
        decision=orjson.loads(decision) if decision else None,
        roles=orjson.loads(roles) if roles else list(about["roles"]),
        due=read_moment(due),
        wake=read_moment(wake),
    )


async def read(client: Client, keys: Keys, thread_id: str, request_id: str) -> Approval | None:
    fields = [request_id + suffix for suffix in FIELDS]
    return read_approval(
        thread_id, request_id, await client.call("HMGET", keys.approvals(thread_id), *fields)
    )


async def read_cards(
    client: Client, keys: Keys, thread_id: str, request_ids: Collection[str]
) -> dict[str, dict[str, Any]]:
    """What is kept of those that have been asked before, by id."""
    if not request_ids:
        return {}
    found = await client.call("HMGET", keys.approvals(thread_id), *request_ids)
    return {id: orjson.loads(card) for id, card in zip(request_ids, found, strict=True) if card}


async def read_question(client: Client, keys: Keys, thread_id: str, request_id: str) -> Any:
    """The payload of the interrupt, as it was when the request was first asked."""
    found = await client.call("HGET", keys.approvals(thread_id), f"{request_id}:question")
    return orjson.loads(found) if found else None


async def read_history(client: Client, keys: Keys, thread_id: str, request_id: str) -> list[dict[str, Any]]:
    """What happened to a request, the first first."""
    found = await client.call("HGET", keys.approvals(thread_id), f"{request_id}:history")
    return [orjson.loads(line) for line in (found or b"").splitlines()]


async def change(
    client: Client,
    keys: Keys,
    approval: Approval,
    act: Act,
    fields: Mapping[str, Argument],
    *,
    now: datetime,
    due: datetime | None,
    wake: datetime | None,
) -> bool:
    """Changes fields ('' takes one away) of a request that waits; False when it is another by now."""
    flat: list[Argument] = [part for pair in fields.items() for part in pair]
    done: int = await client.run(
        CHANGE_APPROVAL,
        [keys.thread(approval.thread_id), *approval_keys(keys, approval.thread_id, approval.tenant)],
        [
            approval.thread_id,
            approval.request_id,
            approval.revision,
            secrets.token_hex(8),
            timestamp_us(now),
            orjson.dumps(act),
            milliseconds(due),
            milliseconds(wake),
            *flat,
        ],
    )
    return bool(done)


async def note_view(client: Client, keys: Keys, approval: Approval, act: Act, now: datetime) -> None:
    """Writes down that somebody has looked at a request, the first time; its revision stays what it is."""
    await client.run(
        VIEW_APPROVAL,
        [keys.thread(approval.thread_id), *approval_keys(keys, approval.thread_id, approval.tenant)],
        [approval.thread_id, approval.request_id, timestamp_us(now), orjson.dumps(act)],
    )


async def adopt(client: Client, keys: Keys, thread_id: str, tenant: str, asked: Asked, now: datetime) -> None:
    """Keeps a request that is known from its thread only."""
    await client.run(
        ADOPT_APPROVAL,
        [
            keys.thread(thread_id),
            *approval_keys(keys, thread_id, tenant),
            keys.thread_expiry(keys.lane(thread_id)),
        ],
        [thread_id, timestamp_us(now), orjson.dumps(asked)],
    )


async def every(
    client: Client, keys: Keys, tenant: str, *, opened: bool, closed: bool
) -> AsyncIterator[Approval]:
    """The tenant's requests: first those that wait, next due first; then the others, newest first."""
    for wanted, index, command in (
        (opened, keys.open_approvals, "ZRANGE"),
        (closed, keys.closed_approvals, "ZREVRANGE"),
    ):
        for lane in range(keys.lanes if wanted else 0):
            async for approval in walk(client, keys, index(lane, tenant), command):
                yield approval


class Due(NamedTuple):
    """How many requests wait, and for how many the time is up."""

    open: int
    overdue: int
    next_due: datetime | None


async def read_due(client: Client, keys: Keys, tenant: str) -> Due:
    now_ms = await clock_ms(client)
    lanes = await asyncio.gather(
        *(
            asyncio.gather(
                client.call("ZCARD", index),
                client.call("ZCOUNT", index, "-inf", now_ms),
                client.call("ZRANGE", index, f"({now_ms}", "(+inf", "BYSCORE", "LIMIT", 0, 1, "WITHSCORES"),
            )
            for index in (keys.open_approvals(lane, tenant) for lane in range(keys.lanes))
        )
    )
    due = [read_moment(of[1]) for _, _, of in lanes if of]
    return Due(sum(one[0] for one in lanes), sum(one[1] for one in lanes), earlier(*due))


async def walk(client: Client, keys: Keys, index: str, command: str) -> AsyncIterator[Approval]:
    """Reads what an index names; what has gone with its thread goes off the index."""
    members = [member.decode() for member in await client.call(command, index, 0, -1)]
    for start in range(0, len(members), PAGE):
        part = members[start : start + PAGE]
        found = await asyncio.gather(*(read(client, keys, *member.split(SEPARATOR, 1)) for member in part))
        if gone := [member for member, approval in zip(part, found, strict=True) if approval is None]:
            await client.call("ZREM", index, *gone)
        for approval in found:
            if approval:
                yield approval
