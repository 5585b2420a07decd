"""Streams that have nothing to say for longer than nginx waits: pings keep them open."""

import asyncio
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.chaos.replicas import replicas
from tests.chaos.sites import Report, site
from tests.chaos.zygote import Zygote

SILENT_FOR = 130 / 60  # times the read timeout of nginx
MOST_SILENT_S = 15
PING = b": heartbeat\r\n"
FIRST, LAST = b'"n":0', b'"n":1'  # what the run says before it is silent, and afterwards


@dataclass
class Heard:
    """What came of one stream, and the longest time that nothing came."""

    text: bytes = b""
    longest_s: float = 0.0

    @property
    def whole(self) -> bool:
        return FIRST in self.text and LAST in self.text


async def idle(zygote: Zygote, folder: Path, share: float) -> Report:
    streams, timeout_s = (100, 60) if share >= 0.5 else (20, 7)
    silent_s = timeout_s * SILENT_FOR
    report = Report()
    async with (
        site(zygote, folder) as place,
        replicas(place, folder, proxy_read_timeout=f"{timeout_s}s") as running,
    ):
        await place.work()
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=running.nginx.https_url, verify=running.nginx.trust, timeout=30, limits=limits
        ) as http:
            kinds = (classic, v3) * (streams // 2)
            heard = await asyncio.gather(*(kind(http, silent_s) for kind in kinds))
    longest_s = max(one.longest_s for one in heard)
    report.problems += [f"cut after {len(one.text)} bytes" for one in heard if not one.whole]
    if longest_s > MOST_SILENT_S:
        report.problems.append(f"nothing came for {longest_s:.1f} s")
    report.figures |= {
        "streams": len(heard),
        "read timeout of nginx, s": timeout_s,
        "the runs were silent, s": round(silent_s),
        "longest time that nothing came, s": round(longest_s, 1),
        "pings": sum(one.text.count(PING) for one in heard),
    }
    return report


def work(silent_s: float) -> dict[str, Any]:
    return {"assistant_id": "counting", "input": {"count": 2, "pause_s": silent_s}}


async def classic(http: httpx.AsyncClient, silent_s: float) -> Heard:
    asked = {**work(silent_s), "stream_mode": "custom", "if_not_exists": "create"}
    return await listen(http, f"/threads/{uuid.uuid4()}/runs/stream", asked)


async def v3(http: httpx.AsyncClient, silent_s: float) -> Heard:
    thread = f"/threads/{uuid.uuid4()}"
    command = {"id": 1, "method": "run.start", "params": work(silent_s)}
    (await http.post(f"{thread}/commands", json=command)).raise_for_status()
    return await listen(http, f"{thread}/stream/events", {"channels": ["custom"]})


async def listen(http: httpx.AsyncClient, path: str, asked: Any) -> Heard:
    """Until the run has said its last, or the stream ends before."""
    heard, last = Heard(), time.monotonic()
    try:
        async with http.stream("POST", path, json=asked) as stream:
            async for chunk in stream.aiter_raw():
                now = time.monotonic()
                heard.longest_s, last = max(heard.longest_s, now - last), now
                heard.text += chunk
                if heard.whole:
                    break
    except httpx.TransportError:
        pass  # judged by what was heard
    return heard
