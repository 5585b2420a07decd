"""Every process is restarted, one after the other, while clients work: none sees an error that stays."""

import asyncio
import time
import uuid
from pathlib import Path
from typing import Any

from langgraph_sdk.client import LangGraphClient

from tests.chaos.fleets import Fleet, fleet, persist, sdk
from tests.chaos.sites import Report, site
from tests.chaos.truth import disorder, overlaps, percentile
from tests.chaos.zygote import Zygote

CLIENTS = 10
STEPS = 5
NAP_S = 0.05


async def rolling(zygote: Zygote, folder: Path, share: float) -> Report:
    rounds = max(1, round(5 * share))
    report = Report()
    async with site(zygote, folder, GRACE_S="5") as place:
        async with fleet(place, apis=2, workers=2) as running:
            stopping = asyncio.Event()
            errors: list[str] = []
            clients = [
                asyncio.create_task(work(running.url, stopping, errors, number)) for number in range(CLIENTS)
            ]
            for _ in range(rounds):
                await restart(running)
            stopping.set()
            done = [one for found in await asyncio.gather(*clients) for one in found]
        await zygote.end()
        steps = place.steps()
        report.problems += [problem for _, problem in done if problem]
        report.problems += overlaps(steps, place.deaths()) + disorder(steps)
    report.figures |= {
        "restarts": 4 * rounds,
        "runs": len(done),
        "slowest run, s": round(max(seconds for seconds, _ in done), 2),
        "run p50, s": round(percentile([seconds for seconds, _ in done], 50), 2),
        "calls that were repeated": len(errors),
    }
    return report


async def restart(running: Fleet) -> None:
    for replace in (running.replace_api, running.replace_worker) * 2:
        await replace()
        await asyncio.sleep(0.5)


async def work(
    url: str, stopping: asyncio.Event, errors: list[str], number: int
) -> list[tuple[float, str | None]]:
    """Seconds and what was wrong, of each run of a client that waits for its answer or streams it."""
    found = []
    ask = wait if number % 2 else stream
    async with sdk(url) as client:
        while not stopping.is_set():
            started = time.monotonic()
            problem = await ask(client, errors)
            found.append((time.monotonic() - started, problem))
    return found


def asked(number: int = 0) -> dict[str, Any]:
    return {"number": number, "steps": STEPS, "nap_s": NAP_S}


def judge(values: Any) -> str | None:
    log = [f"0.{at}" for at in range(STEPS)]
    found = values.get("log") if isinstance(values, dict) else None
    return None if found == log else f"a client was answered {values}"


async def wait(client: LangGraphClient, errors: list[str]) -> str | None:
    async def call() -> Any:
        # A thread a try: the first may have been made, and its run too.
        thread_id = str(uuid.uuid4())
        return await client.runs.wait(thread_id, "work", input=asked(), if_not_exists="create")

    return judge(await persist(call, errors))


async def stream(client: LangGraphClient, errors: list[str]) -> str | None:
    async def call() -> Any:
        thread_id, last = str(uuid.uuid4()), None
        async for part in client.runs.stream(
            thread_id,
            "work",
            input=asked(),
            stream_mode="values",
            stream_resumable=True,
            if_not_exists="create",
        ):
            if part.event == "error":
                return part.data
            if part.event == "values":
                last = part.data
        return last

    return judge(await persist(call, errors))
