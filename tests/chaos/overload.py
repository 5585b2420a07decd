"""Ten times more than can be done: what is too much is refused at once, and what was taken in is done."""

import asyncio
import json
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.fleets import fleet
from tests.chaos.sites import Report, site
from tests.chaos.truth import percentile
from tests.chaos.zygote import Zygote

CONCURRENCY = 10
BOUND = 40
NAP_S = 0.5
A_SECOND = round(CONCURRENCY / NAP_S)  # what one worker can do
REFUSED_WITHIN_MS = 50
PROBE = 5  # of so many requests one asks for nothing: what that takes is the machine's, not the refusal's
TIMES = 10
BODY = json.dumps(
    {
        "assistant_id": "work",
        "input": {"number": 0, "steps": 1, "nap_s": NAP_S},
        "if_not_exists": "create",
    }
).encode()

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Answer:
    status: int
    ms: float
    retry_after: str | None
    run_id: str | None


async def overload(zygote: Zygote, folder: Path, share: float) -> Report:
    seconds = max(3.0, 20 * share)
    report = Report()
    settings = {"MAX_RUNS": str(BOUND), "CONCURRENCY": str(CONCURRENCY)}
    async with site(zygote, folder, **settings) as place, fleet(place) as running:
        port, _ = running.apis[0]
        answers, probes = await flood(port, seconds)
        await place.wait_for_runs(60)
        done = {step.run_id for step in place.steps() if step.whole}
    taken = [one for one in answers if one.status == 200]
    refused = [one for one in answers if one.status in (429, 503)]
    report.problems += [
        f"an answer {one.status}" for one in answers if one not in taken and one not in refused
    ]
    report.problems += [f"refused without Retry-After: {one}" for one in refused if not one.retry_after]
    report.problems += [f"taken in and never run: {one.run_id}" for one in taken if one.run_id not in done]
    if len(refused) < len(answers) / 2:
        report.problems.append(f"only {len(refused)} of {len(answers)} refused")
    nothing = percentile([one.ms for one in probes], 99)
    if (slow := percentile([one.ms for one in refused], 99)) > REFUSED_WITHIN_MS + 2 * nothing:
        report.problems.append(f"p99 of a refusal is {slow:.0f} ms")
    report.figures |= {
        "asked a second": TIMES * A_SECOND,
        "taken in": len(taken),
        "refused": len(refused),
        "/ok meanwhile p99, ms": round(nothing, 1),
        "refusal p50, ms": round(percentile([one.ms for one in refused], 50), 1),
        "refusal p99, ms": round(percentile([one.ms for one in refused], 99), 1),
    }
    return report


async def flood(port: int, seconds: float) -> tuple[list[Answer], list[Answer]]:
    """Asks at a steady rate, whether or not there are answers; returns those, and those of the probes."""
    idle: list[Connection] = []
    async with asyncio.TaskGroup() as group:
        first = time.monotonic()
        tasks, probes = [], []
        for number in range(round(seconds * TIMES * A_SECOND)):
            await asyncio.sleep(first + number / (TIMES * A_SECOND) - time.monotonic())
            request = f"POST /threads/{uuid.uuid4()}/runs", BODY
            tasks.append(group.create_task(ask(port, idle, *request)))
            if number % PROBE == 0:
                probes.append(group.create_task(ask(port, idle, "GET /ok", b"")))
    for _, writer in idle:
        writer.close()
    return [task.result() for task in tasks], [task.result() for task in probes]


async def ask(port: int, idle: list[Connection], what: str, body: bytes) -> Answer:
    """One request on a connection that is free, by hand: a client library takes longer than the answer."""
    while idle and idle[-1][0].at_eof():  # the server keeps a connection that is not used for some seconds
        idle.pop()[1].close()
    reader, writer = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", port)
    asked = time.monotonic()
    head = (
        f"{what} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    ms = (time.monotonic() - asked) * 1000
    headers = dict(line.lower().split(": ", 1) for line in lines if line)
    said = json.loads(await reader.readexactly(int(headers["content-length"])))
    idle.append((reader, writer))
    return Answer(int(status.split()[1]), ms, headers.get("retry-after"), said.get("run_id"))
