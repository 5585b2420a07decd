"""How long it takes from a decision to the customer's screen: `python -m bench.decisions` prints it alone.

The agent of this project with the demo's shop and bank; after a decision no model is asked any more.
"""

import asyncio
import re
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from bench import servers
from bench.measures import APART, FULL, QUICK, Bar, Length, Row
from bench.rest import SUPPORT
from bench.servers import ROOT

WORDS = "please refund 1.00 of order 12345"
CHANNELS = ["values", "messages", "lifecycle", "input"]
SHOWN = b'"status":"settled"'
POLICY = ROOT / "tools" / "refund_policy.toml"
REPEATS = re.compile(r"^(of_order|of_customer) = \d+$", re.MULTILINE)
WARM_UP = 5
GIVE_UP_S = 20


def decision_rows(folder: Path, length: Length) -> Iterator[Row]:
    """How long until an open stream of protocol v3 tells of the refund that was decided on."""
    folder.mkdir(parents=True, exist_ok=True)
    policy = folder / "policy.toml"
    # Its customer gets more refunds than a customer should, and all of them are his own to confirm.
    policy.write_text(REPEATS.sub(r"\1 = 1000", POLICY.read_text()))
    settings = {"HOLDFAST_DATA": str(folder / "agent"), "REFUND_POLICY": str(policy)}
    with servers.holdfast_apart(folder, SUPPORT, settings=settings) as server:
        times = sorted(asyncio.run(measure(server.port, 200 if length is FULL else 50)))
    name = "from a decision to the refund on an open stream"
    for percent, bars in ((50, (Bar(60, "<= 60 ms", of=APART),)), (99, ())):
        figure = times[len(times) * percent // 100]
        yield Row(f"{name}, p{percent}", "ms", bars=bars, figures={APART: figure})


async def measure(port: int, count: int) -> list[float]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=GIVE_UP_S) as http:
        times = [await decide_one(http) for _ in range(WARM_UP + count)]
    return times[WARM_UP:]


async def decide_one(http: httpx.AsyncClient) -> float:
    """Milliseconds from the decision on a refund to the event that tells of it."""
    thread = f"/threads/{uuid.uuid4()}"
    asked = {"assistant_id": "support", "input": {"messages": [{"role": "user", "content": WORDS}]}}
    await post(http, f"{thread}/commands", id=1, method="run.start", params=asked)
    async with http.stream("POST", f"{thread}/stream/events", json={"channels": CHANNELS}) as stream:
        approval_id = await waiting(http, thread.removeprefix("/threads/"))
        async with asyncio.timeout(GIVE_UP_S):
            decided = time.perf_counter()
            deciding = asyncio.create_task(post(http, f"/approvals/{approval_id}/decisions", type="approve"))
            await shown(stream.aiter_bytes())
            taken = time.perf_counter() - decided
            await deciding
    return 1000 * taken


async def shown(chunks: AsyncIterator[bytes]) -> None:
    received = b""
    async for chunk in chunks:
        received += chunk
        if SHOWN in received:
            return
    raise ConnectionError("the stream has ended")


async def waiting(http: httpx.AsyncClient, thread_id: str) -> str:
    deadline = time.perf_counter() + GIVE_UP_S
    while time.perf_counter() < deadline:
        found = (await http.get("/approvals", params={"thread_id": thread_id})).raise_for_status().json()
        if found:
            return str(found[0]["approval_id"])
        await asyncio.sleep(0.02)
    raise TimeoutError("the agent does not ask")


async def post(http: httpx.AsyncClient, path: str, **body: Any) -> None:
    (await http.post(path, json=body)).raise_for_status()


def main() -> None:
    with TemporaryDirectory(prefix="hf-", ignore_cleanup_errors=True) as folder:
        for row in decision_rows(Path(folder), QUICK):
            sys.stdout.write(f"{row.name}: {row.figures[APART]:.1f} {row.unit}\n")


if __name__ == "__main__":
    main()
