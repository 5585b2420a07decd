"""The door to MCP: who may come in, how much at once, what becomes of a call whose client or worker dies."""

import asyncio
import sys
from pathlib import Path

import httpx
import pytest

from holdfast.app import create_app
from holdfast.routes.base import JsonRoute
from holdfast.worker import running_worker
from tests.api.mcps import HI, OLD, Json, connected
from tests.auth.test_doors import routes_of
from tests.servers import SERVED, Live, holdfast, live
from tests.waiting import wait_until

ACCEPT = {"Accept": "application/json, text/event-stream"}
LIST: Json = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
CALL: Json = {**LIST, "method": "tools/call", "params": {"name": "echo", "arguments": HI}}


async def post(http: httpx.AsyncClient, body: Json, **headers: str) -> httpx.Response:
    return await http.post("/mcp", json=body, headers={**ACCEPT, **headers})


async def test_there_is_no_session_and_no_stream_to_wait_on(server: Live) -> None:
    async with server.http() as http:
        assert (await http.get("/mcp")).status_code == 405
        assert (await http.delete("/mcp")).status_code == 405
        moved = await http.post("/mcp/", json=LIST)
        assert (moved.status_code, moved.headers["location"]) == (307, f"{server.url}/mcp")
        assert "mcp-session-id" not in (await post(http, LIST)).headers


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"jsonrpc": "2.0", "id": 1}', 400),
        (b'{"jsonrpc": "2.0", "id": null, "method": "tools/call"}', 202),
        (b'{"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "echo"}}', 202),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call"}', 200),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "no/such"}', 200),
        (b"[" * 1000 + b"]" * 1000, 422),
    ],
)
async def test_what_is_no_request_runs_nothing(server: Live, body: bytes, status: int) -> None:
    async with server.http() as http:
        headers = {**ACCEPT, "Content-Type": "application/json"}
        answer = await http.post("/mcp", content=body, headers=headers)
        assert answer.status_code == status, answer.text
        assert status != 200 or '"error"' in answer.text
        assert (await http.post("/threads/count", json={})).json() == 0


async def test_a_message_that_is_too_long_is_refused_before_it_is_read(server: Live) -> None:
    text = "x" * server.platform.settings.max_body_bytes
    async with server.http() as http:
        assert (await post(http, {**LIST, "params": {"cursor": text}})).status_code == 413


async def test_pages_that_may_not_call_are_turned_away(redis_url: str) -> None:
    origins = ["https://shop.example"]
    async with live(redis_url, worker=False, cors_origins=origins) as server, server.http() as http:
        for origin, status in (
            ("https://shop.example", 200),
            (server.url, 200),
            ("https://evil.example", 403),
        ):
            assert (await post(http, LIST, Origin=origin)).status_code == status, origin


async def test_a_key_that_may_only_read_lists_tools_and_calls_none(server: Live) -> None:
    key, record = await server.sign_in.keys.create(subject="ann", tenant="default", scopes=("read",))
    async with httpx.AsyncClient(base_url=server.url, headers={"x-api-key": key}) as http:
        assert (await post(http, LIST)).status_code == 200
        assert (await post(http, CALL)).status_code == 403
    await server.sign_in.keys.revoke(record.key_id)


async def test_calls_count_as_open_streams(redis_url: str) -> None:
    async with (
        live(redis_url, worker=False, max_streams_of_caller=1) as server,
        server.http() as http,
        http.stream("POST", "/mcp", json=CALL, headers=ACCEPT),
    ):
        assert (await post(http, CALL)).status_code == 429
        assert (await post(http, LIST)).status_code == 200


@pytest.mark.parametrize(("mode", "status"), [("auto", "interrupted"), (OLD, "success")])
async def test_who_leaves_cancels_the_call_where_the_protocol_says_so(
    server: Live, mode: str, status: str
) -> None:
    slow: Json = {**HI, "delay": 0.5}
    async with connected(server.url, mode=mode) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await client.call_tool("steps", slow)
    sdk = server.sdk()
    [thread] = await sdk.threads.search()

    async def ended() -> bool:
        [run] = await sdk.runs.list(thread["thread_id"])
        return run["status"] == status

    await wait_until(ended, f"the run's end as {status}")


async def test_a_call_outlives_its_worker(redis_url: str, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    async with live(redis_url, worker=False) as server, connected(server.url) as client:
        environment = {
            "REDIS_URL": redis_url,
            "HOLDFAST_PREFIX": server.platform.keys.prefix,
            "HOLDFAST_LEASE_S": "1",
            "SERVED_NOTES": str(notes),
        }
        async with holdfast("worker", "--config", str(SERVED), **environment) as worker:
            call = asyncio.create_task(client.call_tool("steps", {"delay": 1}))

            async def begun() -> bool:
                return notes.exists()

            await wait_until(begun, "the first step", 30)
            worker.kill()
            async with running_worker(server.platform):
                result = await call
    assert result.structured_content["values"]["log"] == ["step 0", "step 1", "step 2"]
    assert notes.read_text().count("step 0") == 1


async def test_a_server_without_the_extra_has_no_such_door(
    server: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    def paths() -> set[str]:
        app = create_app(server.platform, server.sign_in)
        return {route.path for route in routes_of(app) if isinstance(route, JsonRoute)}

    assert "/mcp" in paths()
    monkeypatch.setitem(sys.modules, "mcp", None)  # as where it is not installed
    assert "/mcp" not in paths()
