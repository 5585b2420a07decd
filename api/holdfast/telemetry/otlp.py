"""Spans as OTLP has them, and their way to a collector. OpenTelemetry's variables say where that is."""

import gzip
import logging
import os
import ssl
import threading
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as EncodedResource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Status
from opentelemetry.proto.trace.v1.trace_pb2 import Span as EncodedSpan
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind
from opentelemetry.util.re import parse_env_headers

from holdfast.telemetry.spans import Attributes, Span

logger = logging.getLogger(__name__)

COLLECTOR = "http://localhost:4318"
TIMEOUT_S = 10.0
FIRST_WAIT_S = 0.5
BUSY = (429, 502, 503, 504)


class Exporter(SpanExporter):
    """As OpenTelemetry's exporter, for spans of ours."""

    def __init__(self, resource: Resource, version: str) -> None:
        self._resource = EncodedResource()
        for name, value in resource.attributes.items():
            put(self._resource.attributes, name, value)
        self._scope = InstrumentationScope(name="holdfast", version=version)
        self._url = (
            variable("ENDPOINT", of_all=False) or f"{variable('ENDPOINT', COLLECTOR).rstrip('/')}/v1/traces"
        )
        self._packs = variable("COMPRESSION") == "gzip"
        self._timeout_s = float(variable("TIMEOUT", str(TIMEOUT_S)))
        self._http = httpx.Client(timeout=self._timeout_s, headers=self._headers(), verify=certificates())
        self._closing = threading.Event()

    def _headers(self) -> dict[str, str]:
        packed = {"Content-Encoding": "gzip"} if self._packs else {}
        given = parse_env_headers(variable("HEADERS"), liberal=True)
        return {**given, "Content-Type": "application/x-protobuf", **packed}

    def export(self, spans: Sequence[Any]) -> SpanExportResult:
        body = self._encode(spans).SerializeToString()
        if self._send(gzip.compress(body) if self._packs else body):
            return SpanExportResult.SUCCESS
        logger.warning("traces were not taken by their collector", extra={"spans": len(spans)})
        return SpanExportResult.FAILURE

    def _encode(self, spans: Sequence[Span]) -> ExportTraceServiceRequest:
        told = ScopeSpans(scope=self._scope)
        for span in spans:
            write(span, told.spans.add())
        return ExportTraceServiceRequest(
            resource_spans=[ResourceSpans(resource=self._resource, scope_spans=[told])]
        )

    def _send(self, body: bytes) -> bool:
        """Tries again while the collector is busy or away, for as long as one export may take."""
        wait_s, deadline = FIRST_WAIT_S, time.monotonic() + self._timeout_s
        while True:
            try:
                status = self._http.post(self._url, content=body).status_code
            except httpx.TransportError:
                status = BUSY[0]
            if status not in BUSY:
                return status < 300
            if time.monotonic() + wait_s > deadline or self._closing.wait(wait_s):
                return False
            wait_s *= 2

    def shutdown(self) -> None:
        self._closing.set()
        self._http.close()


def variable(name: str, default: str = "", *, of_all: bool = True) -> str:
    """One of OpenTelemetry's, for traces or, failing that, for all that is exported."""
    own = os.environ.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}")
    return own or (of_all and os.environ.get(f"OTEL_EXPORTER_OTLP_{name}")) or default


def certificates() -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=variable("CERTIFICATE") or None)
    if own := variable("CLIENT_CERTIFICATE"):
        context.load_cert_chain(own, variable("CLIENT_KEY") or None)
    return context


def write(span: Span, told: EncodedSpan) -> None:
    told.CopyFrom(form(span.name, span.kind, span.fixed))
    told.trace_id = span.place.trace_id.to_bytes(16, "big")
    told.span_id = span.place.span_id.to_bytes(8, "big")
    if span.parent_id:
        told.parent_span_id = span.parent_id.to_bytes(8, "big")
    told.start_time_unix_nano = span.start_ns
    told.end_time_unix_nano = span.end_ns
    for name, value in span.more.items():
        put(told.attributes, name, value)
    if span.failed:
        told.status.code = Status.STATUS_CODE_ERROR
    for link in span.links:
        told.links.add(trace_id=link.trace_id.to_bytes(16, "big"), span_id=link.span_id.to_bytes(8, "big"))


@lru_cache(maxsize=2048)
def form(name: str, kind: SpanKind, fixed: Attributes) -> EncodedSpan:
    """What spans of one kind have in common: to write attributes takes longer than all the rest."""
    number: Any = kind.value + 1  # in OTLP 0 is an unknown kind
    made = EncodedSpan(name=name, kind=number)
    for attribute, value in fixed:
        put(made.attributes, attribute, value)
    return made


def put(attributes: Any, name: str, value: Any) -> None:
    """Adds an attribute: filled in where it is, which takes a third of the time."""
    added = attributes.add()
    added.key = name
    match value:
        case int():
            added.value.int_value = value
        case float():
            added.value.double_value = value
        case _:
            added.value.string_value = str(value)
