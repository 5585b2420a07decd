"""Threads: what a client sends."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from holdfast.lifetimes import Strategy
from holdfast.wire.common import (
    Body,
    CheckpointAddress,
    Exact,
    Few,
    JsonObject,
    Limit,
    Many,
    Metadata,
    MetadataFilter,
    Name,
    Offset,
    SortOrder,
    Uuid,
)
from holdfast.wire.runs import Jump

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
    "hold",
]
# Where a value lies in a thread, as in `values.messages[-1].content`.
ExtractPath = Annotated[
    str, Field(max_length=1024, pattern=r"^(config|interrupts|metadata|values)(\.[^.\[\]]+|\[-?\d{1,9}\])*$")
]
Alias = Annotated[str, Field(max_length=256, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
ThreadStreamMode = Literal["run_modes", "lifecycle", "state_update"]
HoldState = Literal["asked", "taken", "any"]
Role = Annotated[str, Field(min_length=1, max_length=255)]
MAX_NOTE = 4000
MAX_COMMENT = 2000
MAX_TTL_MINUTES = 100 * 366 * 24 * 60  # a hundred years


class ThreadTTL(Body):
    """How long a thread is kept after its last change, or its older checkpoints are: `ttl` in minutes."""

    ttl: Annotated[float, Field(gt=0, le=MAX_TTL_MINUTES)]
    strategy: Strategy = "delete"


class SuperstepUpdate(Body):
    """What a node has written, as values or as a command."""

    values: Any = None
    command: Jump | None = None
    as_node: Name


class Superstep(Body):
    updates: Annotated[Few[SuperstepUpdate], Field(min_length=1)]


class ThreadCreate(Body):
    """With `supersteps`, which need a `graph_id` in the metadata, the thread begins with a history."""

    thread_id: Uuid | None = None
    metadata: Metadata | None = None
    if_exists: Literal["raise", "do_nothing"] = "raise"
    ttl: ThreadTTL | None = None
    supersteps: Many[Superstep] | None = None


class ThreadsPrune(Body):
    """What goes: the threads whole, or all of their checkpoints but the last ones."""

    thread_ids: Many[Uuid]
    strategy: Strategy = "delete"


class ThreadPatch(Exact):
    metadata: Metadata | None = None
    ttl: ThreadTTL | None = None


class ThreadFilter(Body):
    ids: Many[Uuid] | None = None
    metadata: MetadataFilter | None = None
    values: JsonObject | None = None
    status: ThreadStatus | None = None
    hold: HoldState | None = None


class ThreadSearch(ThreadFilter):
    limit: Limit = 10
    offset: Offset = 0
    sort_by: ThreadSort = "created_at"
    sort_order: SortOrder = "desc"
    select: Few[ThreadField] | None = None
    extract: Annotated[dict[Alias, ExtractPath], Field(max_length=10)] | None = None

    @field_validator("sort_by", mode="before")
    @classmethod
    def lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value


class HoldPut(Body):
    """In what role somebody takes over or is asked for; with `ask` also who might take over only asks."""

    role: Role | None = None
    ask: bool = False


class HoldRelease(Body):
    """What the graph is told of what happened meanwhile."""

    note: Annotated[str, Field(min_length=1, max_length=MAX_NOTE)] | None = None


class RatingPut(Body):
    """How a conversation was, from 1 to 5."""

    score: Annotated[int, Field(ge=1, le=5)]
    comment: Annotated[str, Field(min_length=1, max_length=MAX_COMMENT)] | None = None


class StateUpdate(Body):
    values: Any = None
    as_node: Name | None = None
    checkpoint: CheckpointAddress | None = None
    checkpoint_id: Name | None = None


class StateRead(Body):
    checkpoint: CheckpointAddress
    subgraphs: bool = False


class HistoryRead(Body):
    limit: Limit = 1
    before: Name | JsonObject | None = None
    metadata: MetadataFilter | None = None
    checkpoint: CheckpointAddress | None = None
