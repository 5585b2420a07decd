"""Many readers of one run, and many streams on which nothing happens: one reader at Redis, flat memory."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.chaos.holdings import connections, resident_mb
from tests.chaos.sites import Report, Site, site
from tests.chaos.truth import miscounted
from tests.chaos.zygote import Child, Zygote
from tests.servers import free_port, wait_ready
from tests.waiting import wait_until

COUNT = 60
RUN = {"count": COUNT, "pause_s": 0.05}
NUMBER = re.compile(rb'"n":(\d+),')
OPENERS = 20
STREAM_KB = 100.0  # of memory, at most
GROWTH_MB = 3.0  # when as many streams are opened a second time
END_S = 30

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def crowd(zygote: Zygote, folder: Path, share: float) -> Report:
    readers, idle = max(200, round(1_000 * share)), max(300, round(5_000 * share))
    report = Report()
    async with site(zygote, folder) as place:
        await place.work()
        port = free_port()
        api = await place.serve(port)
        await wait_ready(f"http://127.0.0.1:{port}")
        few = await read_one_run(place, port, 2, report)
        many = await read_one_run(place, port, readers, report)
        if many != few:
            report.problems.append(f"{many} connections wait for events, and not {few}")
        before, once, again = await open_twice(place, api, port, idle)
    report.figures |= {
        "readers of one run": readers,
        "idle streams": idle,
        "memory of one, kB": round(1000 * (once - before) / idle),
        "more when they are opened again, MB": round(again - once, 1),
    }
    if once - before > idle * STREAM_KB / 1000:
        report.problems.append("the streams are too large")
    if again - once > GROWTH_MB:
        report.problems.append("streams that were closed left something behind")
    return report


async def open_twice(place: Site, api: Child, port: int, idle: int) -> list[float]:
    """The memory of the process before, and with so many idle streams, opened a first and a second time."""
    memory = [resident_mb(api)]
    for _ in range(2):
        async with streams(port, [on_thread(str(uuid.uuid4())) for _ in range(idle)]):
            memory.append(resident_mb(api))
        await wait_until(lambda: left_alone(place, api, port), "nobody follows anything", END_S)
    return memory


async def read_one_run(place: Site, port: int, readers: int, report: Report) -> int:
    """Half of them are on the thread's wire; returns how many connections wait for events meanwhile."""
    thread_id = str(uuid.uuid4())
    asked = {
        "assistant_id": "counting",
        "input": RUN,
        "stream_mode": "custom",
        "stream_resumable": True,
        "if_not_exists": "create",
    }
    async with streams(port, [on_thread(thread_id)] * (readers // 2)) as first:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            reply = await http.post(f"/threads/{thread_id}/runs", json=asked)
        run_id = reply.raise_for_status().json()["run_id"]
        async with streams(port, [of_run(thread_id, run_id)] * (readers - readers // 2)) as second:
            heard = [asyncio.create_task(listen(stream)) for stream in (*first, *second)]
            following = await followers(place, thread_id)
            if following != 1:
                report.problems.append(f"{following} connections follow one thread")
            waiting = await subscribers(place)
            for numbers in await asyncio.gather(*heard):
                report.problems += miscounted(numbers, COUNT)
    return waiting


def on_thread(thread_id: str) -> bytes:
    body = b'{"channels":["custom"]}'
    head = (
        f"POST /threads/{thread_id}/stream/events HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def of_run(thread_id: str, run_id: str) -> bytes:
    path = f"/threads/{thread_id}/runs/{run_id}/stream"
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nLast-Event-ID: -1\r\n\r\n".encode()


@asynccontextmanager
async def streams(port: int, requests: Sequence[bytes]) -> AsyncIterator[list[Stream]]:
    """Open streams, each of which has been answered."""
    opened: list[Stream] = []
    left = iter(requests)

    async def work() -> None:
        for request in left:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            opened.append((reader, writer))
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head

    try:
        await asyncio.gather(*(work() for _ in range(OPENERS)))
        yield opened
    finally:
        for _, writer in opened:
            writer.transport.abort()


async def listen(stream: Stream) -> list[int]:
    """The numbers up to the last one."""
    reader, _ = stream
    text, last = b"", b'"n":%d,' % (COUNT - 1)
    async with asyncio.timeout(END_S):
        while last not in text and (chunk := await reader.read(65536)):
            text += chunk
    return [int(number) for number in NUMBER.findall(text)]


async def followers(place: Site, thread_id: str) -> int:
    """How many connections Redis sends the thread's events to."""
    events = place.platform.keys.events(thread_id)
    [(_, count)] = await place.platform.client.redis.pubsub_shardnumsub(events)
    return int(count)


async def subscribers(place: Site) -> int:
    return len(await place.platform.client.redis.client_list(_type="pubsub"))


async def left_alone(place: Site, api: Child, port: int) -> bool:
    """Whether the process has let go of everybody."""
    pattern = place.platform.keys.events("*")
    channels = await place.platform.client.redis.pubsub_shardchannels(pattern)
    return not channels and not connections(api, port)
