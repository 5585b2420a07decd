"""Figures of a tenant, and what happened in a run."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from holdfast.wire.runs import RunStatus


class Waiting(BaseModel):
    """Requests that wait for a person, by how long ago they were asked."""

    under_5m: int = 0
    under_1h: int = 0
    under_1d: int = 0
    older: int = 0


class Now(BaseModel):
    queued: int
    running: int
    waiting: Waiting


class Runs(BaseModel):
    """Runs that ended, by how; `error_rate` is that of `error` and `timeout`, null without any."""

    success: int
    error: int
    timeout: int
    interrupted: int
    error_rate: float | None


class Decisions(BaseModel):
    approved: int
    edited: int
    rejected: int
    answered: int
    expired: int


class Ratings(BaseModel):
    """Threads by their score."""

    model_config = ConfigDict(populate_by_name=True)

    one: int = Field(alias="1")
    two: int = Field(alias="2")
    three: int = Field(alias="3")
    four: int = Field(alias="4")
    five: int = Field(alias="5")
    count: int
    average: float | None


class Times(BaseModel):
    """Milliseconds, within 5 %; null without any."""

    count: int
    p50: int | None
    p95: int | None


class Total(BaseModel):
    runs: Runs
    decisions: Decisions
    threads: int
    handoffs: int
    handoff_rate: float | None
    ratings: Ratings
    first_token_ms: Times
    duration_ms: Times


class Day(Total):
    day: date


class Stats(BaseModel):
    """What runs and waits now, and what happened on each of the last days (UTC), the oldest first."""

    at: datetime
    now: Now
    total: Total
    days: list[Day]


EntryKind = Literal["attempt", "node", "message", "tool", "interrupt", "hold", "error"]


class Entry(BaseModel):
    """Something that happened in a run, `at_ms` after the run was created; `ms` is null while it goes on."""

    kind: EntryKind
    name: str
    namespace: list[str] = Field(default_factory=list)
    at_ms: int
    ms: int | None = None
    chunks: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    error: bool | None = None


class Timeline(BaseModel):
    """What happened in a run; `whole` is false where the log has gone, in part or all of it."""

    run_id: UUID
    thread_id: UUID
    graph_id: str
    status: RunStatus
    created_at: datetime
    ms: int | None
    first_token_ms: int | None
    whole: bool
    entries: list[Entry]
