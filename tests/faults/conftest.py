"""A Valkey of one's own, to be killed, filled, demoted and cut off."""

import asyncio
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from holdfast.redis.embedded import answers, binary
from tests.faults.proxy import Proxy, proxied
from tests.servers import Live, live, said
from tests.waiting import wait_until

STUCK = Path(__file__).parent / "served" / "langgraph.json"

# High, so that each limit asks Redis and none is met: what is promised holds with limits as without.
LIMITED: dict[str, Any] = {
    "rate_of_caller": 1e6,
    "rate_of_tenant": 1e6,
    "max_streams_of_caller": 10_000,
    "max_streams_of_tenant": 10_000,
}

# Recovery is promised within this.
RECOVERY_S = 5.0
# The longest that a caller waits to hear that Redis is away: five seconds, and what a busy machine adds.
ANSWER_S = 8.0


@dataclass
class Valkey:
    """A server with an append-only file, on a unix socket."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None
    options: list[str] = field(default_factory=list)

    @property
    def socket(self) -> Path:
        return self.folder / "s"

    def start(self, *options: str) -> None:
        given = ("--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder))
        # Under `everysec` a killed server may lose what it has acknowledged while the disk was slow.
        kept = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
        log = ("--logfile", str(self.folder / "log"))
        self.process = subprocess.Popen([binary(), *given, *kept, *log, *options], stdout=subprocess.DEVNULL)

    async def ready(self) -> None:
        async def up() -> bool:
            return await asyncio.to_thread(answers, self.socket)

        await wait_until(up, "the server answers", 30)

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    async def command(self, *command: str | int) -> Any:
        async with Redis(unix_socket_path=str(self.socket)) as redis:
            return await redis.execute_command(*command)  # type: ignore[no-untyped-call]

    async def seed(self, count: int) -> None:
        async with Redis(unix_socket_path=str(self.socket)) as redis:
            await redis.mset({f"ballast:{n}": "x" for n in range(count)})

    async def rewritten(self) -> None:
        """The append-only file is written anew, as a snapshot."""
        await self.command("BGREWRITEAOF")

        async def done() -> bool:
            info = await self.command("INFO", "persistence")
            return not info["aof_rewrite_in_progress"] and not info["aof_rewrite_scheduled"]

        await wait_until(done, "the append-only file is rewritten")


@pytest.fixture(scope="session")
def scratch_server() -> Iterator[Valkey]:
    with TemporaryDirectory(prefix="hf-", dir="/tmp") as folder:
        server = Valkey(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()


@pytest.fixture
async def valkey(scratch_server: Valkey) -> Valkey:
    await scratch_server.ready()
    return scratch_server


@pytest.fixture
async def proxy(valkey: Valkey) -> AsyncIterator[Proxy]:
    async with proxied(partial(asyncio.open_unix_connection, str(valkey.socket))) as running:
        yield running


@pytest.fixture
async def holdfast_behind(
    proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Live]:
    """API and worker behind the proxy, with the lease that is the default; notes go to `tmp_path/notes`."""
    monkeypatch.setenv("SERVED_NOTES", str(tmp_path / "notes"))
    async with live(proxy.url, lease_s=4, **LIMITED) as running:
        yield running


@dataclass
class Run:
    thread_id: str
    run_id: str


async def begin(server: Live, *, delay: float) -> Run:
    """A run of three steps of so many seconds."""
    sdk = server.sdk()
    thread = await sdk.threads.create()
    run = await sdk.runs.create(thread["thread_id"], "steps", input={"delay": delay}, stream_resumable=True)
    return Run(thread["thread_id"], run["run_id"])


def noted(notes: Path) -> list[str]:
    return notes.read_text().splitlines() if notes.exists() else []


async def reached(notes: Path, count: int) -> None:
    async def there() -> bool:
        return len(noted(notes)) >= count

    await wait_until(there, f"{count} steps were done")


async def ended(server: Live, run: Run, within_s: float) -> None:
    """The run succeeds in so many seconds, with each step once."""
    values: Any = await asyncio.wait_for(server.sdk().runs.join(run.thread_id, run.run_id), within_s)
    assert values["log"] == ["step 0", "step 1", "step 2"]
    assert (await server.sdk().runs.get(run.thread_id, run.run_id))["status"] == "success"


async def refused(server: Live) -> dict[str, Any]:
    """New work is refused: 503, a sentence and Retry-After, in bounded time. Returns what `/readyz` says."""
    async with server.http() as http:
        asked = time.monotonic()
        body = {"assistant_id": "echo", "input": {"messages": []}, "if_not_exists": "create"}
        posted, streamed, readiness, liveness = await asyncio.gather(
            http.post(f"/threads/{uuid.uuid4()}/runs", json=body),
            http.post(f"/threads/{uuid.uuid4()}/runs/stream", json=body),
            http.get("/readyz"),
            http.get("/livez"),
        )
        assert time.monotonic() - asked < ANSWER_S
    for answer in (posted, streamed):
        assert answer.status_code == 503, answer.text
        assert answer.headers["Retry-After"] == "1"
        assert answer.json()["detail"].startswith("Redis does not ")
    assert liveness.status_code == 200
    assert readiness.status_code == 503
    why: dict[str, Any] = readiness.json()
    return why


async def ready_again(server: Live, within_s: float = RECOVERY_S) -> None:
    async with server.http() as http:

        async def ready() -> bool:
            return (await http.get("/readyz")).status_code == 200

        await wait_until(ready, "/readyz answers 200", within_s)


async def works(server: Live) -> None:
    """A new run is taken in, done and streamed to its end."""
    sdk = server.sdk()
    thread = await sdk.threads.create()
    parts = [
        part.event
        async for part in sdk.runs.stream(thread["thread_id"], "echo", input=said("hi"), stream_mode="values")
    ]
    assert parts[0] == "metadata"
    assert parts[-1] in ("values", "end")


@asynccontextmanager
async def streaming(server: Live, run: Run) -> AsyncIterator["asyncio.Task[list[str]]"]:
    """Follows the run from its beginning; the task holds the kinds of event."""
    async with server.http() as http:
        task = asyncio.create_task(follow(http, run))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def follow(http: httpx.AsyncClient, run: Run) -> list[str]:
    path = f"/threads/{run.thread_id}/runs/{run.run_id}/stream"
    async with http.stream("GET", path, headers={"Last-Event-ID": "-1"}, timeout=60) as answer:
        return [line.removeprefix("id: ") async for line in answer.aiter_lines() if line.startswith("id: ")]
