"""Readers that open a stream and never read a byte of it: they are cut, and nobody else notices."""

import asyncio
import socket
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import orjson
from httpx_sse import EventSource

from tests.chaos.holdings import connections, resident_mb
from tests.chaos.killing import stop
from tests.chaos.sites import Report, site
from tests.chaos.truth import miscounted, percentile
from tests.chaos.zygote import Child, Zygote
from tests.servers import free_port, wait_ready

DEAF = 100
LOUD = {"count": 300, "size": 20_000, "pause_s": 0.02}  # more than the buffers of the kernel take
LOUD_S = 6
QUIET = {"count": 10, "pause_s": 0.02}
BUFFER = 4096
GROWTH_MB = 20.0

HEARING = 4
PAUSE_S = 0.02
BEFORE_S = 3.0
LATER_MS = {50: 20.0, 99: 2000.0}  # what the deaf may cost the others, by percentile; never a timeout
LET_GO_S = 10.0  # of a connection, after the timeout
LOOK_S = 0.1


async def deaf(zygote: Zygote, folder: Path, share: float) -> Report:
    timeout_s = 30.0 if share >= 0.5 else 3.0
    report = Report()
    async with site(zygote, folder, SEND_TIMEOUT_S=str(timeout_s)) as place:
        await place.work()
        port = free_port()
        api, url = await place.serve(port), f"http://127.0.0.1:{port}"
        await wait_ready(url)
        with ExitStack() as stack:  # so that what so many readers cost, deaf or not, does not count
            await ignore(url, port, QUIET, stack)
            before = await hear(url, BEFORE_S, report)
        await let_go(api, port)
        memory = [resident_mb(api)]
        watching = asyncio.create_task(watch(api, memory))
        with ExitStack() as stack:
            ignoring = await ignore(url, port, LOUD, stack)
            meanwhile = await hear(url, LOUD_S + timeout_s, report)
            left = await let_go(api, port)
            ended = DEAF - sum(map(was_reset, ignoring))
        await stop(watching)
    if left:
        report.problems.append(f"{left} connections were not cut")
    if ended:
        report.problems.append(f"{ended} streams came to an end, or still come: the kernel kept them")
    if (grown := max(memory) - memory[0]) > GROWTH_MB:
        report.problems.append(f"the API process grew by {grown:.1f} MB")
    for part, ms in LATER_MS.items():
        if percentile(meanwhile, part) > percentile(before, part) + ms:
            report.problems.append(f"p{part} of the others' events is {percentile(meanwhile, part):.0f} ms")
    report.figures |= {
        "deaf readers": DEAF,
        "send timeout, s": round(timeout_s),
        "growth of the API process, MB": round(grown, 1),
        **latencies("before", before),
        **latencies("meanwhile", meanwhile),
    }
    return report


def latencies(when: str, found: list[float]) -> dict[str, float]:
    return {f"others' events p{part} {when}, ms": round(percentile(found, part), 1) for part in LATER_MS}


async def watch(child: Child, memory: list[float]) -> None:
    while True:
        memory.append(resident_mb(child))
        await asyncio.sleep(LOOK_S)


async def let_go(child: Child, port: int) -> int:
    """How many connections the process still holds when it had time enough."""
    for _ in range(round(LET_GO_S / LOOK_S)):
        if not connections(child, port):
            break
        await asyncio.sleep(LOOK_S)
    return connections(child, port)


# those who hear


async def hear(url: str, seconds: float, report: Report) -> list[float]:
    """How old the events of some ordinary runs are when they arrive, in ms."""
    count = round(seconds / PAUSE_S)
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        found = await asyncio.gather(*(hear_run(http, count) for _ in range(HEARING)))
    report.problems += [problem for numbers, _ in found for problem in miscounted(numbers, count)]
    return [ms for _, ages in found for ms in ages]


async def hear_run(http: httpx.AsyncClient, count: int) -> tuple[list[int], list[float]]:
    asked = {"stream_mode": "custom", "if_not_exists": "create", **work(count=count, pause_s=PAUSE_S)}
    numbers, ages = [], []
    async with http.stream("POST", f"/threads/{uuid.uuid4()}/runs/stream", json=asked) as stream:
        async for event in EventSource(stream).aiter_sse():
            if event.event == "custom":
                data = orjson.loads(event.data)
                numbers.append(data["n"])
                ages.append((time.monotonic_ns() - data["at_ns"]) / 1e6)
    return numbers, ages


def work(**given: Any) -> dict[str, Any]:
    return {"assistant_id": "counting", "input": given}


# those who do not


async def ignore(url: str, port: int, given: dict[str, Any], stack: ExitStack) -> list[socket.socket]:
    """Opens streams of one run, half of them on the thread's wire, and reads none."""
    thread = f"/threads/{uuid.uuid4()}"
    body = b'{"channels":["custom"]}'
    half = DEAF // 2
    opened = [await ask(port, f"POST {thread}/stream/events", body, stack) for _ in range(half)]
    asked = {"stream_mode": "custom", "if_not_exists": "create", **work(**given)}
    async with httpx.AsyncClient(base_url=url) as http:
        run_id = (await http.post(f"{thread}/runs", json=asked)).raise_for_status().json()["run_id"]
    path = f"GET {thread}/runs/{run_id}/stream"
    return opened + [await ask(port, path, b"", stack) for _ in range(DEAF - half)]


async def ask(port: int, what: str, body: bytes, stack: ExitStack) -> socket.socket:
    opened = stack.enter_context(socket.socket())
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    opened.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(opened, ("127.0.0.1", port))
    head = (
        f"{what} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    await loop.sock_sendall(opened, head.encode() + body)
    return opened


def was_reset(ignoring: socket.socket) -> bool:
    """Whether what it was sent has gone too: nobody keeps it for a reader that comes back to its senses."""
    ignoring.settimeout(1)
    try:
        while ignoring.recv(1 << 20):
            pass
    except ConnectionResetError:
        return True
    return False
