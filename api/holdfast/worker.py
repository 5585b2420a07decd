"""The worker: claims runs from the queue and has them executed, as many at once as the settings allow."""

import asyncio
import logging
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import copy_context
from datetime import UTC, datetime
from functools import partial

from redis.exceptions import RedisError
from structlog.contextvars import bind_contextvars

from holdfast.core import sharing, timers
from holdfast.core.declared import declare
from holdfast.core.platform import Platform
from holdfast.core.webhooks.courier import Courier, open_courier
from holdfast.errors import HoldfastError, Unavailable
from holdfast.execute import Asking, Attempt, ClaimedGraph, Limits, Watch, absent, due_at
from holdfast.pacing import jittered
from holdfast.redis import claims, consumers
from holdfast.redis.checkpoints import Loaded, ThreadCheckpoints
from holdfast.redis.claims import Claim
from holdfast.redis.client import cancel, insist
from holdfast.redis.leases import Leases
from holdfast.redis.log import Log
from holdfast.redis.queue import Entry, Queue, open_queue
from holdfast.redis.sweep import sweep
from holdfast.telemetry.tracing import Attempted, RunTrace

logger = logging.getLogger(__name__)

BATCH = 100
LOOK_S = 0.5
RETRY_S = 0.5
SWEEP_S = 2.0

# A worker that lives is heard of every few seconds, unless it is full. Those that died leave their names
# behind, which cost a hundred bytes each: they are looked for rarely.
SILENT_S = 300.0
FORGET_S = 60.0

# What is left to do after the grace time, each: to hand runs back, and to end what does not want to end.
LAST_S = 2.0


class Worker:
    """Installs no signal handler: whoever runs it calls `stop`."""

    def __init__(self, platform: Platform, queue: Queue, name: str, courier: Courier) -> None:
        self.name = name
        self._platform = platform
        self._queue = queue
        self._courier = courier
        self._attempts: dict[str, Attempt] = {}
        self._found: dict[str, Loaded] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._sources: list[asyncio.Task[None]] = []
        self._freed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._leases = Leases(
            platform.redis_url,
            platform.keys,
            name,
            platform.settings.lease_s,
            lost=self._lose,
            cancelled=lambda claim, action: self._tell(claim, lambda attempt: attempt.cancel(action)),
        )
        platform.recorder.watch_worker(lambda: len(self._attempts), platform.settings.concurrency)

    def _lose(self, claim: Claim) -> None:
        self._platform.recorder.lease_lost()
        self._tell(claim, Attempt.lose)

    def _tell(self, claim: Claim, what: Callable[[Attempt], None]) -> None:
        if attempt := self._attempts.get(claim.token):
            what(attempt)

    async def run(self) -> None:
        """Works until `stop` is called and the runs in hand have ended or were handed back."""
        lanes = range(self._platform.keys.lanes)
        async with self._leases.running():
            self._sources = [
                asyncio.create_task(work(lane), name=f"{work.__name__} {lane}")
                for work in (
                    self._fetch,
                    self._keep_time,
                    self._reclaim,
                    self._forget_dead,
                    self._sweep,
                    self._courier.deliver,
                    self._courier.prune,
                )
                for lane in lanes
            ]
            await self._stopping.wait()
            await cancel(*self._sources, reason="the worker is stopping")
            await asyncio.gather(*self._sources, return_exceptions=True)
            await self._drain()
            await wait({asyncio.create_task(self._leave(lane)) for lane in lanes}, LAST_S)

    def working(self) -> bool:
        """Whether each of its parts is at work: those that ended by themselves, nobody starts again."""
        return not any(source.done() for source in self._sources)

    def stop(self) -> None:
        """Claims nothing more, and asks each run in hand to stop at its next step and go on elsewhere."""
        self._stopping.set()

    async def _drain(self) -> None:
        for attempt in self._attempts.values():
            attempt.drain()
        await wait(self._tasks, self._platform.settings.grace_s)
        # Those that are left did not reach a step in time: the step ends here, then runs again elsewhere.
        for attempt in list(self._attempts.values()):
            attempt.lose()
        await wait(self._tasks, LAST_S)
        stubborn = list(self._attempts.values())
        await wait({asyncio.create_task(self._hand_back(attempt.claim)) for attempt in stubborn}, LAST_S)

    def _hear_cancel(self, message: bytes) -> None:
        run_id, action = message.decode().split("\x1f")
        for attempt in self._attempts.values():
            if attempt.claim.run_id == run_id:
                attempt.cancel(action)

    # claiming

    def _free(self) -> int:
        return self._platform.settings.concurrency - len(self._tasks)

    async def _fetch(self, lane: int) -> None:
        # First, so that each run can be cancelled at once; it waits for as long as Redis is away.
        await self._platform.hub.listen(self._platform.keys.cancels(lane), self._hear_cancel)
        while True:
            while self._free() <= 0:
                self._freed.clear()
                await self._freed.wait()
            try:
                entries = await self._queue.take(lane, min(self._free(), BATCH))
                await self._start(entries)
            except (RedisError, OSError, HoldfastError) as error:
                logger.warning("the queue cannot be read", extra={"error": type(error).__name__})
                await asyncio.sleep(RETRY_S)

    async def _reclaim(self, lane: int) -> None:
        """Takes over what a dead worker left."""
        lease_s = self._platform.settings.lease_s
        while True:
            await asyncio.sleep(jittered(lease_s / 4))
            try:
                if self._free() > 0:
                    await self._start(await self._queue.reclaim(lane, min(self._free(), BATCH)))
            except (RedisError, OSError, HoldfastError) as error:
                logger.warning("the queue cannot be searched", extra={"error": type(error).__name__})
                # Nobody could renew a lease: those who live come first, and lose no attempt by it.
                await insist(partial(self._platform.client.call, "PING"))
                await asyncio.sleep(lease_s / 2)

    async def _keep_time(self, lane: int) -> None:
        """Does what is due: starts later runs and crons."""
        platform = self._platform
        while True:
            await asyncio.sleep(jittered(LOOK_S))
            try:
                while await timers.ring(platform, lane, BATCH) == BATCH:
                    pass
            except (RedisError, HoldfastError) as error:
                logger.warning("what is due cannot be read", extra={"error": type(error).__name__})

    async def _forget_dead(self, lane: int) -> None:
        """Takes the names of dead workers out of the queue."""
        platform = self._platform
        while True:
            await asyncio.sleep(jittered(FORGET_S))
            with suppress(RedisError, HoldfastError):  # the others complain of it
                await consumers.forget_silent(platform.client, platform.keys, lane, SILENT_S)

    async def _leave(self, lane: int) -> None:
        with suppress(RedisError, HoldfastError):  # another worker will do it
            await consumers.forget(self._platform.client, self._platform.keys, lane, self.name)

    async def _sweep(self, lane: int) -> None:
        """Takes what has expired off the lane's lists, a step at a time, for ever."""
        platform = self._platform
        while True:
            try:
                async for _ in sweep(platform.client, platform.keys, lane):
                    await asyncio.sleep(jittered(SWEEP_S))
            except (RedisError, HoldfastError) as error:
                logger.warning("expired threads cannot be looked for", extra={"error": type(error).__name__})
                await asyncio.sleep(SWEEP_S)

    async def _start(self, entries: list[Entry]) -> None:
        for entry in entries:
            context = copy_context()  # so that what `_work` binds is still there in `_done`
            name = f"thread {entry.thread_id}"
            task = asyncio.create_task(self._work(entry), name=name, context=context)
            self._tasks.add(task)
            task.add_done_callback(self._done, context=context)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._freed.set()
        if not task.cancelled() and (error := task.exception()):
            # The entry stays pending: the run is taken up again when its lease has run out.
            logger.error("an attempt broke off", exc_info=error)

    # working

    async def _work(self, entry: Entry) -> None:
        taken = time.monotonic()
        bind_contextvars(thread_id=entry.thread_id)
        claim = await self._claim(entry)
        if claim is None:
            return
        try:
            if not self._stopping.is_set() and await self._ended(claim, taken):
                return
        finally:
            self._found.pop(claim.token, None)
        # Also when the lease was lost: if only Redis was away, nobody else has the run yet.
        await self._hand_back(claim)

    async def _ended(self, claim: Claim, taken: float) -> bool:
        """Works on a run; False when it is to be handed back."""
        platform, graph_id = self._platform, claim.request["graph_id"]
        bind_contextvars(run_id=claim.run_id, **asked_in(claim))
        spec = platform.project.graphs.get(graph_id)
        if spec is None and not claim.cancel and claim.failures < platform.settings.max_attempts:
            # In the middle of an upgrade: another worker may serve it, and has it when the lease is over.
            logger.warning("a graph is not served here", extra={"graph": graph_id})
            return True
        log = Log(platform.client, platform.keys, claim)
        watch = Watch(claim, platform.recorder, await traced(platform, claim))
        source = ClaimedGraph(
            spec or absent(graph_id),
            lambda graph: platform.saver(graph_id, graph, claim.token),
            platform.store(claim.tenant, claim.owner, reads_shared=True),
            self._found.pop(claim.token, None),  # and kept nowhere else: it may be large, and the run long
        )
        attempt = Attempt(
            claim,
            source,
            log,
            limits(platform),
            Asking(platform.client, platform.keys, claim, platform.settings.told_of("approval.requested")),
            watch,
            platform.redactor,
        )
        self._attempts[claim.token] = attempt
        self._leases.hold(claim, taken, lambda: attempt.node)
        ending = "broken"
        try:
            ending = await attempt.run()
        finally:
            watch.close(ending)
            self._leases.let_go(claim)
            self._attempts.pop(claim.token, None)
        ended = ending == "ended" or await log.ended()
        if ended and claim.request["kwargs"].get("on_completion") == "delete":
            await self._forget_checkpoints(claim.thread_id)
        return ended

    async def _forget_checkpoints(self, thread_id: str) -> None:
        """A thread that was there for one run takes only what is in its own keys with it."""
        platform = self._platform
        if not platform.foreign_checkpointer:
            return
        if not await insist(partial(platform.client.call, "EXISTS", platform.keys.thread(thread_id))):
            await platform.checkpointer.adelete_thread(thread_id)

    async def _claim(self, entry: Entry) -> Claim | None:
        """None when nothing is left to run, or Redis was away until the entry may be another worker's.

        The thread's state comes in the same round trip, but for an entry that was left: what took its worker
        too long may have been that.
        """
        claim = partial(
            claims.claim,
            self._platform.client,
            self._platform.keys,
            self.name,
            entry.lane,
            entry.thread_id,
            entry.id,
            secrets.token_hex(8),
            datetime.now(UTC),
        )
        try:
            async with asyncio.timeout(self._platform.settings.lease_s / 2):
                claimed, found = await asyncio.gather(insist(claim), self._look(entry))
        except TimeoutError:
            logger.warning("run not begun")
            return None
        if claimed and found:
            self._found[claimed.token] = found
        return claimed

    async def _look(self, entry: Entry) -> Loaded | None:
        """The thread's state, where the checkpoints are ours; when this fails, the run asks for it itself."""
        platform = self._platform
        if entry.left or platform.foreign_checkpointer:
            return None
        checkpoints = ThreadCheckpoints(platform.client, platform.keys, entry.thread_id, "", 0)
        with suppress(RedisError, HoldfastError):
            return await checkpoints.newest("")
        return None

    async def _hand_back(self, claim: Claim) -> None:
        await insist(
            partial(claims.release, self._platform.client, self._platform.keys, claim, datetime.now(UTC))
        )


def asked_in(claim: Claim) -> dict[str, str]:
    """The id of the HTTP request that asked for a run, for its log lines."""
    request_id = claim.request.get("http_request_id")
    return {"request_id": request_id} if request_id else {}


async def traced(platform: Platform, claim: Claim) -> RunTrace | None:
    """The trace of an attempt, where traces are wanted: a part of its request's."""
    if platform.tracing is None:
        return None
    request, before = claim.request, ""
    if request.get("resume") is not None or request.get("decisions"):
        with suppress(Unavailable):  # it is only a link
            before = await claims.read_traceparent_before(platform.client, platform.keys, claim)
    return platform.tracing.run(
        Attempted(
            request["graph_id"],
            claim.thread_id,
            claim.run_id,
            claim.attempt,
            due_at(claim),
            request.get("traceparent", ""),
            before,
        )
    )


async def wait(tasks: set[asyncio.Task[None]], timeout_s: float) -> None:
    if tasks:
        await asyncio.wait(tasks, timeout=timeout_s)


def limits(platform: Platform) -> Limits:
    settings = platform.settings
    return Limits(
        run_timeout_s=settings.run_timeout_s,
        events_keep_s=settings.events_keep_s,
        default_ttl_s=platform.project.ttl_s,
        max_attempts=settings.max_attempts,
        count_tokens=settings.daily_tokens_of_caller > 0,
    )


@asynccontextmanager
async def running_worker(platform: Platform) -> AsyncIterator[Worker]:
    """A worker at work in this event loop; drained at the end."""
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    async with (
        open_queue(platform.redis_url, platform.keys, name, platform.settings.lease_s) as queue,
        open_courier(platform) as courier,
    ):
        await insist(partial(declare, platform))
        worker = Worker(platform, queue, name, courier)
        task = asyncio.create_task(worker.run(), name="worker")
        share = asyncio.create_task(sharing.watch(platform), name="share")
        try:
            yield worker
        finally:
            worker.stop()
            await cancel(share, reason="the worker is stopping")
            await task
