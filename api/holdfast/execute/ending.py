"""The end of a run: its outcome, saved together with its last events and the state of its thread."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any

from langgraph.types import StateSnapshot

from holdfast.auth.callers import SERVICE
from holdfast.checkpoint import RunSaver
from holdfast.errors import Fenced, Unavailable, words
from holdfast.events import Encoder, Event, dump
from holdfast.execute.feeding import Feed
from holdfast.execute.inputs import (
    Answers,
    asks_approval,
    newest,
    read_interrupts,
    read_values,
)
from holdfast.execute.limits import Limits
from holdfast.execute.opening import ClaimedGraph, Graph
from holdfast.execute.requests import Asking
from holdfast.redis.approvals import NO_REQUESTS, Requests
from holdfast.redis.claims import Claim, Failure, Outcome
from holdfast.redis.log import Log

logger = logging.getLogger(__name__)

# A run that is to end waits no longer for its graph to be made once more.
OPEN_S = 5.0

Interrupts = dict[str, list[dict[str, Any]]]  # by task

POISON = "RunPoisoned"
POISONED = "poisoned: the run ended its worker {failures} times and is not tried again"


class End:
    """Gives a run its outcome, once."""

    def __init__(
        self,
        claim: Claim,
        source: ClaimedGraph,
        feed: Feed,
        asking: Asking,
        encoder: Encoder,
        log: Log,
        limits: Limits,
        ended: Callable[[Outcome], None],
    ) -> None:
        self._claim = claim
        self._source = source
        self._feed = feed
        self._asking = asking
        self._encoder = encoder
        self._log = log
        self._limits = limits
        self._ended = ended

    async def succeed(self, graph: Graph, *, paused: bool) -> Answers:
        """Ends the run as its thread stands; the decisions made meanwhile, if there are any, come first."""
        snapshot = await self._feed.head(graph) if paused or self._reported else None
        requests = await self._asking.read(
            snapshot if paused else None, self._feed.given, "success", heed=True
        )
        if snapshot is None or not paused:
            values = snapshot.values if snapshot else None
            return await self._finish("success", "idle", values=values, requests=requests)
        if not self._encoder.seen_values:
            self._log.write(self._encoder.event("values", snapshot.values))
        return await self._finish(
            "success",
            rest(snapshot),
            interrupts=read_interrupts(snapshot),
            values=snapshot.values,
            requests=requests,
        )

    async def fail(
        self, error: str, message: str, status: str = "error", failure: Failure = "failed"
    ) -> None:
        snapshot, requests = await self._look(status)
        await self._finish(
            status,
            "error",
            interrupts=read_interrupts(snapshot) if snapshot else {},
            values=snapshot.values if snapshot else None,
            requests=requests,
            error={"error": error, "message": message},
            failure=failure,
        )

    async def poison(self) -> None:
        """Gives up a run that has ended its workers."""
        told = POISONED.format(failures=self._limits.max_attempts)
        await self.fail(POISON, told, failure="given_up")

    async def time_out(self) -> None:
        await self.fail("TimeoutError", f"no end within {self._limits.run_timeout_s:g} s", "timeout")

    async def cancel(self, *, rollback: bool) -> None:
        try:
            snapshot = await self._look_back(rollback=rollback)
        except (Fenced, Unavailable):
            raise
        except Exception as error:  # of the graph's own making: it must not keep the run from its end
            await self._cancel_unseen(error, rollback=rollback)
            return
        if rollback:
            self._log.write(self._encoder.event("values", read_values(snapshot)))
        # A decision goes with its run.
        given = self._feed.given._replace(answered=dict.fromkeys(self._feed.decisions, ""))
        requests = await self._asking.read(snapshot, given, "interrupted", heed=False)
        await self._finish(
            "interrupted",
            rest(snapshot),
            interrupts=read_interrupts(snapshot),
            values=snapshot.values,
            requests=requests,
            after="rollback" if rollback else "",
        )

    async def _cancel_unseen(self, error: Exception, *, rollback: bool) -> None:
        """Ends a cancelled run whose state cannot be looked at, or not be taken back."""
        if rollback:
            await self.fail(type(error).__name__, words(error))
            return
        unseen = {"run_id": self._claim.run_id, "error": type(error).__name__}
        logger.warning("the state of a cancelled run cannot be read", extra=unseen)
        await self._finish("interrupted", "idle")

    async def _look_back(self, *, rollback: bool) -> StateSnapshot:
        """What a cancelled run leaves. Raises `Conflict` when its checkpoints hold up those of other runs."""
        async with self._open() as (graph, saver):
            if rollback:
                await saver.forget_run(self._claim.thread_id, self._claim.run_id)
            else:
                await self._keep_speech(graph)
            return await self._feed.head(graph)

    async def _look(self, status: str) -> tuple[StateSnapshot | None, Requests]:
        """What a failed run leaves, with what waits: other questions than the one that it failed at."""
        try:
            async with self._open() as (graph, _):
                snapshot = await self._feed.head(graph)
                return snapshot, await self._asking.read(snapshot, self._feed.given, status, heed=False)
        except (Fenced, Unavailable):
            raise
        except Exception:  # a graph that cannot even be opened, or asks nonsense: so the run failed
            return None, NO_REQUESTS

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[tuple[Graph, RunSaver]]:
        """Opens the graph; raises TimeoutError where its factory hangs."""
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(OPEN_S):
                opened = await stack.enter_async_context(self._source.open(self._feed.config))
            yield opened

    async def _keep_speech(self, graph: Graph) -> None:
        """What a person has read stays in the thread: text that was streamed when the run was cut off."""
        if "messages" not in graph.channels:
            return
        for node, message in self._encoder.unfinished():
            if node in graph.nodes:
                update = {"messages": [message]}
                await graph.aupdate_state(newest(self._feed.config), update, as_node=node)

    async def _finish(
        self,
        status: str,
        thread_status: str,
        *,
        interrupts: Interrupts | None = None,
        values: Any = None,
        error: dict[str, str] | None = None,
        requests: Requests = NO_REQUESTS,
        after: str = "",
        failure: Failure = "",
    ) -> Answers:
        interrupts = interrupts or {}
        outcome = Outcome(
            status=status,
            thread_status=thread_status,
            interrupts=interrupts,
            error=error,
            ttl_s=0 if asks_approval(interrupts) else self._ttl_s,
            after=after or self._after,
            requests=requests,
            report=self._report(values, interrupts, error),
            counted=self._claim.owner != SERVICE,
            first_token_ms=self._first_token_ms,
            failure=failure,
        )
        # An outcome once reached is saved, whoever cancels meanwhile.
        return await asyncio.shield(asyncio.ensure_future(self._save(outcome)))

    async def _save(self, outcome: Outcome) -> Answers:
        """The decisions that keep the run from its end, if there are any."""
        keep_s = self._limits.events_keep_s
        decided = await self._log.finish(outcome, self._last(outcome), keep_s=keep_s)
        if not decided:
            self._ended(outcome)
        return decided

    @property
    def _first_token_ms(self) -> int | None:
        """From when the run was to begin to its first text."""
        request, came = self._claim.request, self._encoder.first_token_ms
        if came is None:
            return None
        asked = datetime.fromisoformat(request.get("due_at", request["created_at"]))
        return max(0, came - round(asked.timestamp() * 1000))

    @property
    def _reported(self) -> bool:
        """Whether webhooks are told of the end."""
        return "webhooks" in self._claim.request

    def _report(self, values: Any, interrupts: Interrupts, error: dict[str, str] | None) -> bytes:
        if not self._reported:
            return b""
        return dump({"values": values, "interrupts": listed(interrupts), "error": error})

    def _last(self, outcome: Outcome) -> list[Event]:
        error = [self._encoder.event("error", outcome.error)] if outcome.error else []
        end = {
            "status": outcome.status,
            "thread_status": outcome.thread_status,
            "interrupts": listed(outcome.interrupts),
            "finished_nodes": self._encoder.finished_nodes,
        }
        return [*error, self._encoder.event("end", end)]

    @property
    def _after(self) -> str:
        return "delete" if self._claim.request["kwargs"].get("on_completion") == "delete" else ""

    @property
    def _ttl_s(self) -> int:
        minutes = self._claim.ttl_minutes
        return self._limits.default_ttl_s if minutes is None else round(minutes * 60)


def rest(snapshot: StateSnapshot) -> str:
    """What a thread is when nothing runs. `next` can be empty after a crash while tasks are left."""
    return "interrupted" if snapshot.tasks else "idle"


def listed(interrupts: Interrupts) -> list[dict[str, Any]]:
    """All that waits, whatever task it is of."""
    return [one for of_task in interrupts.values() for one in of_task]
