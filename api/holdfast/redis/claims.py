"""The scripts of a worker as typed functions: everything that the holder of a claim may do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson
from redis.exceptions import ResponseError

from holdfast.errors import Fenced
from holdfast.events import HOLD
from holdfast.redis.approvals import NO_REQUESTS, REQUESTS, Requests, approval_keys
from holdfast.redis.client import STALE, Argument, Client, Script
from holdfast.redis.keys import Keys
from holdfast.redis.lua import schedule_keys
from holdfast.redis.records import Handback, Hold, timestamp_us
from holdfast.redis.thread_index import INDEXED, index_keys, lane_keys

CLAIM = Script.load("thread", "schedule", "claim")
APPEND = Script.load("thread", "write", "append")
APPEND_ASKING = Script.load(*INDEXED, "write", "append")  # when a graph asks for a person
FINISH = Script.load(*INDEXED, *REQUESTS, "schedule", "write", "finish")
SPEND = Script.load("spend")
RENEW = Script.load("renew")
RELEASE = Script.load("thread", "schedule", "release")
DUE = Script.load(*INDEXED, "schedule", "due")


Failure = Literal["", "failed", "given_up"]  # the second when no attempt is left


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run `run_id`, as long as `token` is the thread's."""

    thread_id: str
    run_id: str
    lane: int
    entry: str
    token: str
    attempt: int
    failures: int
    request: dict[str, Any]
    cancel: str
    owner: str
    tenant: str
    hold: Hold | None = None
    handback: Handback | None = None
    ttl_minutes: float | None = None
    followed: bool = False  # by readers of protocol v3
    asking: Sequence[str] = ()  # ids of the requests that waited when the run was claimed


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended and what its thread is then.

    `counted` says whether the day's figures are to hold it, `first_token_ms` when its first text came.
    `after` is "", "rollback" (forget the run) or "delete" (the thread was made for this run); `report` is
    what webhooks are told of it beside the run, in JSON; `failure` lists it for operators.
    """

    status: str
    thread_status: str
    interrupts: dict[str, list[dict[str, Any]]]
    error: dict[str, str] | None
    ttl_s: int
    after: str = ""
    requests: Requests = NO_REQUESTS
    report: bytes = b""
    counted: bool = True
    first_token_ms: int | None = None
    failure: Failure = ""


async def claim(
    client: Client, keys: Keys, worker: str, lane: int, thread_id: str, entry: str, nonce: str, now: datetime
) -> Claim | None:
    """Takes the first run in the thread's line; None when there is none, or the entry is not `worker`'s."""
    reply = await client.run(
        CLAIM,
        [
            keys.thread(thread_id),
            keys.runs(thread_id),
            keys.queue(thread_id),
            keys.events(thread_id),
            *schedule_keys(keys, lane),
        ],
        [thread_id, entry, nonce, timestamp_us(now), worker],
    )
    return None if reply is None else read_claim(thread_id, lane, entry, reply)


def read_claim(thread_id: str, lane: int, entry: str, reply: Sequence[Any]) -> Claim:
    run_id, token, attempt, failures, request, cancel, owner, tenant, *of_thread = reply
    hold, ttl, protocol, asking, back = of_thread
    return Claim(
        thread_id=thread_id,
        run_id=run_id.decode(),
        lane=lane,
        entry=entry,
        token=token.decode(),
        attempt=attempt,
        failures=failures,
        request=orjson.loads(request),
        cancel=cancel.decode(),
        owner=owner.decode(),
        tenant=tenant.decode(),
        hold=Hold.decode(hold) if hold else None,
        handback=Handback(**orjson.loads(back)) if back else None,
        ttl_minutes=float(ttl) if ttl else None,
        followed=bool(protocol),
        asking=asking.decode().split(),
    )


async def append(client: Client, keys: Keys, claim: Claim, written: int, events: Sequence[bytes]) -> None:
    """Adds events after the `written` ones of this claim. Raises `Fenced`."""
    thread_id = claim.thread_id
    try:
        await client.run(
            APPEND_ASKING if any(map(asks, events)) else APPEND,
            [keys.thread(thread_id), keys.events(thread_id), keys.threads(claim.lane)],
            [thread_id, claim.token, written, *events],
        )
    except ResponseError as error:
        raise refusal(error) from error


def asks(event: bytes) -> bool:
    """Whether a graph asks for a person by an event, as `write.lua` takes it."""
    return event.startswith(b"\x1f" + HOLD.encode() + b"\x1f")


async def spend(client: Client, keys: Keys, claim: Claim, used: Mapping[str, int]) -> None:
    """Counts the tokens that tasks of the run have used so far, by task. Raises `Fenced`."""
    arguments: list[Argument] = [claim.token, claim.run_id]
    for task, tokens in used.items():
        arguments += (task, tokens)
    counted = [
        keys.thread(claim.thread_id),
        keys.runs(claim.thread_id),
        keys.tokens(claim.lane, claim.tenant, claim.request["caller"]),
    ]
    try:
        await client.run(SPEND, counted, arguments)
    except ResponseError as error:
        raise refusal(error) from error


async def finish(
    client: Client,
    keys: Keys,
    claim: Claim,
    outcome: Outcome,
    written: int,
    events: Sequence[bytes],
    *,
    now: datetime,
    keep_s: int,
) -> dict[str, dict[str, Any]]:
    """Ends the run with its last events and starts the thread's next one.

    Returns the decisions, by request id, that were made for requests which would now wait: then the run has
    not ended and is to go on with them. Empty when it has ended. Raises `Fenced`.
    """
    arguments = [
        claim.token,
        written,
        claim.thread_id,
        claim.run_id,
        claim.entry,
        *outcome_arguments(outcome, now, keep_s),
        *events,
        outcome.report,
    ]
    try:
        reply = await client.run(FINISH, finish_keys(keys, claim), arguments)
    except ResponseError as error:
        raise refusal(error) from error
    made = reply[1:]
    return {made[i].decode(): orjson.loads(made[i + 1]) for i in range(0, len(made), 2)}


def finish_keys(keys: Keys, claim: Claim) -> list[str]:
    thread_id, lane = claim.thread_id, claim.lane
    return [
        keys.thread(thread_id),
        keys.runs(thread_id),
        keys.run_order(thread_id),
        keys.queue(thread_id),
        keys.events(thread_id),
        keys.checkpoints(thread_id),
        keys.checkpoint_index(thread_id),
        keys.registry(lane),
        *schedule_keys(keys, lane),
        keys.departed(thread_id),
        *index_keys(keys, thread_id, claim.tenant),
        *approval_keys(keys, thread_id, claim.tenant),
        keys.failed(lane, claim.tenant),
        keys.given_up(lane, claim.tenant),
    ]


def outcome_arguments(outcome: Outcome, now: datetime, keep_s: int) -> list[Argument]:
    return [
        outcome.status,
        outcome.thread_status,
        orjson.dumps(outcome.interrupts),
        orjson.dumps(outcome.error) if outcome.error else "",
        timestamp_us(now),
        outcome.ttl_s,
        keep_s,
        outcome.after,
        orjson.dumps(outcome.requests),
        "1" if outcome.counted else "",
        "" if outcome.first_token_ms is None else outcome.first_token_ms,
        outcome.failure,
    ]


async def read_traceparent_before(client: Client, keys: Keys, claim: Claim) -> str:
    """Where the run before this one in its thread was asked for; "" when nobody knows."""
    runs, order = keys.runs(claim.thread_id), keys.run_order(claim.thread_id)
    newest = await client.call("ZREVRANGEBYLEX", order, f"({claim.run_id}", "-", "LIMIT", 0, 1)
    request = await client.call("HGET", runs, newest[0]) if newest else None
    found: str = orjson.loads(request).get("traceparent", "") if request else ""
    return found


async def release(client: Client, keys: Keys, claim: Claim, now: datetime) -> None:
    """Hands the run back; nothing happens when the thread is another worker's by now."""
    thread_id = claim.thread_id
    await client.run(
        RELEASE,
        [keys.thread(thread_id), keys.runs(thread_id), *schedule_keys(keys, claim.lane)],
        [claim.token, thread_id, claim.run_id, claim.entry, timestamp_us(now)],
    )


async def start_one(client: Client, keys: Keys, lane: int, thread_id: str, run_id: str) -> int:
    """Puts a run in line whose time has come; 0 when it has been, or is gone."""
    found: int = await client.run(
        DUE,
        [
            keys.thread(thread_id),
            keys.runs(thread_id),
            keys.queue(thread_id),
            keys.timers(lane),
            *schedule_keys(keys, lane),
            *lane_keys(keys, lane),
        ],
        [thread_id, run_id],
    )
    return found


def refusal(error: ResponseError) -> Exception:
    return Fenced() if str(error).startswith(STALE) else error
