"""Each request has an id, its answer has headers, and the log says what it was and no more."""

import asyncio
import logging
import re
import socket
import uuid
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from holdfast.routes.door import Door
from holdfast.settings import Settings
from holdfast.telemetry import access, log_requests
from holdfast.telemetry.setup import is_news
from tests.logs.conftest import Lines
from tests.servers import Live, live, said, unchanged
from tests.waiting import wait_until

HARDENED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}


@pytest.fixture(autouse=True)
def logging_requests() -> Any:
    before = access.level
    log_requests(True)
    yield
    access.setLevel(before)


def requests(lines: Lines) -> list[dict[str, Any]]:
    return [line for line in lines.read() if line["logger"] == "holdfast.access"]


# ids


@pytest.mark.parametrize("given", ["a", "0194-AB_c.d", "x" * 128])
async def test_a_request_keeps_the_id_that_it_came_with(noisy: Live, given: str) -> None:
    async with noisy.http() as http:
        answer = await http.get("/ok", headers={"X-Request-ID": given})
    assert answer.headers.get_list("x-request-id") == [given]


@pytest.mark.parametrize(
    "given", [None, "", "x" * 129, "a b", "a;b", "a\tb", "<script>", "é", "a/../b", "a=b"]
)
async def test_an_id_that_is_not_safe_to_write_down_is_replaced(noisy: Live, given: str | None) -> None:
    headers = {} if given is None else {b"X-Request-ID": given.encode()}
    async with noisy.http() as http:
        ids = [(await http.get("/ok", headers=headers)).headers["x-request-id"] for _ in range(2)]
    assert ids[0] != ids[1]
    assert all(uuid.UUID(id).version == 7 for id in ids)


async def test_every_line_of_a_run_names_the_run_and_the_request_that_asked_for_it(
    noisy: Live, lines: Lines
) -> None:
    body = {"assistant_id": "echo", "input": said("hello"), "if_not_exists": "create"}
    thread_id = str(uuid.uuid4())
    async with noisy.http() as http:
        answer = await http.post(
            f"/threads/{thread_id}/runs/wait", json=body, headers={"X-Request-ID": "mine"}
        )
    run_id = answer.headers["content-location"].rpartition("/")[2]
    told = [
        line
        for line in lines.read()
        if line["logger"] in ("noisy", "holdfast.access")
        and line.get("thread_id", thread_id) == thread_id  # a run of the test before may still be at work
    ]
    assert {line["logger"] for line in told} == {"noisy", "holdfast.access"}
    ids = {"request_id": "mine", "thread_id": thread_id, "run_id": run_id}
    assert [line for line in told if not ids.items() <= line.items()] == []


async def test_a_failed_run_is_told_by_type_and_place_in_the_log_and_in_full_to_its_owner(
    noisy: Live, lines: Lines
) -> None:
    body = {"assistant_id": "failing", "input": {"way": "in_a_chain", "secret": "s3cr3t"}}
    async with noisy.http() as http:
        answer = await http.post("/runs/wait", json=body)
    assert answer.json() == {"__error__": {"error": "Vain", "message": "again: s3cr3t"}}
    told = lines.read()
    [line] = [line for line in told if line["message"] == "run failed"]
    assert line["run_id"] in answer.headers["content-location"]
    assert (line["error"], line["cause"][0].split()[0]) == ("Vain", "Vain")
    assert line["where"][0].startswith("noisy_graphs.py:")
    assert "s3cr3t" not in str(told)


async def test_ids_of_one_request_are_not_those_of_the_next(noisy: Live, lines: Lines) -> None:
    thread_id = str(uuid.uuid4())
    async with noisy.http() as http:
        await http.get(f"/threads/{thread_id}")
        await http.get("/ok")
        await http.get("/threads/no-uuid/runs/s3cr3t")
    named = [(line["route"], line.get("thread_id"), line.get("run_id")) for line in requests(lines)]
    assert named == [
        ("/threads/{thread_id}", thread_id, None),
        ("/ok", None, None),
        ("/threads/{thread_id}/runs/{run_id}", None, None),
    ]


async def test_nor_when_they_were_sent_together(noisy: Live, lines: Lines) -> None:
    """uvicorn starts a request that had to wait in the context of the one before it."""
    host, _, port = noisy.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    paths = (f"/threads/{uuid.uuid4()}", "/ok")
    writer.writelines(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode() for path in paths)
    for _ in paths:
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(re.findall(rb"content-length: (\d+)", head)[0]))
    writer.close()
    assert [(line["route"], "thread_id" in line) for line in requests(lines)] == [
        ("/threads/{thread_id}", True),
        ("/ok", False),
    ]


# the access log


async def test_a_line_tells_method_route_status_and_time(noisy: Live, lines: Lines) -> None:
    async with noisy.http() as http:
        await http.post("/threads/search?secret=s3cr3t", json={"metadata": {"a": "s3cr3t"}})
        await http.get("/nowhere/s3cr3t", headers={"Cookie": "s3cr3t", "Authorization": "Bearer s3cr3t"})
        await http.get("/threads/s3cr3t")
    told = requests(lines)
    assert "s3cr3t" not in str(told)
    assert [(line["method"], line["route"], line["status"]) for line in told] == [
        ("POST", "/threads/search", 200),
        ("GET", None, 404),
        ("GET", "/threads/{thread_id}", 422),
    ]
    assert all(0 < line["ms"] < 60_000 for line in told)
    assert set(told[0]) == {
        *("at", "level", "logger", "message", "request_id"),
        *("method", "route", "status", "ms"),
    }


async def test_a_websocket_is_told_when_it_has_ended(noisy: Live, lines: Lines) -> None:
    logging.getLogger("uvicorn.error").addFilter(is_news)
    path = "/threads/7d9f3c1e-5a2b-4f6d-8e9a-0b1c2d3e4f50/stream/events"
    address = noisy.url.replace("http", "ws") + path
    async with connect(address, additional_headers={"X-Request-ID": "mine"}) as socket:
        assert socket.response is not None
        assert socket.response.headers["x-request-id"] == "mine"
    with pytest.raises(InvalidStatus):
        await connect(address, additional_headers={"Authorization": "Bearer nonsense"})

    found: list[dict[str, Any]] = []

    async def told() -> bool:
        found.extend(line for line in lines.read() if line["level"] != "info" or "route" in line)
        return len(found) == 2

    await wait_until(told, "the lines of both")
    assert sorted((line["method"], line["route"], line["status"]) for line in found) == [
        ("GET", "/threads/{thread_id}/stream/events", 101),
        ("GET", "/threads/{thread_id}/stream/events", 401),
    ]


async def test_a_client_that_leaves_is_told_as_499(noisy: Live, lines: Lines) -> None:
    body = {"assistant_id": "echo", "input": {**said("hello"), "delay": 0.5}}
    async with noisy.http() as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.post("/runs/wait", json=body, timeout=0.1)

    async def told() -> bool:
        return "holdfast.access" in lines.stream.getvalue()

    await wait_until(told, "the request is logged")
    assert requests(lines)[0]["status"] == 499


async def test_nothing_is_written_when_it_is_off(noisy: Live, lines: Lines) -> None:
    log_requests(False)
    async with noisy.http() as http:
        await http.get("/ok")
    assert requests(lines) == []
    assert not access.isEnabledFor(logging.INFO)


# headers


async def test_every_answer_has_the_headers_that_protect_it(noisy: Live) -> None:
    async with noisy.http() as http:
        answers = [
            await http.get("/ok"),
            await http.get("/info"),
            await http.get("/openapi.json"),
            await http.get("/nowhere"),
            await http.post("/threads/search", content=b"{"),
            await http.post("/runs/stream", json={"assistant_id": "echo", "input": said("hello")}),
            await http.post("/runs", json={"assistant_id": "echo", "input": said("hello")}),
            await http.get("/assistants/unbuildable/graph"),
            await http.options(
                "/threads", headers={"Origin": "http://a.example", "Access-Control-Request-Method": "POST"}
            ),
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 404, 422, 200, 200, 422, 200]
    for answer in answers:
        assert {name: answer.headers.get_list(name) for name in HARDENED} == {
            name: [value] for name, value in HARDENED.items()
        }, answer.url


async def test_so_has_the_answer_to_an_unexpected_error_and_it_tells_nothing(
    noisy: Live, lines: Lines
) -> None:
    async with noisy.http() as http:
        [assistant] = [
            one
            for one in (await http.post("/assistants/search", json={})).json()
            if one["graph_id"] == "unbuildable"
        ]
        answer = await http.get(f"/assistants/{assistant['assistant_id']}/graph")
    assert answer.status_code == 500
    assert answer.json() == {"detail": "An internal error occurred", "code": "internal_error"}
    assert {name: answer.headers[name] for name in HARDENED} == HARDENED
    told = lines.read()
    [line] = [line for line in told if line["level"] == "error"]
    assert line["message"] == "unexpected error"
    assert line["error"] == "Vain"
    assert line["where"][0].startswith("noisy_graphs.py:")
    assert line["request_id"] == answer.headers["x-request-id"]
    assert "CANARY" not in str(told)


async def test_after_an_unexpected_error_the_connection_goes_on(noisy: Live) -> None:
    """uvicorn would close it, and the client's next request with it."""
    async with noisy.http() as http:
        found = (await http.post("/assistants/search", json={"graph_id": "unbuildable"})).json()
        for _ in range(3):
            failed = await http.get(f"/assistants/{found[0]['assistant_id']}/graph")
            assert failed.status_code == 500
            assert "connection" not in failed.headers
            connection = failed.extensions["network_stream"].get_extra_info("client_addr")
            after = (await http.get("/ok")).extensions["network_stream"].get_extra_info("client_addr")
            assert after == connection


async def test_what_fails_in_the_middle_of_an_answer_is_cut_and_told_the_same_way(lines: Lines) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError("s3cr3t")

    config = uvicorn.Config(Door(app), log_config=None, lifespan="off", port=0)
    server = uvicorn.Server(config)
    server.capture_signals = unchanged  # type: ignore[method-assign]
    with socket.create_server(("127.0.0.1", 0)) as bound:
        task = asyncio.create_task(server.serve(sockets=[bound]))
        async with httpx.AsyncClient() as http:
            with pytest.raises(httpx.RemoteProtocolError):
                await http.get(f"http://127.0.0.1:{bound.getsockname()[1]}/s3cr3t?s3cr3t")
        server.should_exit = True
        await task
    told = lines.read()
    [line] = [line for line in told if line["level"] == "error"]
    assert (line["logger"], line["message"]) == ("uvicorn.error", "Exception in ASGI application")
    assert (line["error"], line["where"][0].split()[1]) == ("ValueError", "app")
    assert "s3cr3t" not in str(told)


async def test_the_pages_keep_their_own_policy_and_may_be_kept(noisy: Live) -> None:
    async with noisy.http() as http:
        answer = await http.get("/ui")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-frame-options"] == "DENY"
    assert len(answer.headers.get_list("x-content-type-options")) == 1


# pages of others


async def test_any_page_may_call_unless_pages_are_named(noisy: Live, redis_url: str) -> None:
    origin = {"Origin": "https://shop.example"}
    async with noisy.http() as http:
        answer = await http.get("/ok", headers=origin)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    assert "X-Request-ID" in answer.headers["access-control-expose-headers"]
    named = ("https://shop.example", "http://localhost:3000")
    async with live(redis_url, worker=False, cors_origins=named) as strict, strict.http() as http:
        allowed = await http.get("/ok", headers=origin)
        other = await http.get("/ok", headers={"Origin": "https://shop.example.evil"})
    assert allowed.headers["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("wrong", ["shop.example", "https://shop.example/", "https://a b", "null", "**"])
def test_what_is_not_an_origin_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="cors_origins"):
        Settings.model_validate({"cors_origins": f"https://fine.example, {wrong}"})
