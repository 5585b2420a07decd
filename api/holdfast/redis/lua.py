"""The scripts as typed functions: the signature is the contract, the Lua (`redis/scripts`) the proof."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from redis.exceptions import ResponseError

from holdfast.errors import (
    Conflict,
    Fenced,
    NothingPending,
    RunNotFound,
    ThreadBusy,
    ThreadExists,
    ThreadNotFound,
)
from holdfast.redis.client import Argument, Client, Script
from holdfast.redis.keys import Keys
from holdfast.redis.records import Caller, metadata_fields, timestamp_us

CREATE_THREAD = Script.load("thread", "create_thread")
UPDATE_THREAD = Script.load("thread", "update_thread")
DELETE_THREAD = Script.load("thread", "delete_thread")
SUBMIT = Script.load("thread", "submit")
CLAIM = Script.load("thread", "claim")
APPEND = Script.load("thread", "write", "append")
FINISH = Script.load("thread", "write", "finish")
RENEW = Script.load("renew")
RELEASE = Script.load("thread", "release")
CANCEL = Script.load("thread", "cancel")
DELETE_RUN = Script.load("thread", "delete_run")

GROUP = "workers"


class Place(NamedTuple):
    """A place in a thread's log: the last event before it."""

    epoch: int
    seq: int


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
    hold: dict[str, Any] | None = None
    ttl_minutes: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended and what its thread is then.

    `waiting` are the ids of requests that wait for a decision, with whether this attempt was already given an
    answer to each; `after` is "", "rollback" (forget the run) or "delete" (the thread was made for this run).
    """

    status: str
    thread_status: str
    interrupts: dict[str, list[dict[str, Any]]]
    error: dict[str, str] | None
    ttl_s: int
    after: str = ""
    waiting: Mapping[str, bool] | None = None


def thread_keys(keys: Keys, thread_id: str) -> list[str]:
    """Every key that belongs to the thread alone."""
    return [
        keys.queue(thread_id),
        keys.runs(thread_id),
        keys.run_order(thread_id),
        keys.events(thread_id),
        keys.checkpoints(thread_id),
        keys.checkpoint_index(thread_id),
    ]


def index_keys(keys: Keys, thread_id: str, tenant: str, owner: str) -> list[str]:
    lane = keys.lane(thread_id)
    return [keys.threads(lane, tenant, owner), keys.threads(lane, tenant)]


async def create_thread(
    client: Client,
    keys: Keys,
    thread_id: str,
    caller: Caller,
    *,
    now: datetime,
    metadata: dict[str, Any],
    ttl_minutes: float | None,
    default_ttl_s: int,
) -> None:
    """Raises `ThreadExists` when the id is taken, whoever has it."""
    fields: list[Argument] = [*metadata_fields(metadata)]
    if ttl_minutes is not None:
        fields += ("ttl", str(ttl_minutes))
    ttl_s = default_ttl_s if ttl_minutes is None else round(ttl_minutes * 60)
    made = await client.run(
        CREATE_THREAD,
        [keys.thread(thread_id), *index_keys(keys, thread_id, caller.tenant, caller.subject)],
        [thread_id, caller.subject, caller.tenant, timestamp_us(now), ttl_s, *fields],
    )
    if not made:
        raise ThreadExists(f"Thread with ID {thread_id} already exists")


async def update_thread(
    client: Client,
    keys: Keys,
    thread_id: str,
    caller: Caller,
    fields: Sequence[Argument],
    *,
    only_idle: bool = False,
) -> None:
    """Sets fields of the thread's record. Raises `ThreadNotFound`, and `ThreadBusy` when it must be idle."""
    reply = await client.run(
        UPDATE_THREAD,
        [keys.thread(thread_id)],
        [caller.tenant, caller.owner_filter, int(only_idle), *fields],
    )
    if reply == b"missing":
        raise ThreadNotFound(f"Thread with ID {thread_id} not found")
    if reply == b"busy":
        raise ThreadBusy


async def delete_thread(client: Client, keys: Keys, thread_id: str, tenant: str, owner: str) -> None:
    lane = keys.lane(thread_id)
    await client.run(
        DELETE_THREAD,
        [
            keys.thread(thread_id),
            *index_keys(keys, thread_id, tenant, owner),
            keys.registry(lane),
            keys.cancels(lane),
            *thread_keys(keys, thread_id),
        ],
        [thread_id],
    )


async def submit(
    client: Client,
    keys: Keys,
    thread_id: str,
    run_id: str,
    request: dict[str, Any],
    caller: Caller,
    *,
    now: datetime,
    create: bool,
    metadata: dict[str, Any],
    decisions: Mapping[str, dict[str, Any]],
) -> Place:
    """Writes the run, makes the thread busy and puts the run in line, all or nothing.

    `metadata` is merged into the thread's; `decisions` are by request id. Raises `ThreadNotFound`,
    `ThreadBusy` under `multitask_strategy: reject`, `NothingPending` when a request has been decided before.
    """
    flat: list[Argument] = []
    for request_id, decision in decisions.items():
        flat += (request_id, orjson.dumps(decision))
    lane = keys.lane(thread_id)
    reply = await client.run(
        SUBMIT,
        [
            keys.thread(thread_id),
            keys.runs(thread_id),
            keys.run_order(thread_id),
            keys.queue(thread_id),
            keys.events(thread_id),
            keys.ready(lane),
            *index_keys(keys, thread_id, caller.tenant, caller.subject),
            keys.cancels(lane),
            keys.checkpoints(thread_id),
            keys.checkpoint_index(thread_id),
        ],
        [
            thread_id,
            run_id,
            orjson.dumps(request),
            timestamp_us(now),
            request["multitask_strategy"],
            caller.tenant,
            caller.owner_filter,
            caller.subject if create else "",
            len(decisions),
            *flat,
            *metadata_fields(metadata),
        ],
    )
    match reply:
        case [b"ok", epoch, seq]:
            return Place(int(epoch), int(seq))
        case [b"busy"]:
            raise ThreadBusy
        case [b"decided", request_id, decision]:
            made = orjson.loads(decision)
            by = ", ".join(made.get("by", ()))
            raise NothingPending(f"Request {request_id.decode()} was decided by {by} at {made.get('at')}.")
    raise ThreadNotFound(f"Thread with ID {thread_id} not found")


async def claim(
    client: Client, keys: Keys, lane: int, thread_id: str, entry: str, nonce: str, now: datetime
) -> Claim | None:
    """Takes the first run in the thread's line; None when there is none left."""
    reply = await client.run(
        CLAIM,
        [
            keys.thread(thread_id),
            keys.runs(thread_id),
            keys.queue(thread_id),
            keys.events(thread_id),
            keys.ready(lane),
        ],
        [thread_id, entry, nonce, timestamp_us(now)],
    )
    if reply is None:
        return None
    run_id, token, attempt, failures, request, cancel, owner, tenant, hold, ttl = reply
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
        hold=orjson.loads(hold) if hold else None,
        ttl_minutes=float(ttl) if ttl else None,
    )


async def append(client: Client, keys: Keys, claim: Claim, written: int, events: Sequence[bytes]) -> None:
    """Adds events after the `written` ones of this claim. Raises `Fenced`."""
    thread_id = claim.thread_id
    try:
        await client.run(
            APPEND, [keys.thread(thread_id), keys.events(thread_id)], [claim.token, written, *events]
        )
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
    thread_id = claim.thread_id
    lane = keys.lane(thread_id)
    waiting: list[Argument] = []
    for request_id, answered in (outcome.waiting or {}).items():
        waiting += (request_id, int(answered))
    try:
        reply = await client.run(
            FINISH,
            [
                keys.thread(thread_id),
                keys.runs(thread_id),
                keys.run_order(thread_id),
                keys.queue(thread_id),
                keys.events(thread_id),
                keys.ready(lane),
                keys.checkpoints(thread_id),
                keys.checkpoint_index(thread_id),
                *index_keys(keys, thread_id, claim.tenant, claim.owner),
                keys.registry(lane),
            ],
            [
                claim.token,
                written,
                thread_id,
                claim.run_id,
                claim.entry,
                outcome.status,
                outcome.thread_status,
                orjson.dumps(outcome.interrupts),
                orjson.dumps(outcome.error) if outcome.error else "",
                timestamp_us(now),
                outcome.ttl_s,
                keep_s,
                outcome.after,
                len(waiting) // 2,
                *waiting,
                *events,
            ],
        )
    except ResponseError as error:
        raise refusal(error) from error
    made = reply[1:]
    return {made[i].decode(): orjson.loads(made[i + 1]) for i in range(0, len(made), 2)}


async def release(client: Client, keys: Keys, claim: Claim, now: datetime) -> None:
    """Hands the run back; nothing happens when the thread is another worker's by now."""
    thread_id = claim.thread_id
    await client.run(
        RELEASE,
        [keys.thread(thread_id), keys.runs(thread_id), keys.ready(claim.lane)],
        [claim.token, thread_id, claim.run_id, claim.entry, timestamp_us(now)],
    )


async def cancel(client: Client, keys: Keys, thread_id: str, run_id: str, action: str, now: datetime) -> bool:
    """Asks for the run's end; True when it had not started and has ended at once. Raises `RunNotFound`."""
    lane = keys.lane(thread_id)
    reply = await client.run(
        CANCEL,
        [
            keys.thread(thread_id),
            keys.runs(thread_id),
            keys.run_order(thread_id),
            keys.queue(thread_id),
            keys.events(thread_id),
            keys.cancels(lane),
        ],
        [run_id, action, timestamp_us(now)],
    )
    if reply in (b"missing", b"finished"):
        raise RunNotFound("No matching run to cancel: it does not exist or has ended.")
    return bool(reply == b"dropped")


async def delete_run(client: Client, keys: Keys, thread_id: str, run_id: str) -> None:
    """Raises `RunNotFound`, and `Conflict` while the run is active."""
    reply = await client.run(DELETE_RUN, [keys.runs(thread_id), keys.run_order(thread_id)], [run_id])
    if reply == b"missing":
        raise RunNotFound("Run not found")
    if reply == b"active":
        raise Conflict("The run is active: cancel it first.")


def refusal(error: ResponseError) -> Exception:
    return Fenced() if str(error).startswith("FENCED") else error
