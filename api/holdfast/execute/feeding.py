"""What a graph is fed: the input, an answer, or nothing but the word to go on."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command, StateSnapshot

from holdfast.execute.compatibility import check_compatible
from holdfast.execute.inputs import (
    Answers,
    asks_the_same,
    is_fork,
    newest,
    outermost,
    read_request_id,
    run_config,
)
from holdfast.execute.opening import Graph
from holdfast.execute.requests import Given
from holdfast.redis.claims import Claim
from holdfast.wire.commands import read_command

SEVERAL = "several interrupts are waiting: say which one this answers, as {interrupt id: answer}"


class Nothing:
    """Nothing is left to feed: the run only has to be ended."""


NOTHING = Nothing()


class Feed:
    """What the graph of a claim gets, and the config with which it gets it."""

    def __init__(self, claim: Claim) -> None:
        self.config = run_config(claim)
        self.decisions: Answers = claim.request.get("decisions") or {}
        self._answered: dict[str, str] = {}  # by request, the interrupt that was answered
        self._worked = False  # before this attempt
        self._idle = False  # nothing was there to do
        self._claim = claim
        self._asked = claim.request["kwargs"]
        self._command = self._asked.get("command") or {}
        self._resume: dict[str, Any] | None = claim.request.get("resume")
        self._retried: list[str] = claim.request.get("retries") or []

    async def first(self, graph: Graph) -> Any:
        feed = await self._first(graph)
        self._idle = feed is NOTHING and not self._worked
        return feed

    async def _first(self, graph: Graph) -> Any:
        resuming = self._resume is not None or bool(self.decisions)
        begins = self._asked.get("input") is not None or bool(self._command)
        if self._claim.attempt == 1 and begins and not resuming and not self._retried:
            return self._input()
        snapshot = await self.head(graph, subgraphs=True)
        self._worked = await self._has_worked(graph, snapshot)
        if self._worked:  # it goes on from where it got to, wherever it began
            self.config = newest(self.config)
        elif is_fork(self.config):
            snapshot = await graph.aget_state(outermost(self.config), subgraphs=True)
        if self._worked or resuming or not begins:
            await check_compatible(graph, snapshot, self._claim.request["graph_id"])
        if resuming:
            answer = self._answer(snapshot)
            if answer is not NOTHING:
                return answer
        if self._worked or self.decisions:
            return self._rest(graph, snapshot)
        return NOTHING if resuming else self._input()

    @property
    def given(self) -> Given:
        before = self.decisions if self._worked else ()
        return Given(self._answered, {*self._answered, *before}, self._idle)

    async def next(self, graph: Graph, decided: Answers) -> Any:
        """What follows when requests were decided while the graph was running."""
        self.config = newest(self.config)
        return self._decide(await self.head(graph), decided)

    async def head(self, graph: Graph, *, subgraphs: bool = False) -> StateSnapshot:
        """The thread's newest state, also when the run began at an older checkpoint."""
        return await graph.aget_state(newest(self.config), subgraphs=subgraphs)

    async def _has_worked(self, graph: Graph, snapshot: StateSnapshot) -> bool:
        """Whether the run, or one that failed and that it is to go on with, has come to a checkpoint."""
        runs = (self._claim.run_id, *self._retried)
        if dict(snapshot.metadata or {}).get("run_id") in runs:
            return True
        if "resume" in self._command and self._retried:  # it began at a checkpoint, of another run
            return True
        return any([await has_checkpoint(graph, self.config, run_id) for run_id in self._retried])

    def _input(self) -> Any:
        command = self._command
        if "resume" in command:
            raise RuntimeError(SEVERAL)
        if command:
            return read_command(command)
        return self._asked.get("input")

    def _answer(self, snapshot: StateSnapshot) -> Any:
        """The answers to what is still waiting; NOTHING when nothing of it waits any more."""
        if self.decisions:
            return self._decide(snapshot, self.decisions)
        command = self._command
        waiting = {interrupt.id for interrupt in snapshot.interrupts}
        resume = {id: value for id, value in (self._resume or {}).items() if id in waiting}
        if not resume:
            return NOTHING
        return read_command(command, resume=resume)

    def _decide(self, snapshot: StateSnapshot, decisions: Answers) -> Any:
        """One decision at a time, so that the graph is told exactly who made it."""
        for interrupt in snapshot.interrupts:
            request_id = read_request_id(interrupt.value)
            if request_id and request_id in decisions and request_id not in self._answered:
                self._answered[request_id] = interrupt.id
                decision = decisions[request_id]
                if asks_the_same(interrupt.value, decision):
                    self._stamp(request_id, decision)
                    return Command(resume={interrupt.id: decision["value"]})
        return NOTHING

    def _rest(self, graph: Graph, snapshot: StateSnapshot) -> Any:
        """None, for what an earlier attempt has left to do, or a run that was cut off while a request waited.

        What that one had asked before is asked again, and answered then.
        """
        # Not `next`: it can be empty after a crash while tasks are left.
        if all(task.interrupts for task in snapshot.tasks) or self._at_breakpoint(graph, snapshot):
            return NOTHING
        if self._worked and self.decisions:
            self._stamp(*next(iter(self.decisions.items())))  # the one its last worker was at
        return None

    def _stamp(self, request_id: str, decision: Mapping[str, Any]) -> None:
        told = {"request_id": request_id, "by": list(decision["by"]), "at": decision["at"]}
        self.config["configurable"]["holdfast_decision"] = told

    def _at_breakpoint(self, graph: Graph, snapshot: StateSnapshot) -> bool:
        stops = self._asked.get("interrupt_before") or graph.interrupt_before_nodes
        return bool(stops) and (stops == "*" or any(name in stops for name in snapshot.next))


async def has_checkpoint(graph: Graph, config: RunnableConfig, run_id: str) -> bool:
    """Whether a run of the thread has left a checkpoint."""
    history = graph.aget_state_history(newest(config), filter={"run_id": run_id}, limit=1)
    async with aclosing(cast("AsyncGenerator[StateSnapshot]", history)) as found:
        return bool([one async for one in found])
