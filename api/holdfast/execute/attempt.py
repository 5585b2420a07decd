"""One attempt at a run: from its claim to its end, or until it is told to stop."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Literal

from langgraph.errors import GraphDrained

from holdfast.checkpoint import RunSaver
from holdfast.errors import Fenced, Unavailable
from holdfast.events import PROTOCOL_MODES, Encoder
from holdfast.execute.ending import End
from holdfast.execute.feeding import NOTHING, Feed
from holdfast.execute.limits import Limits
from holdfast.execute.opening import ClaimedGraph, Graph
from holdfast.execute.running import Stream
from holdfast.execute.usage import Usage
from holdfast.project import GraphSpec
from holdfast.redis.claims import Claim
from holdfast.redis.log import Log

logger = logging.getLogger(__name__)

Ending = Literal["ended", "released", "lost"]


class Attempt:
    """Runs a claim's graph to its end, or until it is told to stop."""

    def __init__(
        self,
        claim: Claim,
        spec: GraphSpec,
        saver_for: Callable[[Graph], RunSaver],
        log: Log,
        limits: Limits,
    ) -> None:
        self.claim = claim
        asked = claim.request["kwargs"]
        encoder = Encoder(claim.run_id, [*asked["stream_mode"], *(PROTOCOL_MODES if claim.followed else ())])
        self._source = ClaimedGraph(spec, saver_for)
        self._feed = Feed(claim)
        self._stream = Stream(spec.graph_id, asked, encoder, log)
        if limits.count_tokens:
            self._stream.heard_by.append(Usage(log.spend))
        self._end = End(claim, self._source, self._feed, encoder, log, limits)
        self._log = log
        self._limits = limits
        self._cancel = claim.cancel
        self._lost = False
        self._task: asyncio.Task[Any] | None = None

    # told from outside

    def cancel(self, action: str) -> None:
        """Ends the run as `interrupted`; `rollback` also takes its traces away."""
        self._cancel = action
        self._stop("cancelled by a client")

    def lose(self) -> None:
        """Another worker has the thread, or may have it at any moment: nothing more may be done."""
        self._lost = True
        self._give_up("the lease was lost")

    def drain(self) -> None:
        """Stops at the next step, to go on elsewhere."""
        self._stream.control.request_drain("shutdown")

    def _give_up(self, reason: str) -> None:
        self._source.revoke()
        self._stop(reason)

    def _stop(self, reason: str) -> None:
        if self._task:
            self._task.cancel(reason)

    # the attempt

    async def run(self) -> Ending:
        """ "ended": the run has an outcome. "released": it is to be handed back. "lost": it is another's."""
        self._task = asyncio.create_task(self._execute(), name=f"run {self.claim.run_id}")
        try:
            await asyncio.wait([self._task], timeout=self._limits.run_timeout_s)
            timed_out = not self._task.done()
            if timed_out:
                self._stop("the run's time was up")
                await asyncio.wait([self._task])
            return await self._read_end(self._task, timed_out)
        except asyncio.CancelledError:
            self._give_up("the worker is closing")
            raise

    async def _execute(self) -> None:
        if self._cancel:
            raise asyncio.CancelledError
        if self.claim.failures > self._limits.max_attempts:
            await self._end.poison()
            return
        async with self._source.open(self._feed.config) as (graph, _):
            feed = await self._feed.first(graph)
            while True:
                paused = feed is NOTHING or await self._stream.run(graph, feed, self._feed.config)
                decided = await self._end.succeed(graph, paused=paused)
                if not decided:
                    return
                feed = await self._feed.next(graph, decided)

    # its end

    async def _read_end(self, task: asyncio.Task[None], timed_out: bool) -> Ending:
        if self._lost:
            if not task.cancelled():
                task.exception()
            self._note_lost("the lease was lost")
            return "lost"
        try:
            if task.cancelled():
                return await self._end_cancelled(timed_out)
            return await self._end_as(task.exception())
        except (Fenced, Unavailable) as error:
            self._note_lost(type(error).__name__)
            return "lost"

    def _note_lost(self, reason: str) -> None:
        lost = {"run_id": self.claim.run_id, "reason": reason}
        logger.warning("run given up to another worker", extra=lost)

    async def _end_cancelled(self, timed_out: bool) -> Ending:
        if timed_out:
            await self._end.time_out()
        elif self._cancel:
            await self._end.cancel(rollback=self._cancel == "rollback")
        else:
            await self._end.fail("CancelledError", "the graph cancelled itself")
        return "ended"

    async def _end_as(self, failure: BaseException | None) -> Ending:
        match failure:
            case None:
                return "ended"
            case GraphDrained():
                await self._log.flush()
                return "released"
            case Fenced() | Unavailable():
                raise failure
        logger.warning("run failed", extra={"run_id": self.claim.run_id, "error": type(failure).__name__})
        await self._end.fail(type(failure).__name__, str(failure))
        return "ended"
