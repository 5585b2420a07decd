"""One trace of a request, whichever processes work on it: API, queue, worker, nodes, tools and models."""

import asyncio
import secrets
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased
from opentelemetry.trace import SpanKind

from graph.demo import DemoModel, Script
from holdfast.errors import StartError
from holdfast.telemetry import tracing
from holdfast.telemetry.spans import Limited, Place, Spans
from tests.api.approving import APPROVE, ask, decide, settled
from tests.logs.asking import MARK
from tests.servers import Live, free_port, holdfast, live, said, wait_ready
from tests.telemetry.collectors import Collector, Told, collecting
from tests.telemetry.conftest import Samples

OWN = {"http.request.method", "http.response.status_code", "http.route", "error.type"}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as one:
        yield one


@pytest.fixture(scope="module")
async def traced(redis_url: str, collector: Collector) -> AsyncIterator[Live]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in collector.environment.items():
            patch.setenv(name, value)
        async with live(redis_url, traces="otlp") as server:
            yield server


def parent() -> tuple[str, dict[str, str]]:
    """A trace that a client is in, and the header with which it says so."""
    trace_id = secrets.token_hex(16)
    return trace_id, {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"}


def of_trace(collector: Collector, trace_id: str) -> list[str]:
    return sorted(told.name for told in collector.spans if told.trace_id == trace_id)


async def test_a_run_is_in_the_trace_of_its_request(traced: Live, collector: Collector) -> None:
    trace_id, headers = parent()
    async with traced.http() as http:
        body = {"assistant_id": "nested", "input": said(f"{MARK} hi")}
        await http.post("/runs/wait", json=body, headers=headers)
    route = "POST /runs/wait"
    await collector.has("invoke_agent nested")
    await collector.has(route)
    inside = {"node first", "node child", "node speak"}
    assert {"queue", "invoke_agent nested", route, *inside} <= set(of_trace(collector, trace_id))
    [speak] = collector.named("node speak")
    assert collector.above(speak) == ["node child", "invoke_agent nested", route]
    [run] = collector.named("invoke_agent nested")
    assert run.attributes["gen_ai.operation.name"] == "invoke_agent"
    assert run.attributes["gen_ai.agent.name"] == "nested"
    assert (run.attributes["holdfast.run.attempt"], run.attributes["holdfast.run.status"]) == (1, "success")
    assert MARK.encode() not in b"".join(collector.bodies)


async def test_a_failure_is_told_by_its_name_alone(traced: Live, collector: Collector) -> None:
    async with traced.http() as http:
        await http.post("/runs/wait", json={"assistant_id": "fail", "input": {}})
    [run] = await collector.has("invoke_agent fail")
    [node] = await collector.has("node broken")
    assert (run.attributes["error.type"], node.attributes["error.type"]) == ("ValueError", "ValueError")
    assert (run.span.status.code, node.span.status.message, list(node.span.events)) == (2, "", [])


async def test_what_resumes_is_in_its_own_trace_and_leads_back(traced: Live, collector: Collector) -> None:
    asking_trace, headers = parent()
    async with traced.http() as http:
        http.headers.update(headers)
        _, asked = await ask(http)
        deciding_trace, headers = parent()
        http.headers.update(headers)
        await decide(http, asked["one"], APPROVE)
        await settled(http, asked["one"])
    asking, resumed = await collector.has("invoke_agent approve", 2)
    assert (asking.trace_id, resumed.trace_id) == (asking_trace, deciding_trace)
    assert not asking.span.links
    assert [link.trace_id.hex() for link in resumed.span.links] == [asking_trace]
    [paused, *_] = [told for told in collector.spans if told.trace_id == asking_trace and paused_at(told)]
    assert paused.span.status.code == 0, "to ask a person is no failure"


def paused_at(told: Told) -> bool:
    return told.name.startswith("node ")


async def test_probes_are_told_to_nobody_and_nonsense_begins_a_trace_of_its_own(
    traced: Live, collector: Collector
) -> None:
    async with traced.http() as http:
        for path in ("/ok", "/livez", "/readyz"):
            await http.get(path)
        strange = {"traceparent": f"{MARK}", "tracestate": f"a={MARK}", "baggage": f"a={MARK}"}
        await http.get(f"/assistants/{uuid.uuid4()}", headers=strange)
    [told] = await collector.has("GET /assistants/{assistant_id}")
    assert told.span.parent_span_id == b""
    assert told.attributes.keys() <= OWN
    assert not [told.name for told in collector.spans if told.attributes.get("http.route") == "/readyz"]
    assert MARK.encode() not in b"".join(collector.bodies)


async def test_what_a_caller_does_not_want_sampled_is_not(traced: Live, collector: Collector) -> None:
    trace_id, headers = parent()
    headers = {"traceparent": headers["traceparent"][:-2] + "00"}
    async with traced.http() as http:
        await http.post("/runs/wait", json={"assistant_id": "whoami", "input": {}}, headers=headers)
        await http.post("/runs/wait", json={"assistant_id": "whoami", "input": {}})
    await collector.has("invoke_agent whoami")
    assert of_trace(collector, trace_id) == []


def test_so_many_new_traces_are_kept_in_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    spans = Spans(TracerProvider(sampler=ParentBased(Limited(2))), lambda _: None)

    def kept(parent: Place | None = None) -> bool:
        return spans.enter(parent, "GET /", SpanKind.SERVER).place.sampled

    assert [kept() for _ in range(4)] == [True, True, False, False]
    assert kept(Place(1, 1, sampled=True))  # as whoever began that trace has decided
    now = 0.5
    assert [kept() for _ in range(2)] == [True, False]
    assert not kept(Place(1, 1, sampled=False))
    now = 60.0  # what was not used is not saved up
    assert [kept() for _ in range(4)] == [True, True, False, False]


@pytest.mark.parametrize("missing", ["opentelemetry.sdk", "opentelemetry"])
async def test_without_the_extra_the_start_is_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.delitem(sys.modules, "opentelemetry.sdk", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(StartError, match=r"holdfast\[otel\]"):
        async with tracing.open_tracing("otlp", "1", 10):
            pass


@pytest.mark.timeout(240)
async def test_one_trace_of_a_dialogue_across_processes(
    redis_url: str, collector: Collector, tmp_path: Path
) -> None:
    ports = {"api": free_port(), "serve": free_port(), "worker": free_port()}
    async with DemoModel(Script()) as model:
        environment = {
            **collector.environment,
            "REDIS_URL": redis_url,
            "HOLDFAST_PREFIX": f"t{uuid.uuid4().hex[:8]}",
            "HOLDFAST_DATA": str(tmp_path),
            "OPENAI_BASE_URL": model.base_url,
            "OPENAI_API_KEY": "demo",
        }
        port = str(ports["api"])
        async with (
            holdfast("serve", "--port", port, HOLDFAST_METRICS_PORT=str(ports["serve"]), **environment),
            holdfast("worker", HOLDFAST_METRICS_PORT=str(ports["worker"]), **environment),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http,
        ):
            await wait_ready(str(http.base_url), 120)
            thread = (await http.post("/threads", json={})).json()["thread_id"]
            first, asked = await turn(http, thread, input=said("I want to return order #12345"))
            second, asked = await turn(http, thread, input=said("Yes, please refund it"))
            [interrupt] = asked["__interrupt__"]
            answer = {interrupt["id"]: {"decisions": [APPROVE]}}
            third, _ = await turn(http, thread, command={"resume": answer})
            await collector.has("invoke_agent support", 3)
            scraped = [await scrape(ports[name]) for name in ("serve", "worker")]
            ready = await asyncio.gather(*(probe(ports[name], "/readyz") for name in ("serve", "worker")))
    await look(collector, first, third, second)
    assert [status for status, _ in ready] == [200, 200]
    assert [check["name"] for check in ready[1][1]["checks"]][-2:] == ["worker", "loop"]
    assert [one.value("runs_total", graph="support", status="success") for one in scraped] == [0, 3]
    assert scraped[0].value("queue_depth") == scraped[1].value("queue_depth") == 0


async def look(collector: Collector, first: str, third: str, second: str) -> None:
    runs = await collector.has("invoke_agent support", 3)
    by_trace = {told.trace_id: told for told in runs}
    route = "POST /threads/{thread_id}/runs/wait"
    tool = next(told for told in collector.named("execute_tool query_order") if told.trace_id == first)
    above = collector.above(tool)
    assert above[0].startswith("node ")
    assert above[-2:] == ["invoke_agent support", route]
    model = next(told for told in collector.named("chat ") if told.trace_id == first)
    assert collector.above(model)[-2:] == ["invoke_agent support", route]
    assert model.attributes["gen_ai.operation.name"] == "chat"
    assert model.attributes["gen_ai.response.time_to_first_chunk"] > 0
    served = next(told for told in collector.named(route) if told.trace_id == first)
    assert served.instance != tool.instance, "another process"
    assert [link.trace_id.hex() for link in by_trace[third].span.links] == [second]
    for told in collector.spans:
        assert not {"12345", "refund it", "iPhone"} & set(str(told.attributes).split())


async def turn(http: httpx.AsyncClient, thread: str, **asked: Any) -> tuple[str, Any]:
    trace_id, headers = parent()
    body = {"assistant_id": "support", **asked}
    answer = await http.post(f"/threads/{thread}/runs/wait", json=body, headers=headers)
    return trace_id, answer.json()


async def probe(port: int, path: str) -> tuple[int, Any]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        answer = await http.get(path)
    return answer.status_code, answer.json()


async def scrape(port: int) -> Samples:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        return Samples.read((await http.get("/metrics")).text)
