"""Processes that are told to stop: what is under way goes on elsewhere, and nothing holds up the exit."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.faults.conftest import STUCK, Valkey, noted, reached
from tests.faults.proxy import Proxy, proxied
from tests.servers import SERVED, Live, free_port, holdfast, live, wait_ready
from tests.waiting import wait_until
from tests.zygote import Forked

STEP_S = 1.2
THREADS = min(32, (os.cpu_count() or 1) + 4)  # as many as an executor has


@dataclass
class Replicas:
    """Two API processes, and a door in front that leads to the first until it is told otherwise."""

    first: Forked
    ports: tuple[int, int]
    door: str
    worker: Live
    behind: int = 0

    async def target(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.ports[self.behind])

    @property
    def first_url(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"


@pytest.fixture
async def replicas(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Replicas]:
    monkeypatch.setenv("SERVED_NOTES", str(tmp_path / "notes"))
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(live(redis_url))
        environment = {"REDIS_URL": redis_url, "HOLDFAST_PREFIX": worker.platform.keys.prefix}
        ports = free_port(), free_port()
        first, _ = [
            await stack.enter_async_context(
                holdfast("serve", "--config", str(SERVED), "--port", str(port), **environment)
            )
            for port in ports
        ]
        await asyncio.gather(*(wait_ready(f"http://127.0.0.1:{port}") for port in ports))
        found = Replicas(first, ports, "", worker)
        proxy = await stack.enter_async_context(proxied(found.target))
        found.door = f"http://127.0.0.1:{proxy.port}"
        yield found


async def stream(sdk: LangGraphClient, **more: Any) -> list[Any]:
    thread = await sdk.threads.create()
    return [
        (part.event, part.data)
        async for part in sdk.runs.stream(
            thread["thread_id"], "steps", input={"delay": STEP_S}, stream_mode="values", **more
        )
    ]


async def wait(sdk: LangGraphClient) -> Any:
    thread = await sdk.threads.create()
    return await sdk.runs.wait(thread["thread_id"], "steps", input={"delay": STEP_S})


async def read_raw(url: str, thread_id: str) -> bytes:
    """What came of a stream until it was cut; a clean end is an error."""
    body = {"assistant_id": "steps", "input": {"delay": STEP_S}, "on_disconnect": "cancel"}
    got: list[bytes] = []
    async with (
        httpx.AsyncClient(base_url=url, timeout=30) as http,
        http.stream("POST", f"/threads/{thread_id}/runs/stream", json=body) as answer,
    ):
        with pytest.raises(httpx.RemoteProtocolError):
            await collect(answer, got)
    return b"".join(got)


async def collect(answer: httpx.Response, got: list[bytes]) -> None:
    async for data in answer.aiter_raw():
        got += [data]


async def readiness(url: str) -> int:
    """The status that `/readyz` answers; 0 when nobody listens."""
    async with httpx.AsyncClient(base_url=url) as http:
        try:
            answer = await http.get("/readyz")
        except (httpx.ConnectError, httpx.RemoteProtocolError):  # the latter at the very last moment
            return 0
    if answer.status_code == 503:
        assert answer.json()["reason"] == "stopping"
        assert answer.headers["Connection"] == "close", "nobody keeps a connection that will be closed"
    return answer.status_code


async def seen(url: str) -> list[int]:
    """The readiness from now on until nobody listens, each change once."""
    states: list[int] = []

    async def refused() -> bool:
        state = await readiness(url)
        if not states or states[-1] != state:
            states.append(state)
        return state == 0

    await wait_until(refused, "nobody listens")
    return states


async def stopped_under(replicas: Replicas, waited: asyncio.Task[Any]) -> Any:
    """Stops the first process while somebody waits there, and gives the answer that he got."""
    replicas.first.send_signal(signal.SIGTERM)
    told = time.monotonic()
    replicas.behind = 1
    assert await seen(replicas.first_url) == [503, 0], "not ready first, then gone"
    assert time.monotonic() - told >= 1, "who asks for the readiness has time to notice"
    assert await asyncio.wait_for(replicas.first.wait(), 10) == 0
    assert time.monotonic() - told < 4
    return await asyncio.wait_for(waited, 30)


async def test_an_api_process_that_stops_loses_nobody(replicas: Replicas, tmp_path: Path) -> None:
    sdk = get_client(url=replicas.door)
    thread_id = (await sdk.threads.create())["thread_id"]
    assert await readiness(replicas.first_url) == 200
    streamed = asyncio.create_task(stream(sdk, stream_resumable=True))
    waited = asyncio.create_task(wait(sdk))
    raw = asyncio.create_task(read_raw(replicas.first_url, thread_id))
    await reached(tmp_path / "notes", 3)

    with pytest.warns(UserWarning, match="attempting reconnect"):  # the SDK, of the wait that was cut
        values = await stopped_under(replicas, waited)
    assert values["log"] == ["step 0", "step 1", "step 2"]
    parts = await asyncio.wait_for(streamed, 30)
    assert [len(data["log"]) for event, data in parts if event == "values" and data.get("log")] == [1, 2, 3]
    cut = await raw
    assert cut.endswith(b"\r\n\r\n"), "cut between events"
    assert b"event: end" not in cut
    [run] = await sdk.runs.list(thread_id)
    await sdk.runs.join(thread_id, run["run_id"])
    assert (await sdk.runs.get(thread_id, run["run_id"]))["status"] == "success", "the client did not leave"
    assert len(noted(tmp_path / "notes")) == 9, "no step twice"
    await sdk.aclose()


async def listen(sdk: LangGraphClient, thread_id: str, last_event_id: str | None = None) -> list[Any]:
    """The thread's events up to the end of a run."""
    found: list[Any] = []
    async for part in await sdk.threads.join_stream(thread_id, last_event_id=last_event_id):
        found.append((part.event, part.data, part.id))
        if isinstance(part.data, dict) and part.data.get("status") == "run_done":
            break
    return found


async def test_who_follows_a_thread_goes_on_elsewhere(replicas: Replicas, tmp_path: Path) -> None:
    sdk = get_client(url=replicas.door)
    thread_id = (await sdk.threads.create())["thread_id"]
    heard = asyncio.create_task(listen(sdk, thread_id, "-"))
    await sdk.runs.create(thread_id, "steps", input={"delay": STEP_S})
    await reached(tmp_path / "notes", 1)
    parts = await stopped_under(replicas, heard)
    assert [len(data["log"]) for event, data, _ in parts if event == "values"] == [0, 1, 2, 3]
    assert parts == await listen(sdk, thread_id, "-")
    await sdk.aclose()


async def test_a_worker_does_not_wait_for_what_never_ends(redis_url: str, tmp_path: Path) -> None:
    async with live(redis_url, config=STUCK, worker=False) as api:
        sdk, keys = api.sdk(), api.platform.keys
        environment = {"REDIS_URL": redis_url, "HOLDFAST_PREFIX": keys.prefix, "HOLDFAST_GRACE_S": "0.5"}
        async with holdfast("worker", "--config", str(STUCK), **environment) as process:
            graphs = ("stubborn", *["thread"] * THREADS)
            runs = [await begin_stuck(sdk, name, tmp_path / f"{i}") for i, name in enumerate(graphs)]
            process.send_signal(signal.SIGTERM)
            told = time.monotonic()
            assert await asyncio.wait_for(process.wait(), 15) == 0
            assert time.monotonic() - told < 8
        for thread_id, run_id in runs:
            assert (await sdk.runs.get(thread_id, run_id))["status"] == "pending"
            failures = await api.platform.client.call("HGET", keys.runs(thread_id), f"{run_id}:failures")
            assert int(failures) == 0, "no attempt is burnt"


@pytest.mark.parametrize("asked", ["INFO", "HSETNX", "XGROUP", "SSUBSCRIBE", "XREADGROUP"])
async def test_a_worker_that_starts_without_redis_can_be_stopped(
    valkey: Valkey, proxy: Proxy, asked: str
) -> None:
    """Redis is there until the worker asks it for this, and then never again."""
    proxy.swallows_from = asked.encode()
    async with holdfast("worker", "--config", str(STUCK), REDIS_URL=proxy.url) as process:

        async def swallowed() -> bool:
            return proxy.black_hole

        await wait_until(swallowed, f"the worker has come to {asked}", 30)
        process.send_signal(signal.SIGTERM)
        told = time.monotonic()
        assert await asyncio.wait_for(process.wait(), 20) == 0
        assert time.monotonic() - told < 12


async def begin_stuck(sdk: LangGraphClient, graph: str, notes: Path) -> tuple[str, str]:
    thread_id = (await sdk.threads.create())["thread_id"]
    run = await sdk.runs.create(thread_id, graph, input={"notes": str(notes)})
    await reached(notes, 1)
    return thread_id, run["run_id"]
