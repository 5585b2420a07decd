"""The scripts on a real server: threads and runs without graphs."""

import secrets
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from holdfast.events import Event
from holdfast.redis import claims, lua
from holdfast.redis.approvals import Ballot
from holdfast.redis.claims import Claim, Outcome
from holdfast.redis.client import Client, connect
from holdfast.redis.keys import Keys
from holdfast.redis.lua import Place
from holdfast.redis.queue import Queue, open_queue
from holdfast.redis.records import Caller, ThreadRecord, read_run, read_thread, run_fields

ME = Caller("me", "here")
DONE = Outcome("success", "idle", {}, None, 0)


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Engine:
    """What a test does to one thread."""

    client: Client
    keys: Keys
    queue: Queue
    thread_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    async def submit(self, run_id: str, *, strategy: str = "enqueue", **more: Any) -> Place:
        decisions: dict[str, Any] = more.pop("decisions", {})
        caller = more.pop("caller", ME)
        request: dict[str, Any] = {
            "caller": caller.subject,
            "run_id": run_id,
            "created_at": now().isoformat(),
            "multitask_strategy": strategy,
            "decisions": decisions,
        }
        ballots = [Ballot(name, orjson.dumps(decision).decode()) for name, decision in decisions.items()]
        request["resume"] = dict.fromkeys(more.get("answers", ()), "yes")
        asked = lua.Submission(
            self.thread_id,
            run_id,
            request,
            caller,
            now(),
            create=more.pop("create", True),
            metadata={},
            ballots=ballots,
            **more,
        )
        return (await lua.submit(self.client, self.keys, asked)).place

    async def claim(self, nonce: str | None = None) -> Claim | None:
        """Takes the entry that is ready."""
        [entry] = await self.queue.take(0, 1)
        return await self.claim_entry(entry.id, nonce)

    async def claim_entry(
        self, entry: str, nonce: str | None = None, worker: str = "worker-1"
    ) -> Claim | None:
        nonce = nonce or secrets.token_hex(4)
        return await claims.claim(self.client, self.keys, worker, 0, self.thread_id, entry, nonce, now())

    async def claimed(self) -> Claim:
        claim = await self.claim()
        assert claim is not None
        return claim

    async def append(self, claim: Claim, written: int, *texts: str) -> None:
        events = [Event(claim.run_id, "custom", "", 0, text.encode()).encode() for text in texts]
        await claims.append(self.client, self.keys, claim, written, events)

    async def finish(
        self, claim: Claim, written: int = 0, outcome: Outcome = DONE, *, keep_s: int = 60
    ) -> dict[str, dict[str, Any]]:
        last = [Event(claim.run_id, "end", "", 0, b"{}").encode()]
        return await claims.finish(
            self.client, self.keys, claim, outcome, written, last, now=now(), keep_s=keep_s
        )

    async def thread(self) -> ThreadRecord:
        stored = await self.client.call("HGETALL", self.keys.thread(self.thread_id))
        return read_thread(self.thread_id, stored)

    async def status(self, run_id: str) -> str | None:
        values = await self.client.call("HMGET", self.keys.runs(self.thread_id), *run_fields(run_id))
        record = read_run(self.thread_id, run_id, values)
        return record.status if record else None

    async def log(self) -> list[tuple[str, str]]:
        """(id, data or mode) of each event."""
        rows = await self.client.call("XRANGE", self.keys.events(self.thread_id), "-", "+")
        events = [(id.decode(), Event.decode(fields[b"e"])) for id, fields in rows]
        return [(id, event.data.decode() if event.mode == "custom" else event.mode) for id, event in events]

    async def ready(self) -> int:
        """How many entries are in the queue, claimed or not."""
        return int(await self.client.call("XLEN", self.keys.ready(0)))


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Client]:
    async with connect(redis_url) as opened:
        yield opened


@pytest.fixture
async def engine(redis_url: str, client: Client) -> AsyncIterator[Engine]:
    keys = Keys(f"t{uuid.uuid4().hex[:8]}")
    async with open_queue(redis_url, keys, "worker-1", 0.5) as queue:
        yield Engine(client, keys, queue)
