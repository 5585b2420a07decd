"""Workers that were taken for dead and wake up, and tokens that were overtaken: they change nothing."""

import asyncio
import random
import secrets
import signal
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import empty_checkpoint

from holdfast.checkpoint import RedisSaver
from holdfast.errors import Fenced
from holdfast.events import Event
from holdfast.redis import claims
from holdfast.redis.claims import Claim, Outcome
from holdfast.redis.client import Client, connect
from holdfast.redis.keys import Keys
from holdfast.redis.queue import Queue, open_queue
from tests.chaos.sites import Report, Site, site
from tests.chaos.truth import unkept
from tests.chaos.zygote import Child, Zygote
from tests.waiting import wait_until

STEPS = 3
NAP_S = 0.3
SUCCESS = Outcome("success", "idle", {}, None, 0)


async def zombies(zygote: Zygote, folder: Path, share: float) -> Report:
    report = Report()
    stops, races = max(2, round(20 * share)), max(20, round(1000 * share))
    async with site(zygote, folder, LEASE_S="0.5", MAX_ATTEMPTS="1000", EVENTS_KEEP_S="86400") as place:
        for _ in range(2):
            await place.work()
        for _ in range(stops):
            report.problems += await freeze(place)
        await zygote.end()
        report.problems += await race_all(place, races)
    report.figures |= {"SIGSTOP and SIGCONT past the lease": stops, "races of a stale token": races}
    return report


# real processes


async def freeze(place: Site) -> list[str]:
    """Stops a worker in the middle of a step, lets another end the run, and wakes the first one up."""
    thread_id = str(uuid.uuid4())
    run_id = await place.submit(thread_id, 0, steps=STEPS, nap_s=NAP_S)
    victim = await busy_worker(place, thread_id)
    victim.send(signal.SIGSTOP)
    try:
        await place.wait_for_runs(30)
        before = await everything(place, thread_id)
        given_up = victim.log.read_text().count("run given up")
    finally:
        victim.send(signal.SIGCONT)

    async def gave_up() -> bool:
        return victim.log.read_text().count("run given up") > given_up

    await wait_until(gave_up, f"{victim.pid} has noticed that its run is another's", 30)
    problems = await unkept(place.platform, {thread_id: [run_id]}, STEPS)
    after = await everything(place, thread_id)
    changed = [what for what in before if before[what] != after[what]]
    return problems + [f"{victim.pid} changed the {what} of {thread_id} after it woke up" for what in changed]


async def busy_worker(place: Site, thread_id: str) -> Child:
    found: list[int] = []

    async def begun() -> bool:
        found[:] = [step.pid for step in place.steps() if step.thread_id == thread_id and not step.end]
        return bool(found)

    await wait_until(begun, f"a step of {thread_id} has begun")
    return place.zygote.children[found[0]]


async def everything(place: Site, thread_id: str) -> dict[str, Any]:
    client, keys = place.platform.client, place.platform.keys
    return {
        "record": await client.call("HGETALL", keys.thread(thread_id)),
        "runs": await client.call("HGETALL", keys.runs(thread_id)),
        "events": await client.call("XRANGE", keys.events(thread_id), "-", "+"),
        "checkpoints": await client.call("HGETALL", keys.checkpoints(thread_id)),
        "index": await client.call("ZRANGE", keys.checkpoint_index(thread_id), 0, -1),
    }


# one process, two connections


@dataclass
class Holder:
    """Writes whatever a worker writes, under one claim; `accepted` is what was not refused."""

    client: Client
    keys: Keys
    claim: Claim
    accepted: list[str] = field(default_factory=list)

    async def write_all(self) -> None:
        writes = [self.append, self.checkpoint, self.checkpoint_write, self.finish]
        await asyncio.gather(*(self._try(write) for write in random.sample(writes, len(writes))))

    async def _try(self, write: Callable[[], Awaitable[object]]) -> None:
        await asyncio.sleep(random.uniform(0, 0.001))
        try:
            await write()
        except Fenced:
            return
        self.accepted.append(write.__name__)

    async def append(self) -> None:
        await claims.append(self.client, self.keys, self.claim, 0, [self._event("custom")])

    async def finish(self) -> None:
        # As it would be once its event was written, or, when that was refused, before it.
        for written in (1, 0):
            try:
                await claims.finish(
                    self.client, self.keys, self.claim, SUCCESS, written, [self._event("end")],
                    now=datetime.now(UTC), keep_s=600,
                )  # fmt: skip
            except Fenced:
                raise
            except Exception as error:  # a hole: only an event that is there may be counted
                if not str(error).startswith("HOLE"):
                    raise
            else:
                return

    async def checkpoint(self) -> None:
        checkpoint = empty_checkpoint()
        checkpoint["channel_versions"] = {"who": "1"}
        checkpoint["channel_values"] = {"who": self.claim.token}
        metadata: Any = {"source": "loop", "step": 0, "run_id": self.claim.run_id}
        config: Any = {"configurable": {"thread_id": self.claim.thread_id, "checkpoint_ns": ""}}
        await self._saver().aput(config, checkpoint, metadata, {"who": "1"})

    async def checkpoint_write(self) -> None:
        place = {
            "thread_id": self.claim.thread_id,
            "checkpoint_ns": "",
            "checkpoint_id": str(uuid.UUID(int=1)),
        }
        await self._saver().aput_writes({"configurable": place}, [("who", self.claim.token)], "task")

    def _saver(self) -> RedisSaver:
        return RedisSaver(self.client, self.keys).for_run(self.claim.token)

    def _event(self, mode: str) -> bytes:
        return Event(self.claim.run_id, mode, "", 0, f'{{"token":"{self.claim.token}"}}'.encode()).encode()


async def race_all(place: Site, count: int) -> list[str]:
    problems = []
    url, keys = place.valkey.url, place.platform.keys
    async with (
        connect(url) as first,
        connect(url) as second,
        open_queue(url, keys, "racer", 60) as queue,
    ):
        for _ in range(count):
            problems += await race(place, queue, first, second)
    return problems


async def race(place: Site, queue: Queue, first: Client, second: Client) -> list[str]:
    """One worker writes while another takes its thread: what was written by then stays, and no more comes."""
    keys, thread_id = place.platform.keys, str(uuid.uuid4())
    await place.submit(thread_id, 0)
    [entry] = await queue.take(0, 1)

    async def claim(client: Client) -> Claim | None:
        now = datetime.now(UTC)
        return await claims.claim(client, keys, "racer", 0, thread_id, entry.id, secrets.token_hex(8), now)

    async def take_over() -> tuple[Claim | None, dict[str, Any]]:
        await asyncio.sleep(random.uniform(0, 0.001))
        taken = await claim(second)
        return taken, await everything(place, thread_id)

    old = await claim(first)
    assert old is not None
    holder = Holder(first, keys, old)
    _, (taken, then) = await asyncio.gather(holder.write_all(), take_over())
    now = await everything(place, thread_id)
    if taken is None:  # the first one had ended the run
        return [] if "finish" in holder.accepted else [f"the run of {thread_id} went to nobody"]
    problems = [
        f"a stale token changed the {what} of {thread_id}" for what in then if then[what] != now[what]
    ]
    if "finish" in holder.accepted:
        problems.append(f"the run of {thread_id} was ended by a stale token")
    heir = Holder(second, keys, taken)
    await heir.append()
    await heir.finish()
    return problems
