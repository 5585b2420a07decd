"""A collector of traces as OpenTelemetry's protocol has it, on loopback."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.waiting import wait_until


@dataclass
class Told:
    """A span, and the service that told it."""

    span: Span
    instance: str

    @property
    def name(self) -> str:
        return self.span.name

    @property
    def trace_id(self) -> str:
        return self.span.trace_id.hex()

    @property
    def attributes(self) -> dict[str, Any]:
        return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in self.span.attributes}


@dataclass
class Collector:
    port: int = 0
    spans: list[Told] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HOLDFAST_TRACES": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }

    def take(self, body: bytes) -> None:
        self.bodies.append(body)
        for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = {one.key: one.value.string_value for one in of_resource.resource.attributes}
            for scope in of_resource.scope_spans:
                self.spans += [Told(span, resource["service.instance.id"]) for span in scope.spans]

    def named(self, start: str) -> list[Told]:
        return [told for told in list(self.spans) if told.name.startswith(start)]

    async def has(self, start: str, count: int = 1) -> list[Told]:
        async def told() -> bool:
            return len(self.named(start)) >= count

        await wait_until(told, f"{count} spans {start!r}: {[told.name for told in self.spans]}", 30)
        return self.named(start)

    def above(self, told: Told) -> list[str]:
        """The names of the spans that one lies in, from the innermost outward."""
        by_id = {one.span.span_id: one for one in self.spans}
        names = []
        while parent := by_id.get(told.span.parent_span_id):
            names.append(parent.name)
            told = parent
        return names


@contextmanager
def collecting() -> Iterator[Collector]:
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.take(self.rfile.read(int(self.headers["Content-Length"])))
            body = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
