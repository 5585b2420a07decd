"""Threads: what a client sends."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from holdfast.wire.common import Body, CheckpointAddress, JsonObject, Limit, Offset, SortOrder, Uuid, Words

ThreadStatus = Literal["idle", "busy", "interrupted", "error"]
ThreadSort = Literal["thread_id", "status", "created_at", "updated_at", "state_updated_at"]
ThreadField = Literal[
    "thread_id",
    "created_at",
    "updated_at",
    "state_updated_at",
    "metadata",
    "config",
    "context",
    "status",
    "values",
    "error",
    "interrupts",
]
ThreadStreamMode = Literal["run_modes", "lifecycle", "state_update"]
MAX_TTL_MINUTES = 100 * 366 * 24 * 60  # a hundred years


class ThreadTTL(Body):
    """How long a thread is kept after its last change: `ttl` in minutes."""

    ttl: Annotated[float, Field(gt=0, le=MAX_TTL_MINUTES)]
    strategy: Literal["delete"] = "delete"


class ThreadCreate(Body):
    thread_id: Uuid | None = None
    metadata: Words | None = None
    if_exists: Literal["raise", "do_nothing"] = "raise"
    ttl: ThreadTTL | None = None


class ThreadPatch(Body):
    metadata: Words | None = None
    ttl: ThreadTTL | None = None


class ThreadFilter(Body):
    ids: list[Uuid] | None = None
    metadata: JsonObject | None = None
    values: JsonObject | None = None
    status: ThreadStatus | None = None


class ThreadSearch(ThreadFilter):
    limit: Limit = 10
    offset: Offset = 0
    sort_by: ThreadSort = "created_at"
    sort_order: SortOrder = "desc"
    select: list[ThreadField] | None = None

    @field_validator("sort_by", mode="before")
    @classmethod
    def lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value


class StateUpdate(Body):
    values: Any = None
    as_node: str | None = None
    checkpoint: CheckpointAddress | None = None
    checkpoint_id: str | None = None


class StateRead(Body):
    checkpoint: CheckpointAddress
    subgraphs: bool = False


class HistoryRead(Body):
    limit: Limit = 1
    before: str | JsonObject | None = None
    metadata: JsonObject | None = None
    checkpoint: CheckpointAddress | None = None
