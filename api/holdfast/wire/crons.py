"""Crons: what a client sends."""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic.functional_validators import BeforeValidator

from holdfast.wire.common import Body, Exact, JsonObject, Limit, Offset, SortOrder, Uuid, Words
from holdfast.wire.runs import Durability, MultitaskStrategy, Nodes, RunConfig, RunCreateStateless, StreamMode

CronSort = Literal[
    "cron_id", "assistant_id", "thread_id", "created_at", "updated_at", "next_run_date", "end_time"
]
CronField = Literal[
    "cron_id",
    "assistant_id",
    "thread_id",
    "on_run_completed",
    "end_time",
    "schedule",
    "timezone",
    "created_at",
    "updated_at",
    "payload",
    "user_id",
    "next_run_date",
    "metadata",
    "enabled",
]
OnRunCompleted = Literal["delete", "keep"]

# What of a cron is handed on to each of its runs, beside assistant and metadata.
OF_RUNS = frozenset(
    {
        *("input", "config", "context", "webhook", "interrupt_before", "interrupt_after", "durability"),
        *("stream_mode", "stream_subgraphs", "stream_resumable", "checkpoint_during", "multitask_strategy"),
    }
)


def read_moment(value: object) -> object:
    """A time in UTC, which is also what one without an offset is taken for."""
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("must be a time in the form of ISO 8601") from None


Moment = Annotated[datetime, BeforeValidator(read_moment)]


class CronCreate(RunCreateStateless):
    """A cron: when, and the run to be made each time."""

    schedule: str
    timezone: str | None = None
    end_time: Moment | None = None
    enabled: bool | None = None
    on_run_completed: OnRunCompleted | None = None
    multitask_strategy: MultitaskStrategy = "enqueue"


class CronPatch(Exact):
    """What is to change; null is a value for `end_time` only."""

    NULLABLE: ClassVar[frozenset[str]] = frozenset({"end_time"})

    schedule: str | None = None
    timezone: str | None = None
    end_time: Moment | None = None
    enabled: bool | None = None
    on_run_completed: OnRunCompleted | None = None
    metadata: Words | None = None
    input: Any = None
    config: RunConfig | None = None
    context: Words | None = None
    webhook: str | None = None
    interrupt_before: Nodes | None = None
    interrupt_after: Nodes | None = None
    stream_mode: StreamMode | list[StreamMode] | None = None
    stream_subgraphs: bool | None = None
    stream_resumable: bool | None = None
    durability: Durability | None = None
    multitask_strategy: MultitaskStrategy | None = None


class CronFilter(Body):
    assistant_id: str | None = None
    thread_id: Uuid | None = None
    enabled: bool | None = None
    metadata: JsonObject | None = None


class CronSearch(CronFilter):
    limit: Limit = 10
    offset: Offset = 0
    sort_by: CronSort = "created_at"
    sort_order: SortOrder = "desc"
    select: list[CronField] | None = None
