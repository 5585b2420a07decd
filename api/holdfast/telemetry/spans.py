"""Spans, as light as can be: OpenTelemetry's own take twenty times as long, and each run would pay for it."""

import re
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    set_span_in_context,
)

Attributes = tuple[tuple[str, str | int], ...]

SAMPLED = TraceFlags(TraceFlags.SAMPLED)
NOWHERE = Context()
# W3C Trace Context; a later version may add to it.
TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?"
)


class Place(NamedTuple):
    """A place in a trace."""

    trace_id: int
    span_id: int
    sampled: bool

    @classmethod
    def read(cls, text: str) -> "Place | None":
        found = TRACEPARENT.fullmatch(text)
        if found is None:
            return None
        return cls(int(found[1], 16), int(found[2], 16), bool(int(found[3], 16) & TraceFlags.SAMPLED))

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{int(self.sampled):02x}"

    def context(self, *, remote: bool) -> Context:
        """As OpenTelemetry's API has it."""
        flags = TraceFlags(self.sampled)
        return set_span_in_context(
            NonRecordingSpan(SpanContext(self.trace_id, self.span_id, is_remote=remote, trace_flags=flags)),
            NOWHERE,
        )


class Limited(Sampler):
    """Keeps so many new traces a second, all where there are fewer: more requests cost no more time."""

    def __init__(self, most_a_second: float) -> None:
        self._rate = most_a_second
        self._burst = max(most_a_second, 1.0)
        self._left = self._burst
        self._at = time.monotonic()

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        *_: Any,
        **__: Any,
    ) -> SamplingResult:
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return SamplingResult(Decision.DROP)
        self._left -= 1
        return SamplingResult(Decision.RECORD_AND_SAMPLE)

    def get_description(self) -> str:
        return f"Limited{{{self._rate:g}}}"


class Span:
    """Something that takes a while. `fixed` are attributes of few values, which are written once for all."""

    __slots__ = (
        "_told",
        "end_ns",
        "failed",
        "fixed",
        "kind",
        "links",
        "more",
        "name",
        "parent_id",
        "place",
        "start_ns",
    )

    # All that OpenTelemetry's processor wants to know of a span.
    context: ClassVar = SpanContext(1, 1, is_remote=False, trace_flags=SAMPLED)

    def __init__(
        self,
        told: Callable[["Span"], None],
        place: Place,
        parent_id: int,
        name: str,
        kind: SpanKind,
        fixed: Attributes,
    ) -> None:
        self._told = told
        self.place = place
        self.parent_id = parent_id
        self.name = name
        self.kind = kind
        self.fixed = fixed
        self.more: dict[str, Any] = {}
        self.failed = False
        self.links: Sequence[Place] = ()
        self.start_ns = time.time_ns()
        self.end_ns = 0

    def fail(self, error: str) -> None:
        self.failed = True
        self.more["error.type"] = error

    def end(self) -> None:
        self.end_ns = self.end_ns or time.time_ns()
        if self.place.sampled:
            self._told(self)


class Spans:
    """Makes spans; those that end are told to `told`, where they are sampled."""

    def __init__(self, provider: TracerProvider, told: Callable[[Span], None]) -> None:
        self._ids = provider.id_generator
        self._sampler = provider.sampler
        self._told = told

    def enter(self, parent: Place | None, name: str, kind: SpanKind) -> Span:
        """A span whose parent, if it has one, is another process's: whether it is sampled is decided here."""
        trace_id = parent.trace_id if parent else self._ids.generate_trace_id()
        place = Place(trace_id, self._ids.generate_span_id(), self._sampled(parent, trace_id, name, kind))
        return Span(self._told, place, parent.span_id if parent else 0, name, kind, ())

    def _sampled(self, parent: Place | None, trace_id: int, name: str, kind: SpanKind) -> bool:
        if parent and isinstance(self._sampler, ParentBased):  # which says the same, and takes long for it
            return parent.sampled
        around = parent.context(remote=True) if parent else NOWHERE
        made = self._sampler.should_sample(around, trace_id, name, kind)
        return made.decision is Decision.RECORD_AND_SAMPLE

    def begin(self, parent: Place, name: str, fixed: Attributes, kind: SpanKind = SpanKind.INTERNAL) -> Span:
        """A span within another one."""
        place = Place(parent.trace_id, self._ids.generate_span_id(), parent.sampled)
        return Span(self._told, place, parent.span_id, name, kind, fixed)
