"""Streams through a real nginx over two replicas, cut again and again: every event once, in order."""

import asyncio
import random
import signal
import uuid
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client

from tests.nginx import Nginx, running_nginx
from tests.servers import end, free_port, holdfast, wait_ready

pytestmark = pytest.mark.timeout(180)

CONFIG = str(Path(__file__).parent / "langgraph.json")
STREAMS = 16
EVENTS = 150
PAUSE_S = 0.02
MODES = ["custom"]


@dataclass
class Replicas:
    """Two API processes behind nginx, and a worker; a replica can be killed and comes back."""

    environment: dict[str, str]
    stack: AsyncExitStack
    nginx: Nginx
    ports: list[int]
    processes: list[Process] = field(default_factory=list)

    async def start(self, number: int) -> Process:
        command = ("serve", "--config", CONFIG, "--port", str(self.ports[number]))
        process = await self.stack.enter_async_context(holdfast(*command, **self.environment))
        await wait_ready(f"http://127.0.0.1:{self.ports[number]}", 60)
        return process

    async def replace(self, number: int, how: int) -> None:
        self.processes[number].send_signal(how)
        await end(self.processes[number])
        self.processes[number] = await self.start(number)


@pytest.fixture
async def replicas(redis_url: str, tmp_path: Path) -> AsyncIterator[Replicas]:
    environment = {"REDIS_URL": redis_url, "HOLDFAST_PREFIX": f"t{uuid.uuid4().hex[:8]}"}
    ports = [free_port(), free_port()]
    async with AsyncExitStack() as stack:
        nginx = stack.enter_context(running_nginx(tmp_path, ports))
        found = Replicas(environment, stack, nginx, ports)
        await stack.enter_async_context(holdfast("worker", "--config", CONFIG, **environment))
        found.processes = list(await asyncio.gather(found.start(0), found.start(1)))
        yield found


@dataclass
class Cutting:
    """A raw SSE reader that drops its connection again and again, one time in five in mid event."""

    http: httpx.AsyncClient
    thread_id: str
    run_id: str
    chance: random.Random
    numbers: list[int] = field(default_factory=list)
    last_id: str = "-1"
    connections: int = 0

    async def read(self) -> None:
        while not await self._over():
            self.connections += 1
            try:
                await self._read_some()
            except httpx.TransportError:
                await asyncio.sleep(0.05)

    async def _over(self) -> bool:
        try:
            reply = await self.http.get(f"/threads/{self.thread_id}/runs/{self.run_id}")
        except httpx.TransportError:
            return False
        done = reply.status_code == 200 and reply.json()["status"] == "success"
        return done and len(self.numbers) >= EVENTS

    async def _read_some(self) -> None:
        url = f"/threads/{self.thread_id}/runs/{self.run_id}/stream"
        limit = self.chance.randint(1, 12)
        in_mid_event = self.chance.random() < 0.2
        buffer = b""
        async with self.http.stream("GET", url, headers={"Last-Event-ID": self.last_id}) as reply:
            if reply.status_code != 200:
                return
            async for chunk in reply.aiter_raw():
                buffer += chunk
                while b"\r\n\r\n" in buffer:
                    frame, buffer = buffer.split(b"\r\n\r\n", 1)
                    limit -= self._take(frame)
                    if limit <= 0 and not in_mid_event:
                        return
                if limit <= 0 and buffer:
                    return

    def _take(self, frame: bytes) -> int:
        """Notes a whole event; 0 for a comment."""
        fields = dict(line.split(": ", 1) for line in frame.decode().split("\r\n") if ": " in line)
        if "id" not in fields:
            return 0
        self.last_id = fields["id"]
        if fields["event"] == "custom":
            self.numbers.append(int(fields["data"].removeprefix('{"n":').removesuffix("}")))
        return 1


async def start_run(http: httpx.AsyncClient) -> tuple[str, str]:
    thread_id = (await http.post("/threads", json={})).json()["thread_id"]
    asked = {
        "assistant_id": "counting",
        "input": {"count": EVENTS, "pause_s": PAUSE_S},
        "stream_mode": MODES,
        "stream_resumable": True,
    }
    run = (await http.post(f"/threads/{thread_id}/runs", json=asked)).json()
    return thread_id, run["run_id"]


async def test_cut_streams_lose_and_double_nothing(replicas: Replicas) -> None:
    nginx = replicas.nginx
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(
        base_url=nginx.https_url, verify=nginx.trust, timeout=20, limits=limits
    ) as http:
        readers = [Cutting(http, *await start_run(http), random.Random(seed)) for seed in range(STREAMS)]
        reading = [asyncio.create_task(reader.read()) for reader in readers]
        await asyncio.sleep(0.5)
        await replicas.replace(0, signal.SIGKILL)
        await asyncio.gather(*reading)
    assert [reader.numbers for reader in readers] == [list(range(EVENTS))] * STREAMS
    assert sum(reader.connections for reader in readers) > 5 * STREAMS


async def test_the_official_client_goes_on_elsewhere(
    replicas: Replicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(replicas.nginx.certificate))

    async def read() -> list[int]:
        async with get_client(url=replicas.nginx.https_url) as sdk:
            thread = await sdk.threads.create()
            found: list[int] = []
            async for part in sdk.runs.stream(
                thread["thread_id"],
                "counting",
                input={"count": EVENTS, "pause_s": 0.04},
                stream_mode="custom",
                stream_resumable=True,
            ):
                data: Any = part.data
                if part.event == "custom":
                    found.append(data["n"])
            return found

    reading = [asyncio.create_task(read()) for _ in range(8)]
    await asyncio.sleep(1)
    await replicas.replace(0, signal.SIGKILL)
    await replicas.replace(1, signal.SIGTERM)
    assert await asyncio.gather(*reading) == [list(range(EVENTS))] * 8


async def test_idle_streams_are_kept_open_by_pings(redis_url: str, tmp_path: Path) -> None:
    """nginx cuts what is silent for its read timeout; here it is 7 s, and the run says nothing for 15 s."""
    environment = {"REDIS_URL": redis_url, "HOLDFAST_PREFIX": f"t{uuid.uuid4().hex[:8]}"}
    port = free_port()
    async with AsyncExitStack() as stack:
        nginx = stack.enter_context(running_nginx(tmp_path, [port, port], proxy_read_timeout="7s"))
        command = ("serve", "--config", CONFIG, "--port", str(port))
        await stack.enter_async_context(holdfast("worker", "--config", CONFIG, **environment))
        await stack.enter_async_context(holdfast(*command, **environment))
        await wait_ready(f"http://127.0.0.1:{port}", 60)
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=nginx.https_url, verify=nginx.trust, timeout=30)
        )

        async def read() -> str:
            thread_id = (await http.post("/threads", json={})).json()["thread_id"]
            asked = {"assistant_id": "resting", "input": {"pause_s": 15}, "stream_mode": ["updates"]}
            return (await http.post(f"/threads/{thread_id}/runs/stream", json=asked)).text

        for text in await asyncio.gather(*(read() for _ in range(20))):
            assert text.count("event: updates") == 1, "the stream was cut before its end"
            assert text.count(": heartbeat") >= 2
