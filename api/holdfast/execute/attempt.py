"""One attempt at a run: what to feed the graph, its events, its end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

from langgraph.errors import GraphDrained
from langgraph.pregel import Pregel
from langgraph.runtime import RunControl
from langgraph.types import Command, StateSnapshot

from holdfast.checkpoint import RunSaver
from holdfast.errors import Conflict, Fenced, Unavailable
from holdfast.events import PROTOCOL_MODES, Encoder
from holdfast.execute.inputs import (
    Answers,
    asks_approval,
    asks_the_same,
    is_fork,
    newest,
    read_goto,
    read_interrupts,
    read_request_id,
    run_config,
    taken_back,
)
from holdfast.execute.limits import Limits
from holdfast.project import GraphSpec
from holdfast.redis.claims import Claim, Outcome
from holdfast.redis.log import Log

logger = logging.getLogger(__name__)

Graph = Pregel[Any, Any, Any, Any]
Ending = Literal["ended", "released", "lost"]
SEVERAL = "several interrupts are waiting: say which one this answers, as {interrupt id: answer}"
POISONED = "poisoned: the run ended its worker {failures} times and is not tried again"


class Nothing:
    """Nothing is left to feed: the run only has to be ended."""


NOTHING = Nothing()


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
        self.control = RunControl()
        self._request = claim.request["kwargs"]
        self._spec = spec
        self._saver_for = saver_for
        self._log = log
        self._saver: RunSaver | None = None
        self._limits = limits
        modes = [*self._request["stream_mode"], *(PROTOCOL_MODES if claim.followed else ())]
        self._encoder = Encoder(claim.run_id, modes)
        self._config = run_config(claim)
        self._decisions: Answers = claim.request.get("decisions") or {}
        self._resume: dict[str, Any] | None = claim.request.get("resume")
        self._answered: set[str] = set()
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
        self.control.request_drain("shutdown")

    def _give_up(self, reason: str) -> None:
        """LangGraph saves what a cancelled node has written so far, and later takes it for all of it."""
        if self._saver:
            self._saver.revoke()
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

    async def _read_end(self, task: asyncio.Task[None], timed_out: bool) -> Ending:
        if self._lost:
            if not task.cancelled():
                task.exception()
            self._note_lost("the lease was lost")
            return "lost"
        try:
            return await self._end(task, timed_out)
        except (Fenced, Unavailable) as error:
            self._note_lost(type(error).__name__)
            return "lost"

    def _note_lost(self, reason: str) -> None:
        lost = {"run_id": self.claim.run_id, "reason": reason}
        logger.warning("run given up to another worker", extra=lost)

    async def _end(self, task: asyncio.Task[None], timed_out: bool) -> Ending:
        if task.cancelled():
            if timed_out:
                error = {
                    "error": "TimeoutError",
                    "message": f"no end within {self._limits.run_timeout_s:g} s",
                }
                await self._finish("timeout", "error", error=error)
            elif self._cancel:
                await self._finish_cancelled()
            else:
                await self._fail("CancelledError", "the graph cancelled itself")
            return "ended"
        failure = task.exception()
        match failure:
            case None:
                return "ended"
            case GraphDrained():
                await self._log.flush()
                return "released"
            case Fenced() | Unavailable():
                raise failure
        logger.warning("run failed", extra={"run_id": self.claim.run_id, "error": type(failure).__name__})
        await self._fail(type(failure).__name__, str(failure))
        return "ended"

    async def _execute(self) -> None:
        if self._cancel:
            raise asyncio.CancelledError
        if self.claim.failures > self._limits.max_attempts:
            message = POISONED.format(failures=self._limits.max_attempts)
            await self._fail("RunPoisoned", message)
            return
        async with self._open() as (graph, _):
            feed = await self._first_feed(graph)
            while True:
                paused = await self._stream(graph, feed)
                decided = await self._finish_state(graph, paused)
                if not decided:
                    return
                feed = await self._answer(graph, decided)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[tuple[Graph, RunSaver]]:
        async with self._spec.open(self._config) as graph:
            saver = self._saver = self._saver_for(graph)
            yield graph.copy(update={"checkpointer": saver}), saver

    # what to feed

    async def _first_feed(self, graph: Graph) -> Any:
        command = self._request.get("command") or {}
        resuming = self._resume is not None or bool(self._decisions)
        if self.claim.attempt == 1 and not resuming:
            return self._input(command)
        snapshot = await self._head(graph)
        worked = dict(snapshot.metadata or {}).get("run_id") == self.claim.run_id
        if worked:  # it goes on from where it got to, wherever it began
            self._config = newest(self._config)
        elif is_fork(self._config):
            snapshot = await graph.aget_state(self._config)
        if resuming:
            feed = self._answers(snapshot, command)
            if feed is not NOTHING:
                return feed
        if not worked:
            return NOTHING if resuming else self._input(command)
        # `next` can be empty after a crash while tasks are left.
        if all(task.interrupts for task in snapshot.tasks) or self._at_breakpoint(graph, snapshot):
            return NOTHING
        for request_id, decision in list(self._decisions.items())[:1]:  # the one its last worker was at
            self._stamp(request_id, decision)
        return None

    def _input(self, command: Mapping[str, Any]) -> Any:
        if "resume" in command:
            raise RuntimeError(SEVERAL)
        if command:
            return Command(update=command.get("update"), goto=read_goto(command.get("goto")))
        return self._request.get("input")

    def _answers(self, snapshot: StateSnapshot, command: Mapping[str, Any]) -> Any:
        """The answers to what is still waiting; NOTHING when nothing of it waits any more."""
        if self._decisions:
            return self._decide(snapshot, self._decisions)
        waiting = {interrupt.id for interrupt in snapshot.interrupts}
        resume = {id: value for id, value in (self._resume or {}).items() if id in waiting}
        if not resume:
            return NOTHING
        return Command(resume=resume, update=command.get("update"), goto=read_goto(command.get("goto")))

    def _decide(self, snapshot: StateSnapshot, decisions: Answers) -> Any:
        """One decision at a time, so that the graph is told exactly who made it."""
        for interrupt in snapshot.interrupts:
            request_id = read_request_id(interrupt.value)
            if request_id and request_id in decisions and request_id not in self._answered:
                self._answered.add(request_id)
                decision = decisions[request_id]
                if asks_the_same(interrupt.value, decision):
                    self._stamp(request_id, decision)
                    return Command(resume={interrupt.id: decision["value"]})
        return NOTHING

    def _stamp(self, request_id: str, decision: Mapping[str, Any]) -> None:
        told = {"request_id": request_id, "by": list(decision["by"]), "at": decision["at"]}
        self._config["configurable"]["holdfast_decision"] = told

    async def _answer(self, graph: Graph, decided: Answers) -> Any:
        self._config = newest(self._config)
        return self._decide(await self._head(graph), decided)

    async def _head(self, graph: Graph) -> StateSnapshot:
        """The thread's newest state, also when the run began at an older checkpoint."""
        return await graph.aget_state(newest(self._config))

    def _at_breakpoint(self, graph: Graph, snapshot: StateSnapshot) -> bool:
        stops = self._request.get("interrupt_before") or graph.interrupt_before_nodes
        return bool(stops) and (stops == "*" or any(name in stops for name in snapshot.next))

    # running

    async def _stream(self, graph: Graph, feed: Any) -> bool:
        """Runs the graph; True when it may have paused, so that its state has to be looked at."""
        if feed is NOTHING:
            return True
        paused = bool(
            self._request.get("interrupt_before")
            or self._request.get("interrupt_after")
            or graph.interrupt_before_nodes
            or graph.interrupt_after_nodes
        )
        async for namespace, mode, chunk in self._chunks(graph, feed):
            if mode == "values" and not namespace and isinstance(chunk, dict) and "__interrupt__" in chunk:
                paused = True
            for event in self._encoder.encode(mode, chunk, namespace):
                self._log.write(event)
        return paused

    async def _chunks(self, graph: Graph, feed: Any) -> AsyncIterator[tuple[str, str, Any]]:
        request, subgraphs = self._request, bool(self._request.get("stream_subgraphs"))
        stream = graph.astream(
            feed,
            self._config,
            context=request.get("context") or None,
            stream_mode=self._encoder.langgraph_modes,  # type: ignore[arg-type]
            subgraphs=subgraphs,
            durability=request.get("durability") or "sync",
            interrupt_before=request.get("interrupt_before"),
            interrupt_after=request.get("interrupt_after"),
            control=self.control,
        )
        async for item in stream:
            if subgraphs:
                namespace, mode, chunk = item
                yield "|".join(namespace), mode, chunk
            else:
                yield "", *item

    # ending

    async def _finish_state(self, graph: Graph, paused: bool) -> Answers:
        """Ends the run as its thread stands; the decisions made meanwhile, if there are any, come first."""
        if not paused:
            return await self._finish("success", "idle")
        snapshot = await self._head(graph)
        waiting = {
            request_id: request_id in self._answered
            for interrupt in snapshot.interrupts
            if (request_id := read_request_id(interrupt.value))
        }
        if not self._encoder.seen_values:
            self._log.write(self._encoder.event("values", snapshot.values))
        return await self._finish(
            "success",
            "interrupted" if snapshot.tasks else "idle",
            interrupts=read_interrupts(snapshot),
            waiting=waiting,
        )

    async def _fail(self, error: str, message: str) -> None:
        interrupts = await self._still_waiting()
        await self._finish(
            "error", "error", interrupts=interrupts, error={"error": error, "message": message}
        )

    async def _still_waiting(self) -> dict[str, list[dict[str, Any]]]:
        """What a failed run leaves to be answered: other questions than the one that it failed at."""
        try:
            async with self._open() as (graph, _):
                return read_interrupts(await self._head(graph))
        except (Fenced, Unavailable):
            raise
        except Exception:  # a graph that cannot even be opened: this is why the run failed
            return {}

    async def _finish_cancelled(self) -> None:
        after = "rollback" if self._cancel == "rollback" else ""
        async with self._open() as (graph, saver):
            if after:
                try:
                    await saver.forget_run(self.claim.thread_id, self.claim.run_id)
                except Conflict as error:  # its checkpoints hold up those of other runs
                    await self._fail(type(error).__name__, error.detail)
                    return
            else:
                await self._keep_speech(graph)
            snapshot = await self._head(graph)
        await self._finish(
            "interrupted",
            "interrupted" if snapshot.tasks else "idle",
            interrupts=read_interrupts(snapshot),
            waiting=taken_back(snapshot, self._decisions),
            after=after,
        )

    async def _keep_speech(self, graph: Graph) -> None:
        """What a person has read stays in the thread: text that was streamed when the run was cut off."""
        if "messages" not in graph.channels:
            return
        for node, message in self._encoder.unfinished():
            if node in graph.nodes:
                update = {"messages": [message]}
                await graph.aupdate_state(newest(self._config), update, as_node=node)

    async def _finish(
        self,
        status: str,
        thread_status: str,
        *,
        interrupts: dict[str, list[dict[str, Any]]] | None = None,
        error: dict[str, str] | None = None,
        waiting: dict[str, bool] | None = None,
        after: str = "",
    ) -> Answers:
        outcome = Outcome(
            status=status,
            thread_status=thread_status,
            interrupts=interrupts or {},
            error=error,
            ttl_s=0 if asks_approval(interrupts or {}) else self._ttl_s,
            after=after or ("delete" if self._request.get("on_completion") == "delete" else ""),
            waiting=waiting,
        )
        last = [self._encoder.event("error", error)] if error else []
        still = [one for of_task in (interrupts or {}).values() for one in of_task]
        end = {
            "status": status,
            "thread_status": thread_status,
            "interrupts": still,
            "finished_nodes": self._encoder.finished_nodes,
        }
        last.append(self._encoder.event("end", end))
        save = self._log.finish(outcome, last, keep_s=self._limits.events_keep_s)
        # An outcome once reached is saved, whoever cancels meanwhile.
        return await asyncio.shield(asyncio.ensure_future(save))

    @property
    def _ttl_s(self) -> int:
        minutes = self.claim.ttl_minutes
        return self._limits.default_ttl_s if minutes is None else round(minutes * 60)
