"""One attempt at a run: from its claim to its end, or until it is told to stop."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any, Literal, TypeVar

from langgraph.errors import GraphDrained

from holdfast.errors import Fenced, IncompatibleGraph, Unavailable, words
from holdfast.events import PROTOCOL_MODES, Encoder, Event
from holdfast.execute.ending import End
from holdfast.execute.feeding import NOTHING, Feed
from holdfast.execute.limits import Limits
from holdfast.execute.opening import ClaimedGraph
from holdfast.execute.requests import Asking
from holdfast.execute.running import Stream
from holdfast.execute.stopping import stop
from holdfast.execute.usage import Usage
from holdfast.execute.watching import Watch
from holdfast.redaction import Redactor
from holdfast.redis.claims import Claim
from holdfast.redis.log import Log

logger = logging.getLogger(__name__)

Ending = Literal["ended", "released", "lost"]
T = TypeVar("T")


class Attempt:
    """Runs a claim's graph to its end, or until it is told to stop."""

    def __init__(
        self,
        claim: Claim,
        source: ClaimedGraph,
        log: Log,
        limits: Limits,
        asking: Asking,
        watch: Watch,
        redactor: Redactor | None = None,
    ) -> None:
        self.claim = claim
        asked = claim.request["kwargs"]
        modes = [*asked["stream_mode"], *(PROTOCOL_MODES if claim.followed else ())]
        encoder = Encoder(claim.run_id, modes, redactor)
        self._source = source
        self._feed = Feed(claim)
        self._stream = Stream(claim.request["graph_id"], asked, encoder, self._write)
        if limits.count_tokens:
            self._stream.heard_by.append(Usage(log.spend))
        self._stream.heard_by += watch.listeners
        self._end = End(claim, source, self._feed, asking, encoder, log, limits, watch.ended)
        self._log = log
        self._limits = limits
        self._cancel = claim.cancel
        self._lost = False
        self._left = False
        self._told: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def node(self) -> str:
        """The node that began last; "" before the first."""
        return self._stream.nodes.latest

    # told from outside

    def cancel(self, action: str) -> None:
        """Ends the run as `interrupted`; `rollback` also takes its traces away."""
        self._cancel = action
        self._stop("cancelled by a client")

    def lose(self) -> None:
        """Another worker has the thread, or may have it at any moment: nothing more may be done."""
        self._lost = True
        self._source.revoke()
        self._stop("the lease was lost")

    def drain(self) -> None:
        """Stops at the next step, to go on elsewhere."""
        self._stream.control.request_drain("shutdown")

    def _stop(self, reason: str) -> None:
        # A node that swallows its cancel, and goes on to its end, is not followed by another one.
        self._stream.control.request_drain(reason)
        if not self._told.done():
            self._told.set_result(reason)

    # the attempt

    async def run(self) -> Ending:
        """ "ended": the run has an outcome. "released": it is to be handed back. "lost": it is another's."""
        task = asyncio.create_task(self._execute(), name=f"run {self.claim.run_id}")
        try:
            timed_out = await self._ended(task)
            return await self._read_end(task, timed_out)
        except asyncio.CancelledError:
            self._source.revoke()
            task.cancel("the worker is closing")
            raise

    async def _ended(self, task: asyncio.Task[None]) -> bool:
        """Waits for the end of the run, or sees to it; True when its time was up."""
        until: set[asyncio.Future[Any]] = {task, self._told}
        limit_s = self._limits.run_timeout_s
        done, _ = await asyncio.wait(until, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            self._stop("the run's time was up")
        if not task.done() and not await stop(task, self._stream.nodes, self._told.result()):
            self._leave(task)
        return not done

    def _leave(self, task: asyncio.Task[None]) -> None:
        """Goes on without a node that does not end: from now on nothing counts that it does."""
        self._left = True
        self._source.revoke()
        task.add_done_callback(forget)
        left = {"run_id": self.claim.run_id, "nodes": self._stream.nodes.names}
        logger.warning("a node swallows asyncio.CancelledError, and is left behind", extra=left)

    async def _execute(self) -> None:
        if self._cancel:
            raise asyncio.CancelledError
        if self.claim.failures > self._limits.max_attempts:
            await self._end.poison()
            return
        async with self._source.open(self._feed.config) as (graph, _):
            feed = await self._own(self._feed.first(graph))
            while True:
                paused = feed is NOTHING or await self._own(self._stream.run(graph, feed, self._feed.config))
                decided = await self._end.succeed(graph, paused=paused)
                if not decided:
                    return
                feed = await self._own(self._feed.next(graph, decided))

    async def _own(self, step: Awaitable[T]) -> T:
        """The result of a step, unless the run has been ended without it."""
        result = await step
        self._check()
        return result

    def _write(self, event: Event) -> None:
        self._check()
        self._log.write(event)

    def _check(self) -> None:
        if self._left or self._lost:
            raise asyncio.CancelledError

    # its end

    async def _read_end(self, task: asyncio.Task[None], timed_out: bool) -> Ending:
        failure = read_failure(task)
        if self._lost:
            self._note_lost("the lease was lost")
            return "lost"
        try:
            return await self._end_as(failure, timed_out)
        except (Fenced, Unavailable) as error:
            self._note_lost(type(error).__name__)
            return "lost"

    def _note_lost(self, reason: str) -> None:
        logger.warning("run given up to another worker", extra={"reason": reason})

    async def _end_as(self, failure: BaseException | None, timed_out: bool) -> Ending:
        match failure:
            case None:
                return "ended"
            case Fenced() | Unavailable():
                raise failure
        # Whatever a node has made of its cancel.
        if timed_out:
            await self._end.time_out()
        elif self._cancel:
            await self._end.cancel(rollback=self._cancel == "rollback")
        elif isinstance(failure, GraphDrained):
            await self._log.flush()
            return "released"
        else:
            await self._fail(failure)
        return "ended"

    async def _fail(self, failure: BaseException) -> None:
        name, message = type(failure).__name__, words(failure)
        if isinstance(failure, IncompatibleGraph):
            name = failure.code
        if isinstance(failure, asyncio.CancelledError):
            message = "the graph cancelled itself"
        logger.warning("run failed", exc_info=failure)
        await self._end.fail(name, message)


def read_failure(task: asyncio.Task[None]) -> BaseException | None:
    """How a run ended, if not well. One that has not ended was cancelled, and does not want to."""
    if not task.done() or task.cancelled():
        return asyncio.CancelledError()
    return task.exception()


def forget(task: asyncio.Task[None]) -> None:
    """Takes the failure of a task that nobody waits for, so that asyncio does not complain of it."""
    if not task.cancelled():
        task.exception()
