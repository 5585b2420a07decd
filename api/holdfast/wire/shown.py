"""What the server answers, for the reference: the routes write their JSON themselves."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from holdfast.lifetimes import Strategy
from holdfast.wire.common import JsonObject
from holdfast.wire.crons import OnRunCompleted
from holdfast.wire.runs import MultitaskStrategy, RunStatus
from holdfast.wire.threads import ThreadStatus


class Interrupt(BaseModel):
    """A question that waits for an answer."""

    id: str
    value: Any
    response_schema: JsonObject = Field(default_factory=dict)


class HoldShown(BaseModel):
    """Who has a thread, or is asked for; see `docs/hand-off.md`."""

    role: str
    by: str | None
    since: datetime
    asked_by: str | None


class Rating(BaseModel):
    score: int
    comment: str | None
    at: datetime


class TtlShown(BaseModel):
    """How long a thread is kept; `expires_at` is null while something holds it, such as a run."""

    strategy: Strategy
    ttl_minutes: float
    expires_at: datetime | None


class Thread(BaseModel):
    """`ttl` is there where it is asked for, `extracted` where paths were given."""

    thread_id: UUID
    created_at: datetime
    updated_at: datetime
    state_updated_at: datetime
    metadata: JsonObject
    status: ThreadStatus
    config: JsonObject
    values: Any
    error: JsonObject | None = None
    interrupts: dict[str, list[Interrupt]] = Field(default_factory=dict)
    hold: HoldShown | None = None
    ttl: TtlShown | None = None
    extracted: JsonObject | None = None


class Pruned(BaseModel):
    pruned_count: int


class Checkpoint(BaseModel):
    checkpoint_id: str | None
    thread_id: UUID
    checkpoint_ns: str
    checkpoint_map: dict[str, str] | None = None


class Task(BaseModel):
    id: str
    name: str
    path: list[Any]
    error: str | None
    interrupts: list[Interrupt]
    checkpoint: JsonObject | None
    state: JsonObject | None
    result: Any


class ThreadState(BaseModel):
    """A thread as it was at a checkpoint."""

    values: Any
    next: list[str]
    tasks: list[Task]
    metadata: JsonObject | None
    created_at: str | None
    checkpoint: Checkpoint | None
    parent_checkpoint: Checkpoint | None
    interrupts: list[Interrupt]
    checkpoint_id: str | None
    parent_checkpoint_id: str | None


class Written(BaseModel):
    """Where a state was written."""

    checkpoint: Checkpoint
    configurable: Checkpoint
    checkpoint_id: str


class Storage(BaseModel):
    thread_id: UUID
    checkpointer: str
    bytes: int
    tables: dict[str, int]
    checkpoints: JsonObject = Field(default_factory=dict)
    channels: dict[str, JsonObject] = Field(default_factory=dict)
    unused: JsonObject = Field(default_factory=dict)


class Run(BaseModel):
    run_id: UUID
    thread_id: UUID
    assistant_id: UUID
    metadata: JsonObject
    status: RunStatus
    kwargs: JsonObject
    multitask_strategy: MultitaskStrategy
    created_at: datetime
    updated_at: datetime
    langsmith_session_name: None


class Cron(BaseModel):
    """`payload` is the run that is made each time; `next_run_date` is null while nothing is to come."""

    cron_id: UUID
    assistant_id: UUID
    thread_id: UUID | None
    user_id: str
    end_time: datetime | None
    schedule: str
    timezone: str | None
    payload: JsonObject
    next_run_date: datetime | None
    metadata: JsonObject
    on_run_completed: OnRunCompleted | None
    enabled: bool
    created_at: datetime
    updated_at: datetime


class Assistant(BaseModel):
    assistant_id: UUID
    graph_id: str
    config: JsonObject
    context: JsonObject
    metadata: JsonObject
    name: str
    created_at: datetime
    updated_at: datetime
    version: int
    description: str | None


class AssistantVersion(BaseModel):
    assistant_id: UUID
    version: int
    graph_id: str
    config: JsonObject
    context: JsonObject
    metadata: JsonObject
    name: str
    description: str | None
    created_at: datetime


class Erased(BaseModel):
    """How much of each kind is gone: of what the platform keeps, and of what the project says it kept."""

    platform: dict[str, int]
    project: dict[str, int]


class Submitted(BaseModel):
    task_id: str


class StoredItem(BaseModel):
    namespace: list[str]
    key: str
    value: JsonObject
    created_at: datetime
    updated_at: datetime


class FoundItem(StoredItem):
    """`score` is how near the item is to the query, 1 at most; null where nothing was compared."""

    score: float | None


class FoundItems(BaseModel):
    items: list[FoundItem]


class Namespaces(BaseModel):
    namespaces: list[list[str]]
