"""Many short runs: neither the processes nor the server may hold on to anything."""

import asyncio
import time
import uuid
from pathlib import Path
from typing import Any

import httpx

from tests.chaos.fleets import fleet
from tests.chaos.holdings import private_mb
from tests.chaos.sites import Report, Site, site
from tests.chaos.zygote import Zygote
from tests.waiting import wait_until

CLIENTS = 16
WARM_UP = 0.3  # of all runs
GROWTH_MB = 12.0


async def soak(zygote: Zygote, folder: Path, share: float) -> Report:
    """Half of the runs are stateless, half on a thread that is deleted afterwards."""
    runs = max(300, round(20_000 * share))
    report = Report()
    async with site(zygote, folder, EVENTS_KEEP_S="1") as place, fleet(place) as running:
        processes = [running.apis[0][1], *place.workers]
        await drive(running.url, 2 * CLIENTS)
        await settle(place)
        before = await names(place)
        started = time.monotonic()
        await drive(running.url, round(runs * WARM_UP))
        warm = [private_mb(child) for child in processes]
        await drive(running.url, runs - round(runs * WARM_UP))
        seconds = time.monotonic() - started
        grown = [private_mb(child) - at for child, at in zip(processes, warm, strict=True)]
        await settle(place)
        left = await names(place) - before
    for name, mb in zip(("API", "worker"), grown, strict=True):
        report.figures[f"{name}: growth after the warm-up, MB"] = round(mb, 1)
        if mb > GROWTH_MB:
            report.problems.append(f"the {name} process grew by {mb:.1f} MB after the warm-up")
    report.problems += [f"a key was left behind: {name}" for name in sorted(left)]
    report.figures |= {"runs": runs, "runs a second": round(runs / seconds), "keys left behind": len(left)}
    return report


async def drive(url: str, runs: int) -> None:
    numbers = iter(range(runs))

    async def work(http: httpx.AsyncClient) -> None:
        for number in numbers:
            await (alone if number % 2 else on_thread)(http)

    limits = httpx.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=60) as http:
        await asyncio.gather(*(work(http) for _ in range(CLIENTS)))


BODY: dict[str, Any] = {"assistant_id": "work", "input": {"number": 0, "steps": 1, "nap_s": 0}}


async def alone(http: httpx.AsyncClient) -> None:
    answer = await http.post("/runs/wait", json=BODY)
    assert answer.json()["log"] == ["0.0"], answer.text


async def on_thread(http: httpx.AsyncClient) -> None:
    thread = f"/threads/{uuid.uuid4()}"
    answer = await http.post(f"{thread}/runs/wait", json={**BODY, "if_not_exists": "create"})
    assert answer.json()["log"] == ["0.0"], answer.text
    assert (await http.delete(thread)).is_success


async def settle(place: Site) -> None:
    """Waits until what is kept for a while is gone."""

    async def gone() -> bool:
        redis = place.platform.client.redis
        return not [name for name in await names(place) if await redis.pttl(name) >= 0]

    await wait_until(gone, "no key is left that expires", 30, every_s=0.25)


async def names(place: Site) -> set[str]:
    """The keys that there are, without the figures of days, and the place up to which workers have looked
    for expired threads."""
    found = {name.decode() async for name in place.platform.client.redis.scan_iter(count=1000)}
    keys = place.platform.keys
    figures = {name for name in found if "}:stats:" in name}
    kinds = ("thread", "thread-updates", "failed", "given-up", "closed-approvals")
    return found - figures - {keys.sweep(0, kind) for kind in kinds}
