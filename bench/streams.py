"""Streams that are open and silent: what many of them take, and what they cost those that are not silent."""

import asyncio
import json
import math
import os
import re
import resource
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import redis
import uvloop

from bench import servers
from bench.load import HOST, Connection, make_thread, run_body, streaming
from bench.measures import APART, FULL, Bar, Length, Row
from bench.memory import PROC, rss_mb
from bench.servers import Server

T = TypeVar("T")

PING = b": heartbeat\r\n"
PING_EVERY_S = 5
GIVE_UP_S = 300.0
OPENERS = 50  # clients that open the streams
OTHER_FILES = 500  # that a process has open beside its streams
SETTLE_S = 6.0  # every stream has had its first ping

GET = b"GET %b HTTP/1.1\r\nhost: bench\r\n\r\n"
POST = b"POST %b HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
CHANNELS = json.dumps({"channels": ["values", "messages", "lifecycle", "input"]}).encode()
IN_AN_HOUR = run_body("noop", ["values"], after_seconds=3600, if_not_exists="create")

TELLERS = 10
BESIDE = 1_000
STAMP = re.compile(rb'"ns":(\d+)')
TELL = streaming("stamps", ["values", "custom"])


class Idle(asyncio.Protocol):
    """A stream, and how often it was pinged."""

    def __init__(self, request: bytes) -> None:
        self.pings = 0
        self.open = False
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request = request
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none, by its class
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self.pings += data.count(PING)
        if not self.answered.done():
            self.open = data.startswith(b"HTTP/1.1 200")
            self.answered.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        if not self.answered.done():
            self.answered.set_result(None)

    def close(self) -> None:
        if self._transport:
            self._transport.close()


async def of_a_run(connection: Connection) -> bytes:
    """The request for the stream of a run that waits for its time."""
    thread = f"/threads/{uuid.uuid4()}"
    reply = await connection.post(f"{thread}/runs", IN_AN_HOUR)
    return GET % f"{thread}/runs/{json.loads(reply.body)['run_id']}/stream".encode()


async def of_a_thread(connection: Connection) -> bytes:
    """The request for the stream of a thread, as protocol v3 has it."""
    path = f"/threads/{await make_thread(connection)}/stream/events"
    return POST % (path.encode(), len(CHANNELS), CHANNELS)


async def open_streams(port: int, count: int) -> list[Idle]:
    """Half of them of runs, half of threads, each of another thread."""
    loop = asyncio.get_running_loop()
    requests, opened = list[bytes](), list[Idle]()
    kinds: Iterator[Callable[[Connection], Awaitable[bytes]]] = iter([of_a_run, of_a_thread] * (count // 2))

    async def prepare() -> None:
        _, connection = await loop.create_connection(Connection, HOST, port)
        for kind in kinds:
            requests.append(await kind(connection))
        connection.close()

    async def work() -> None:
        while requests:
            _, stream = await loop.create_connection(partial(Idle, requests.pop()), HOST, port)
            opened.append(stream)
            await stream.answered

    await asyncio.gather(*(prepare() for _ in range(OPENERS)))
    await asyncio.gather(*(work() for _ in range(OPENERS)))
    return opened


def affordable(count: int) -> int:
    """As many as the limit of open files allows; the soft one is raised, also for the servers to come."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY:
        return count
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return min(count, (most - OTHER_FILES) // 2 * 2)


def measured(work: Coroutine[Any, Any, T]) -> T:
    return uvloop.run(asyncio.wait_for(work, GIVE_UP_S))


# what they take


def idle_rows(folder: Path, length: Length) -> Iterator[Row]:
    count = affordable(length.streams)
    with servers.holdfast_apart(folder, workers=0) as server:
        found = measured(measure_idle(server, count, length.pings_s))
    name = f"{count:,} idle streams"
    full = count == FULL.streams
    memory = Bar(480, "<= 480 MB", of=APART)
    yield row(f"{name}, RSS of the API process", "MB", found["rss"], *([memory] if full else []))
    yield row(f"{name}, its CPU", "% of a core", found["cpu"], Bar(10, "<= 10 %", of=APART))
    yield row(f"{name}, more connections to Redis", "count", found["redis"], Bar(0, "none", of=APART))
    yield row(f"{name}, cut or without their pings", "count", found["cut"], Bar(0, "none", of=APART))


def row(name: str, unit: str, figure: float, *bars: Bar) -> Row:
    return Row(name, unit, bars=bars, figures={} if math.isnan(figure) else {APART: figure})


async def measure_idle(server: Server, count: int, seconds: float) -> dict[str, float]:
    pid = server.pids["serve"]
    with redis.Redis.from_url(server.redis_url) as asked:
        close(await open_streams(server.port, 4 * OPENERS))  # whoever opens them makes connections too
        connected = clients(asked)
        streams = await open_streams(server.port, count)
        await asyncio.sleep(SETTLE_S)
        pings, cpu, begun = [stream.pings for stream in streams], cpu_s(pid), time.perf_counter()
        await asyncio.sleep(seconds)
        found = {
            "cpu": 100 * (cpu_s(pid) - cpu) / (time.perf_counter() - begun),
            "rss": rss_mb(pid),
            "redis": clients(asked) - connected,
            "cut": count - sum(map(is_kept, streams, pings, [int(seconds / PING_EVERY_S) - 1] * count)),
        }
    close(streams)
    return found


def close(streams: Iterable[Idle]) -> None:
    for stream in streams:
        stream.close()


def is_kept(stream: Idle, before: int, least: int) -> bool:
    return stream.open and stream.pings - before >= least


def clients(asked: redis.Redis) -> int:
    return int(asked.info("clients")["connected_clients"])


def cpu_s(pid: int) -> float:
    """The processor time that a process has had; NaN where there is no /proc."""
    if not PROC.is_dir():
        return math.nan
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# what they cost the others


class Teller(Connection):
    """Hears what time it was in a node, and notes how long ago."""

    def __init__(self, ages: list[float]) -> None:
        super().__init__()
        self._ages = ages

    def data_received(self, data: bytes) -> None:
        now = time.time_ns()
        self._ages += [(now - int(ns)) / 1e6 for ns in STAMP.findall(data)]
        super().data_received(data)


def way_rows(folder: Path, length: Length) -> Iterator[Row]:
    """How long an event is on its way from its node to its client."""
    count = affordable(BESIDE)
    with servers.holdfast_apart(folder) as server:
        ages = sorted(measured(measure_way(server, count, length.stage_s)))
    name = f"from node to client beside {count:,} idle streams"
    yield row(f"{name}, p50", "ms", ages[len(ages) // 2], Bar(5, "<= 5 ms", of=APART))
    yield row(f"{name}, p99", "ms", ages[len(ages) * 99 // 100])


async def measure_way(server: Server, count: int, seconds: float) -> list[float]:
    streams = await open_streams(server.port, count)
    loop, ages = asyncio.get_running_loop(), list[float]()

    async def tell(seconds: float) -> None:
        _, connection = await loop.create_connection(partial(Teller, ages), HOST, server.port)
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline:
            if not (await TELL(connection)).fine:
                raise ConnectionError("a run that tells the time did not end as it should")
        connection.close()

    await tell(0.1)  # warms up
    ages.clear()
    await asyncio.gather(*(tell(seconds) for _ in range(TELLERS)))
    close(streams)
    return ages
