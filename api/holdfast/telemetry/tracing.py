"""Traces, where they are wanted, as the parts of a process know them. OpenTelemetry is loaded only then."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

from holdfast.extras import load

if TYPE_CHECKING:
    from langchain_core.callbacks import BaseCallbackHandler

Choice = Literal["off", "otlp"]

# The place in a trace of the request that is being answered, as W3C Trace Context writes it.
traceparent: ContextVar[str] = ContextVar("traceparent", default="")


@dataclass(frozen=True, slots=True)
class Attempted:
    """An attempt at a run, and where it belongs: `traceparent` is its request's, `before` that of the run
    that it goes on from, "" for none; `due_at` is since when it could have begun."""

    graph_id: str
    thread_id: str
    run_id: str
    attempt: int
    due_at: datetime
    traceparent: str
    before: str


class RequestTrace(Protocol):
    """A request while it is answered."""

    def end(self, method: str, route: str | None, status: int) -> None: ...


class RunTrace(Protocol):
    """An attempt at a run; `listener` hears what its graph does, where that is sampled."""

    @property
    def listener(self) -> "BaseCallbackHandler | None": ...

    def ended(self, status: str, error: str | None) -> None: ...

    def close(self, ending: str) -> None: ...


class Tracing(Protocol):
    def request(self, method: str, parent: str) -> RequestTrace: ...

    def run(self, attempted: Attempted) -> RunTrace: ...

    def close(self) -> None: ...


@asynccontextmanager
async def open_tracing(choice: Choice, version: str, most_a_second: float) -> AsyncIterator[Tracing | None]:
    """None where no traces are wanted. Raises `StartError` when what they need is not installed."""
    if choice == "off":
        yield None
        return
    # By name, because it takes a second to load and most processes never need it.
    tracing: Tracing = load("otel", "holdfast.telemetry.otel").open_tracing(version, most_a_second)
    try:
        yield tracing
    finally:
        await asyncio.to_thread(tracing.close)
