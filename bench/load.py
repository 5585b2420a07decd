"""The load: HTTP/1.1 over raw sockets on uvloop, so cheap that it is not what is measured.

How cheap it is, is part of each report: the same load against `bench.null`.
"""

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import uvloop

HOST = "127.0.0.1"
GIVE_UP_S = 120.0  # a stage that takes so much longer than it was given is broken
INPUT = {"text": "hello"}
QUESTION = {"messages": [{"role": "user", "content": "Where is the parcel that I ordered on Monday?"}]}
LAST_CHUNK = b"\r\n0\r\n\r\n"
HEAD = b"POST %b HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


@dataclass(slots=True)
class Reply:
    """A whole reply; times are of `time.perf_counter`, the body keeps its chunk marks."""

    sent: float
    status: int = 0
    body: bytes = b""
    first_event: float = math.nan
    done: float = math.nan


class Connection(asyncio.Protocol):
    """A connection that is kept alive, with one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._head = 0  # where the body begins, once the head is there
        self._length = -1  # of the body; -1 when it comes in chunks
        self._reply = Reply(math.nan)
        self._whole: asyncio.Future[Reply] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none, by its class

    def connection_lost(self, exc: Exception | None) -> None:
        if self._whole and not self._whole.done():
            self._whole.set_exception(exc or ConnectionError("the server closed the connection"))

    def close(self) -> None:
        if self._transport:
            self._transport.close()

    def post(self, path: str, body: bytes) -> Awaitable[Reply]:
        assert self._transport
        self._received.clear()
        self._head = 0
        self._whole = asyncio.get_running_loop().create_future()
        self._reply = Reply(time.perf_counter())
        self._transport.write(HEAD % (path.encode(), len(body)) + body)
        return self._whole

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._head and not self._read_head():
            return
        reply, received = self._reply, self._received
        if math.isnan(reply.first_event) and received.find(b"event:", self._head) >= 0:
            reply.first_event = time.perf_counter()
        if self._length < 0:
            whole = received.endswith(LAST_CHUNK)
        else:
            whole = len(received) >= self._head + self._length
        if whole and self._whole and not self._whole.done():
            reply.body, reply.done = bytes(received[self._head :]), time.perf_counter()
            self._whole.set_result(reply)

    def _read_head(self) -> bool:
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return False
        self._head = end + 4
        self._reply.status = int(self._received[9:12])
        _, given, after = self._received[: end + 2].lower().partition(b"content-length:")
        self._length = int(after.partition(b"\r\n")[0]) if given else -1
        if not given:
            self._head -= 2  # so that an empty body's last chunk looks like any other's
        return True


@dataclass(frozen=True, slots=True)
class Sample:
    """One run as its client saw it, in seconds from the request on."""

    first_event_s: float
    total_s: float
    fine: bool


@dataclass(slots=True)
class Stage:
    """What one load got out of one server."""

    samples: list[Sample] = field(default_factory=list)
    seconds: float = 0.0
    client_cpu_s: float = 0.0

    @property
    def fine(self) -> list[Sample]:
        return [sample for sample in self.samples if sample.fine]

    @property
    def rate(self) -> float:
        """Runs a second, those that ended as they should."""
        return len(self.fine) / self.seconds

    @property
    def failed(self) -> int:
        return len(self.samples) - len(self.fine)


FAILED = Sample(math.nan, math.nan, fine=False)
Scenario = Callable[[Connection], Awaitable[Sample]]


async def make_thread(connection: Connection) -> str:
    reply = await connection.post("/threads", b"{}")
    if reply.status != 200:
        raise ConnectionError(f"POST /threads answered {reply.status}: {reply.body[:200]!r}")
    thread_id: str = json.loads(reply.body)["thread_id"]
    return thread_id


def run_body(graph: str, modes: list[str], **given: Any) -> bytes:
    return json.dumps({"assistant_id": graph, "stream_mode": modes, **given}).encode()


def streaming(graph: str, modes: list[str], given: Mapping[str, Any] = INPUT) -> Scenario:
    """A new thread, and a run on it that is streamed; the thread is not part of the sample's time."""
    body = run_body(graph, modes, input=given)

    async def run(connection: Connection) -> Sample:
        thread_id = await make_thread(connection)
        reply = await connection.post(f"/threads/{thread_id}/runs/stream", body)
        fine = reply.status == 200 and b"event: values" in reply.body and b"event: error" not in reply.body
        return Sample(reply.first_event - reply.sent, reply.done - reply.sent, fine)

    return run


def waiting(graph: str) -> Scenario:
    """A new thread, and a run on it that is waited for."""
    body = run_body(graph, ["values"], input=INPUT)

    async def run(connection: Connection) -> Sample:
        thread_id = await make_thread(connection)
        reply = await connection.post(f"/threads/{thread_id}/runs/wait", body)
        fine = reply.status == 200 and b'"text"' in reply.body
        return Sample(math.nan, reply.done - reply.sent, fine)

    return run


def talking(graph: str, turns: int) -> Scenario:
    """A whole conversation: so many streamed runs on one thread, one after the other."""
    body = run_body(graph, ["values"], input=QUESTION)

    async def run(connection: Connection) -> Sample:
        thread_id = await make_thread(connection)
        replies = [await connection.post(f"/threads/{thread_id}/runs/stream", body) for _ in range(turns)]
        fine = all(reply.status == 200 and b"event: values" in reply.body for reply in replies)
        first, last = replies[0], replies[-1]
        return Sample(first.first_event - first.sent, last.done - first.sent, fine)

    return run


def going_on(graph: str, messages: int) -> Scenario:
    """A streamed run on a thread that holds so many messages already; the sample is that run."""
    begin = run_body(graph, ["values"], input={"messages": QUESTION["messages"] * messages})
    body = run_body(graph, ["values"], input=QUESTION)

    async def run(connection: Connection) -> Sample:
        thread_id = await make_thread(connection)
        begun = await connection.post(f"/threads/{thread_id}/runs/wait", begin)
        reply = await connection.post(f"/threads/{thread_id}/runs/stream", body)
        fine = begun.status == reply.status == 200 and b"event: values" in reply.body
        return Sample(reply.first_event - reply.sent, reply.done - reply.sent, fine)

    return run


def answering(graph: str) -> Scenario:
    """A run that stops to ask, and the answer: the sample is the streamed run that the answer resumes."""
    question = run_body(graph, ["values"], input=INPUT)
    answer = run_body(graph, ["values"], command={"resume": "yes"})

    async def run(connection: Connection) -> Sample:
        thread_id = await make_thread(connection)
        asked = await connection.post(f"/threads/{thread_id}/runs/stream", question)
        reply = await connection.post(f"/threads/{thread_id}/runs/stream", answer)
        fine = b"__interrupt__" in asked.body and b'"text":"yes"' in reply.body
        return Sample(reply.first_event - reply.sent, reply.done - reply.sent, fine)

    return run


def drive(port: int, scenario: Scenario, concurrency: int, seconds: float) -> Stage:
    """Repeats a scenario on so many connections for so long; the runs begun by then are finished."""
    return uvloop.run(asyncio.wait_for(_drive(port, scenario, concurrency, seconds), seconds + GIVE_UP_S))


async def _drive(port: int, scenario: Scenario, concurrency: int, seconds: float) -> Stage:
    stage, loop = Stage(), asyncio.get_running_loop()
    opened = [await loop.create_connection(Connection, HOST, port) for _ in range(concurrency)]
    started, cpu = time.perf_counter(), time.process_time()
    deadline = started + seconds

    async def repeat(connection: Connection) -> None:
        while time.perf_counter() < deadline:
            try:
                stage.samples.append(await scenario(connection))
            except ConnectionError:  # a server that is overloaded may refuse a thread, or hang up
                stage.samples.append(FAILED)
                return

    try:
        await asyncio.gather(*(repeat(connection) for _, connection in opened))
    finally:
        for _, connection in opened:
            connection.close()
    stage.seconds, stage.client_cpu_s = time.perf_counter() - started, time.process_time() - cpu
    return stage
