"""Points at which a worker ends itself by SIGKILL: CHAOS_FAIL_AT names the one of this process.

A point is a row of calls that have to come in this order; at the last of them the process is gone.
"""

import functools
import importlib
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

When = Literal["before", "after"]


def always(args: Sequence[Any], result: Any) -> bool:
    return True


def asks(args: Sequence[Any], result: Any) -> bool:
    """The writes of a question, of RedisSaver.aput_writes(self, config, writes, task_id)."""
    return any(channel == "__interrupt__" for channel, _ in args[2])


def parks(args: Sequence[Any], result: Any) -> bool:
    """The end of a run that asks, of claims.finish(client, keys, claim, outcome, ...)."""
    return bool(args[3].thread_status == "interrupted")


def carries_decision(args: Sequence[Any], result: Any) -> bool:
    """The claim of the run that brings a decision."""
    return result is not None and bool(result.request.get("decisions"))


@dataclass(frozen=True, slots=True)
class Moment:
    """A call of what stands at `module:name`, where it `counts`."""

    when: When
    place: str
    counts: Callable[[Sequence[Any], Any], bool] = always


CLAIM, APPEND, FINISH = (f"holdfast.redis.claims:{name}" for name in ("claim", "append", "finish"))
WRITES = "holdfast.checkpoint.saver:RedisSaver.aput_writes"
PUT = "holdfast.redis.checkpoints:ThreadCheckpoints.put"
PAID = Moment("after", "graph.outcomes:apply_refund")

POINTS: dict[str, Sequence[Moment]] = {
    "between the request's row and its checkpoint": [Moment("after", "graph.minting:ask_refund")],
    "before the question is saved": [Moment("before", WRITES, asks)],
    "after the question is saved": [Moment("after", WRITES, asks)],
    "before the question is parked": [Moment("before", FINISH, parks)],
    "before the decision is carried out": [Moment("after", CLAIM, carries_decision)],
    "before the ledger": [Moment("before", "graph.outcomes:apply_refund")],
    "in the ledger's transaction": [Moment("after", "tools.refunds:open_entry")],
    "between the ledger's commit and the bank": [Moment("before", "tools.refunds:finish")],
    "between the bank and the ledger": [Moment("before", "tools.refunds:set_outcome")],
    "before the writes of the step": [PAID],
    "between its writes and its checkpoint": [PAID, Moment("before", PUT)],
    "between its checkpoint and its event": [PAID, Moment("after", PUT), Moment("before", APPEND)],
    "before the end of the run": [PAID, Moment("before", FINISH)],
}


def arm(point: str) -> None:
    """Lets this process fail at a point."""
    course = Course(POINTS[point])
    for place in {moment.place for moment in course.moments}:
        module, _, path = place.partition(":")
        *owners, name = path.split(".")
        owner: Any = functools.reduce(getattr, owners, importlib.import_module(module))
        setattr(owner, name, course.watched(place, getattr(owner, name)))


class Course:
    """How far a process has come on the way to its end."""

    def __init__(self, moments: Sequence[Moment]) -> None:
        self.moments = moments
        self._reached = 0

    def watched(self, place: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @functools.wraps(call)
        async def watched(*args: Any, **named: Any) -> Any:
            self._pass("before", place, args, None)
            result = await call(*args, **named)
            self._pass("after", place, args, result)
            return result

        return watched

    def _pass(self, when: When, place: str, args: Sequence[Any], result: Any) -> None:
        moment = self.moments[self._reached]
        if (moment.when, moment.place) != (when, place) or not moment.counts(args, result):
            return
        self._reached += 1
        if self._reached == len(self.moments):
            os.kill(os.getpid(), signal.SIGKILL)
