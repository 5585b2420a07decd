"""What operators see of a server at work, and of what could not be done."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from holdfast.wire.runs import RunStatus

RunsWanted = Literal["active", "pending", "running", "failed"]
DeadKind = Literal["run", "webhook"]


class RunError(BaseModel):
    error: str
    message: str


class RunStanding(BaseModel):
    """A run and how it stands.

    `worker` has it, and was heard of `silent_ms` ago; `node` is the last that began, as of a moment ago.
    `due_at` is when it was to begin, `retries` the failed run that it goes on with.
    """

    run_id: UUID
    thread_id: UUID
    graph_id: str
    assistant_id: UUID
    owner: str
    status: RunStatus
    attempt: int
    created_at: datetime
    due_at: datetime
    started_at: datetime | None
    updated_at: datetime
    worker: str | None
    silent_ms: int | None
    node: str | None
    error: RunError | None
    retries: UUID | None


class LaneDepth(BaseModel):
    """How much waits in a lane, of all tenants; see `docs/operate.md`."""

    lane: int
    runs: int
    held: int
    ready: int
    waiting: int
    timers: int
    letters: int
    dead_letters: int


class WorkerSeen(BaseModel):
    """A worker as the queue knows it: runs in hand, and how long it was not heard of."""

    name: str
    runs: int
    silent_ms: int


class ApprovalsOpen(BaseModel):
    open: int
    overdue: int
    next_due: datetime | None


class RedisLoad(BaseModel):
    server: str
    used_bytes: int
    max_bytes: int
    commands_per_s: int
    clients: int
    answer_ms: float


class Operations(BaseModel):
    """A server at work. `queued`, `running`, `failed`, `given_up`, `approvals` and `runs` are of the caller's
    tenant; `lanes`, `workers` and `redis` are the installation's, and `streams` those of this process."""

    at: datetime
    queued: int
    running: int
    failed: int
    given_up: int
    approvals: ApprovalsOpen
    streams: int
    lanes: list[LaneDepth]
    workers: list[WorkerSeen]
    redis: RedisLoad
    runs: list[RunStanding]


class DeadLetter(BaseModel):
    """What is not tried again by itself: a run without an attempt left, or a webhook's letter.

    `id` is `<thread id>:<run id>`, or the letter's. `what` is the run's graph, or the event that is told;
    `host` is where the letter goes.
    """

    id: str
    kind: DeadKind
    at: datetime
    thread_id: UUID
    what: str
    host: str | None
    attempts: int
    error: str


class DeadLetterDetail(DeadLetter):
    """`content` is what was asked of the run, or what the letter says."""

    content: Any


class Retried(BaseModel):
    """What comes of it: the run that goes on, or nothing but the letter, which is due again."""

    kind: DeadKind
    run: RunStanding | None
