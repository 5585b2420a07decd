"""How many runs of whom have not ended: exact, whatever becomes of them."""

import random
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count

import pytest

from holdfast.errors import Fenced, RunNotFound, ThreadNotFound, TooManyRuns
from holdfast.redis import claims, lua, timers
from holdfast.redis.claims import Claim, Outcome
from holdfast.redis.lua import Most
from holdfast.redis.records import Caller
from tests.engine.conftest import Engine, now
from tests.engine.indexed import check

CALLERS = [
    Caller("a", "x"),
    Caller("b", "x"),
    Caller("chief", "x", staff=True),
    Caller("a", "y"),
    Caller("", "y", staff=True),
]
STRATEGIES = ["enqueue", "enqueue", "interrupt", "rollback"]
ENDS = [
    Outcome("success", "idle", {}, None, 0),
    Outcome("interrupted", "idle", {}, None, 0, after="rollback"),
    Outcome("success", "idle", {}, None, 60, after="delete"),
]


@dataclass
class Life:
    """Threads of several callers, to which anything may happen."""

    engine: Engine
    chance: random.Random
    owners: dict[str, Caller] = field(default_factory=dict)
    callers: dict[str, Caller] = field(default_factory=dict)
    held: list[Claim] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    def thread(self) -> Engine:
        known = self.chance.random() < 0.8 and list(self.owners)
        return replace(self.engine, thread_id=self.chance.choice(known or [str(uuid.uuid4())]))

    async def submit(self) -> None:
        thread, run_id = self.thread(), f"run-{next(self.numbers):04}"
        caller = self.chance.choice(CALLERS)
        delay_ms = self.chance.choice([0, 0, 0, 60_000])
        with suppress(ThreadNotFound):
            await thread.submit(
                run_id, caller=caller, strategy=self.chance.choice(STRATEGIES), delay_ms=delay_ms
            )
            self.owners.setdefault(thread.thread_id, caller)
            self.callers[run_id] = caller

    async def claim(self) -> None:
        client, ready = self.engine.client, self.engine.keys.ready(0)
        if await client.call("XLEN", ready) > (await client.call("XPENDING", ready, "workers"))["pending"]:
            [entry] = await self.engine.queue.take(0, 1)
            await self.hold(entry.thread_id, entry.id)

    async def take_over(self) -> None:
        """The worker of a run has died: another one goes on."""
        if self.held:
            lost = self.chance.choice(self.held)
            await self.hold(lost.thread_id, lost.entry)

    async def hold(self, thread_id: str, entry: str) -> None:
        if claim := await replace(self.engine, thread_id=thread_id).claim_entry(entry):
            self.held.append(claim)

    async def finish(self) -> None:
        if self.held:
            claim = self.held.pop(self.chance.randrange(len(self.held)))
            with suppress(Fenced):
                end = self.chance.choice(ENDS)
                await replace(self.engine, thread_id=claim.thread_id).finish(claim, 0, end)
            if not await self.engine.client.call("EXISTS", self.engine.keys.thread(claim.thread_id)):
                self.owners.pop(claim.thread_id, None)

    async def release(self) -> None:
        if self.held:
            claim = self.held.pop(self.chance.randrange(len(self.held)))
            await claims.release(self.engine.client, self.engine.keys, claim, now())

    async def cancel(self) -> None:
        thread = self.thread()
        runs = await self.engine.client.call("ZRANGE", self.engine.keys.run_order(thread.thread_id), 0, -1)
        for run_id in self.chance.sample(runs, min(1, len(runs))):
            action = self.chance.choice(["interrupt", "rollback"])
            with suppress(RunNotFound):
                client, keys = self.engine.client, self.engine.keys
                await lua.cancel(client, keys, thread.thread_id, "here", run_id.decode(), action, now())

    async def delete(self) -> None:
        thread_id = self.thread().thread_id
        if owner := self.owners.pop(thread_id, None):
            await lua.delete_thread(self.engine.client, self.engine.keys, thread_id, owner.tenant)

    async def start_due(self) -> None:
        client, keys = self.engine.client, self.engine.keys
        for member in await client.call("ZRANGE", keys.timers(0), 0, -1):
            _, thread_id, run_id = member.decode().split(timers.SEPARATOR)
            await claims.start_one(client, keys, 0, thread_id, run_id)

    async def true_counts(self) -> Counter[str]:
        """From the status of each run there is."""
        found: Counter[str] = Counter()
        for thread_id in self.owners:
            order = await self.engine.client.call("ZRANGE", self.engine.keys.run_order(thread_id), 0, -1)
            for run_id in map(bytes.decode, order):
                status = await replace(self.engine, thread_id=thread_id).status(run_id)
                caller = self.callers[run_id]
                if status in ("pending", "running"):
                    found.update(["", caller.tenant, f"{caller.tenant}\x1f{caller.subject}"])
                if status == "running":
                    found[f"\x1f{caller.tenant}"] += 1
        return found

    async def counts(self) -> Counter[str]:
        stored = await self.engine.client.call("HGETALL", self.engine.keys.queued(0))
        return Counter({who.decode(): int(number) for who, number in stored.items()})


@pytest.mark.parametrize("seed", range(4))
async def test_counts_are_exact_whatever_happens(engine: Engine, seed: int) -> None:
    life = Life(engine, random.Random(seed))
    ways = [life.submit] * 6 + [life.claim] * 4 + [life.finish] * 2 + [life.take_over, life.release]
    ways += [life.cancel, life.delete, life.start_due]
    for _ in range(400):
        await life.chance.choice(ways)()
        assert await life.counts() == await life.true_counts()
    await check(engine.client, engine.keys, "x", "y")
    assert len(life.callers) > 50
    for thread_id, owner in life.owners.items():
        await lua.delete_thread(engine.client, engine.keys, thread_id, owner.tenant)
    assert await life.counts() == Counter()


async def test_a_thread_made_for_its_run_stays_while_another_run_is_to_come(engine: Engine) -> None:
    await engine.submit("now")
    await engine.submit("later", delay_ms=60_000)
    await engine.finish(await engine.claimed(), 0, ENDS[-1])
    assert await engine.client.call("HGETALL", engine.keys.queued(0)) != {}
    assert (await engine.thread()).status == "idle"


async def test_a_caller_has_a_bound_of_its_own(engine: Engine) -> None:
    bounds = Most(in_all=10, of_tenant=5, of_caller=2)
    me, you = Caller("me", "x"), Caller("you", "x")
    await engine.submit("a", caller=me, most=bounds)
    await engine.submit("b", caller=me, most=bounds)
    other = replace(engine, thread_id=str(uuid.uuid4()))
    with pytest.raises(TooManyRuns, match="At most 2 runs of a caller"):
        await other.submit("c", caller=me, most=bounds)
    await other.submit("d", caller=you, most=bounds)
    await engine.finish(await engine.claimed())
    await other.submit("c", caller=Caller("me", "x", staff=True), most=bounds)


async def test_a_bound_is_shared_out_among_lanes(engine: Engine) -> None:
    assert Most(100, 10, 3).share(4) == [25, 3, 1]
    assert Most(100, 0, 3).share(1) == [100, 2**53, 3]


async def test_no_bound_is_0(engine: Engine) -> None:
    for number in range(5):
        await replace(engine, thread_id=str(uuid.uuid4())).submit(f"r{number}", most=Most(0, 0, 0))
