"""Traces by OpenTelemetry: names, times and figures, never a word of a caller, a model, a tool or a graph.

Names follow OpenTelemetry's semantic conventions for HTTP and for generative AI, where there are any.
"""

import os
from datetime import datetime
from uuid import uuid4

from langchain_core.callbacks import BaseCallbackHandler
from opentelemetry import context
from opentelemetry.sdk.environment_variables import OTEL_TRACES_SAMPLER
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased
from opentelemetry.trace import SpanKind

from holdfast.telemetry.listening import Listener
from holdfast.telemetry.otlp import Exporter
from holdfast.telemetry.spans import Limited, Place, Span, Spans
from holdfast.telemetry.tracing import Attempted, traceparent

# A collector that is away keeps no process from its end.
FLUSH_MS = 2000
UNTOLD = frozenset(("/ok", "/livez", "/readyz", "/ui", "/ui/{name:path}"))


def open_tracing(version: str, most_a_second: float) -> "Traces":
    """Where to, OpenTelemetry's own variables say; how much of it too, if they do."""
    name = os.environ.get("OTEL_SERVICE_NAME") or "holdfast"
    own = {SERVICE_NAME: name, SERVICE_VERSION: version, SERVICE_INSTANCE_ID: str(uuid4())}
    sampler = None if os.environ.get(OTEL_TRACES_SAMPLER) else ParentBased(Limited(most_a_second))
    resource = Resource.create(own)
    return Traces(TracerProvider(sampler=sampler, resource=resource, shutdown_on_exit=False), version)


class Traces:
    """The traces of one process."""

    def __init__(self, provider: TracerProvider, version: str) -> None:
        self._processor = BatchSpanProcessor(Exporter(provider.resource, version))
        self._spans = Spans(provider, self._processor.on_end)  # type: ignore[arg-type]

    def request(self, method: str, parent: str) -> "RequestSpan":
        return RequestSpan(self._spans.enter(Place.read(parent), method, SpanKind.SERVER))

    def run(self, attempted: Attempted) -> "RunSpan":
        return RunSpan(self._spans, attempted)

    def close(self) -> None:
        self._processor.force_flush(FLUSH_MS)
        self._processor.shutdown()  # type: ignore[no-untyped-call]


class RequestSpan:
    """A request while it is answered; a run that it asks for continues its trace."""

    def __init__(self, span: Span) -> None:
        self._span = span
        traceparent.set(span.place.traceparent)

    def end(self, method: str, route: str | None, status: int) -> None:
        if route in UNTOLD:
            return
        span = self._span
        span.name = f"{method} {route}" if route else method
        span.fixed = (
            ("http.request.method", method),
            ("http.route", route or ""),
            ("http.response.status_code", status),
        )
        span.failed = status >= 500
        span.end()


class RunSpan:
    """An attempt at a run, in the trace of the request that asked for it."""

    listener: BaseCallbackHandler | None = None

    def __init__(self, spans: Spans, attempted: Attempted) -> None:
        asked_in = Place.read(attempted.traceparent)
        name = f"invoke_agent {attempted.graph_id}"
        self._graph_id = attempted.graph_id
        self._span = span = spans.enter(asked_in, name, SpanKind.CONSUMER)
        if not span.place.sampled:
            return
        span.more = {"gen_ai.conversation.id": attempted.thread_id, "holdfast.run.id": attempted.run_id}
        if before := Place.read(attempted.before):
            span.links = (before,)
        self._attempt = attempted.attempt
        self._status = ""
        if attempted.attempt == 1:
            wait(spans, asked_in or span.place, attempted.due_at, span.start_ns)
        # So that what the graph's own code traces belongs to it.
        context.attach(span.place.context(remote=False))
        self.listener = Listener(spans, span.place)

    def ended(self, status: str, error: str | None) -> None:
        self._status = status
        if error:
            self._span.fail(error)

    def close(self, ending: str) -> None:
        if not isinstance(self.listener, Listener):
            return
        self.listener.close()
        self._span.fixed = (
            ("gen_ai.operation.name", "invoke_agent"),
            ("gen_ai.agent.name", self._graph_id),
            ("holdfast.run.attempt", self._attempt),
            ("holdfast.run.status", self._status),
            ("holdfast.attempt.ending", ending),
        )
        self._span.end()


def wait(spans: Spans, place: Place, since: datetime, until_ns: int) -> None:
    """The time that a run stood in line."""
    waiting = spans.begin(place, "queue", ())
    waiting.start_ns = min(round(since.timestamp() * 1_000_000) * 1000, until_ns)
    waiting.end_ns = until_ns
    waiting.end()
