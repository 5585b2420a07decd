"""The scripts as typed functions: the signature is the contract, the Lua (`redis/scripts`) the proof."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from holdfast.errors import (
    Conflict,
    Decided,
    Invalid,
    NothingPending,
    RunNotFound,
    ThreadBusy,
    ThreadExists,
    ThreadNotFound,
    TooManyRuns,
)
from holdfast.redis.approvals import REQUESTS, Ballot, approval_keys
from holdfast.redis.client import Argument, Client, Script
from holdfast.redis.crons import delete_of_thread
from holdfast.redis.keys import Keys
from holdfast.redis.records import (
    THREAD_METADATA,
    Caller,
    config_fields,
    fields_of,
    metadata_fields,
    run_fields,
    timestamp_us,
)
from holdfast.redis.thread_index import INDEXED, index_keys
from holdfast.redis.transfers import flat

CREATE_THREAD = Script.load(*INDEXED, "create_thread")
READ_THREAD = Script.load("thread", "read_thread")
READ_RUN = Script.load("thread", "read_run")
UPDATE_THREAD = Script.load(*INDEXED, "update_thread")
LAPSE = Script.load(*INDEXED, "lapse")
DELETE_THREAD = Script.load(*INDEXED, *REQUESTS, "schedule", "delete_thread")
SUBMIT = Script.load(*INDEXED, *REQUESTS, "schedule", "submit")
CANCEL = Script.load(*INDEXED, *REQUESTS, "schedule", "cancel")
DELETE_RUN = Script.load("thread", "delete_run")

GROUP = "workers"


class Place(NamedTuple):
    """A place in a thread's log: the last event before it."""

    epoch: int
    seq: int

    @property
    def id(self) -> str:
        """The event's id, on the wire and in the log."""
        return f"{self.epoch}-{self.seq}"


class Submitted(NamedTuple):
    """Where a run's events begin, and the metadata that its thread had when it was put in line."""

    place: Place
    thread_metadata: dict[str, Any]


class Most(NamedTuple):
    """How many runs may wait or run at once; 0 is no bound."""

    in_all: int = 0
    of_tenant: int = 0
    of_caller: int = 0

    def share(self, lanes: int) -> list[int]:
        """A lane's part of each bound; threads spread evenly over the lanes."""
        return [-(-bound // lanes) if bound else UNBOUNDED for bound in self]

    def sentence(self, whose: int) -> str:
        """What is said of the bound that was met, the first, second or third."""
        runs = f"{self[whose]} runs{(' in all', ' of a tenant', ' of a caller')[whose]}"
        return f"At most {runs} may wait or run at once: try again when one has ended."


class Once(NamedTuple):
    """An Idempotency-Key: the caller's and thread's own, a digest of what is asked, how long it is known."""

    key: str
    digest: str
    keep_s: int = 24 * 3600


class Raced(Exception):
    """Something has happened to a thing since it was read: it is to be read again."""


class AlreadyMade(Exception):
    """The run was made by an earlier request under the same Idempotency-Key."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id


KEY_REUSED = "This Idempotency-Key was used for another request: send a new key."
UNBOUNDED = 2**53
NO_BOUNDS = Most()


def schedule_keys(keys: Keys, lane: int) -> list[str]:
    """What `schedule.lua` works on, in its order."""
    return [keys.ready(lane), keys.waiting(lane), keys.shares(lane), keys.queued(lane)]


class History(NamedTuple):
    """What a thread begins with: its checkpoints, and what its record says of the last one."""

    checkpoints: Mapping[bytes, bytes]
    record: Sequence[Argument]


NO_HISTORY = History({}, ())


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
    history: History = NO_HISTORY,
) -> dict[bytes, bytes]:
    """Makes a thread with its history, all at once: its record, as `records.read_thread` takes it.

    Raises `ThreadExists` when the id is taken, whoever has it.
    """
    fields: list[Argument] = [*metadata_fields(metadata), *history.record]
    if ttl_minutes is not None:
        fields += ("ttl", str(ttl_minutes))
    ttl_s = default_ttl_s if ttl_minutes is None else round(ttl_minutes * 60)
    head = (thread_id, caller.subject, caller.tenant, timestamp_us(now), ttl_s, len(fields) // 2)
    made = await client.run(
        CREATE_THREAD,
        [
            keys.thread(thread_id),
            keys.events(thread_id),
            keys.departed(thread_id),
            *index_keys(keys, thread_id, caller.tenant),
            keys.checkpoints(thread_id),
            keys.checkpoint_index(thread_id),
            keys.registry(keys.lane(thread_id)),
        ],
        [*head, *fields, *flat(history.checkpoints)],
    )
    if not made:
        raise ThreadExists(f"Thread with ID {thread_id} already exists")
    return fields_of(made)


async def read_thread(client: Client, keys: Keys, thread_id: str, caller: Caller) -> dict[bytes, bytes]:
    """The record as `records.read_thread` takes it; empty when there is none that the caller may use."""
    found = await client.run(READ_THREAD, [keys.thread(thread_id)], [caller.tenant, caller.owner_filter])
    return fields_of(found)


async def read_run(
    client: Client, keys: Keys, thread_id: str, run_id: str, caller: Caller
) -> list[bytes | None]:
    """The values as `records.read_run` takes them; empty when the caller may use no such thread."""
    found = await client.run(
        READ_RUN,
        [keys.thread(thread_id), keys.runs(thread_id)],
        [caller.tenant, caller.owner_filter, *run_fields(run_id)],
    )
    return found or []


async def update_thread(
    client: Client,
    keys: Keys,
    thread_id: str,
    caller: Caller,
    fields: Sequence[Argument],
) -> None:
    """Sets fields of the thread's record. Raises `ThreadNotFound`."""
    reply = await client.run(
        UPDATE_THREAD,
        [keys.thread(thread_id), *index_keys(keys, thread_id, caller.tenant)],
        [thread_id, caller.tenant, caller.owner_filter, *fields],
    )
    if reply == b"missing":
        raise ThreadNotFound(f"Thread with ID {thread_id} not found")


async def lapse(
    client: Client, keys: Keys, thread_id: str, tenant: str, ttl_s: int, *, now_s: int, keep_s: int
) -> None:
    """Sets how long a thread is kept; at rest it begins now, with `now_s`, where 0 is for ever."""
    timers = keys.timers(keys.lane(thread_id))
    its_keys = [*keys.lapsing(thread_id), *index_keys(keys, thread_id, tenant), timers]
    await client.run(LAPSE, its_keys, [thread_id, ttl_s, now_s, keep_s])


async def delete_thread(client: Client, keys: Keys, thread_id: str, tenant: str) -> None:
    """Deletes a thread and all that belongs to it, its crons first."""
    lane = keys.lane(thread_id)
    its_keys = [
        keys.thread(thread_id),
        *index_keys(keys, thread_id, tenant),
        keys.registry(lane),
        keys.cancels(lane),
        keys.queue(thread_id),
        *keys.contents(thread_id),
        *schedule_keys(keys, lane),
        keys.timers(lane),
        *approval_keys(keys, thread_id, tenant),
        keys.dead(lane),
        keys.failed(lane, tenant),
        keys.given_up(lane, tenant),
    ]
    while isinstance(left := await client.run(DELETE_THREAD, its_keys, [thread_id]), bytes):
        for cron_id in left.decode().split():
            await delete_of_thread(client, keys, thread_id, cron_id)


@dataclass(frozen=True, slots=True)
class Submission:
    """A run to be put in line, on a thread that need not be there when `create` is set.

    `metadata` is merged into the thread's, `config` shown as the thread's; a thread that is made has
    the request's too. `answers` are the plain interrupts that must still wait for what the run brings,
    `ballots` what it says to requests; with `delay_ms` it stands in line only after that.
    """

    thread_id: str
    run_id: str
    request: dict[str, Any]
    caller: Caller
    now: datetime
    create: bool
    metadata: dict[str, Any]
    config: Mapping[str, Any] = field(default_factory=dict)
    answers: Collection[str] = ()
    delay_ms: int = 0
    most: Most = NO_BOUNDS
    once: Once | None = None
    ballots: Collection[Ballot] = ()

    def keys(self, keys: Keys) -> list[str]:
        thread_id, lane = self.thread_id, keys.lane(self.thread_id)
        return [
            keys.thread(thread_id),
            keys.runs(thread_id),
            keys.run_order(thread_id),
            keys.queue(thread_id),
            keys.events(thread_id),
            keys.cancels(lane),
            keys.checkpoints(thread_id),
            keys.checkpoint_index(thread_id),
            keys.timers(lane),
            *schedule_keys(keys, lane),
            keys.idempotency(thread_id, self.once.key if self.once else ""),
            keys.departed(thread_id),
            *index_keys(keys, thread_id, self.caller.tenant),
            *approval_keys(keys, thread_id, self.caller.tenant),
        ]

    def arguments(self, lanes: int) -> list[Argument]:
        asked = {name: value for name, value in self.request.items() if name != THREAD_METADATA}
        first = metadata_fields(self.request.get("metadata", {})) if self.create else []
        return [
            self.thread_id,
            self.run_id,
            orjson.dumps(asked),
            timestamp_us(self.now),
            self.request["multitask_strategy"],
            self.caller.tenant,
            self.caller.owner_filter,
            self.caller.subject if self.create else "",
            self.delay_ms,
            *self.most.share(lanes),
            self.caller.subject,
            self.once.digest if self.once else "",
            self.once.keep_s if self.once else 0,
            orjson.dumps(list(self.ballots)),
            len(self.answers),
            len(first),
            *self.answers,
            *first,
            *metadata_fields(self.metadata),
            *config_fields(self.config),
        ]


async def submit(client: Client, keys: Keys, asked: Submission) -> Submitted:
    """Writes the run, makes the thread busy and puts the run in line, all or nothing.

    Raises `ThreadNotFound`, `ThreadBusy` under `multitask_strategy: reject`, `NothingPending` when a request
    has been decided, or an interrupt answered, before, `TooManyRuns` past the bounds of `most`, and for
    `once` `AlreadyMade` when its run is there, `Invalid` when something else was asked under its key. Raises
    `Raced` when a request that a ballot is for is another by now.
    """
    match await client.run(SUBMIT, asked.keys(keys), asked.arguments(keys.lanes)):
        case [b"ok", epoch, seq, metadata]:
            return Submitted(Place(int(epoch), int(seq)), orjson.loads(metadata))
        case [b"busy"]:
            raise ThreadBusy
        case [b"same", made]:
            raise AlreadyMade(made.decode())
        case [b"differs"]:
            raise Invalid(KEY_REUSED)
        case [b"full", whose]:
            raise TooManyRuns(asked.most.sentence(whose))
        case [b"raced", request_id]:
            raise Raced(request_id.decode())
        case [b"decided", request_id, decision]:
            made = orjson.loads(decision)
            raise Decided(request_id.decode(), made.get("by", ()), made.get("at"))
        case [b"answered", interrupt_id]:
            raise NothingPending(f"Interrupt {interrupt_id.decode()} is not waiting for an answer.")
    raise ThreadNotFound(f"Thread with ID {asked.thread_id} not found")


async def check_once(client: Client, keys: Keys, thread_id: str, once: Once) -> None:
    """What `submit` says of a key, before anything else is looked at."""
    key = keys.idempotency(thread_id, once.key)
    digest, made = await client.call("HMGET", key, "digest", "run")
    if digest is not None:
        raise AlreadyMade(made.decode()) if digest.decode() == once.digest else Invalid(KEY_REUSED)


async def cancel(
    client: Client, keys: Keys, thread_id: str, tenant: str, run_id: str, action: str, now: datetime
) -> bool:
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
            keys.timers(lane),
            *schedule_keys(keys, lane),
            *index_keys(keys, thread_id, tenant),
            *approval_keys(keys, thread_id, tenant),
        ],
        [run_id, action, timestamp_us(now), thread_id],
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
