"""What is told of an attempt: to who counts and, where that is wanted, to who traces."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from holdfast.execute.ending import POISON
from holdfast.redis.claims import Claim, Outcome
from holdfast.telemetry.recorder import SILENT, Recorder
from holdfast.telemetry.tracing import RunTrace

if TYPE_CHECKING:
    from langchain_core.callbacks import BaseCallbackHandler


class Watch:
    """One attempt, from its claim to its end."""

    def __init__(self, claim: Claim, recorder: Recorder = SILENT, trace: RunTrace | None = None) -> None:
        self._graph_id: str = claim.request["graph_id"]
        self._recorder = recorder
        self._trace = trace
        self._claimed = time.monotonic()
        waited = datetime.now(UTC) - due_at(claim)
        recorder.claimed(self._graph_id, max(0.0, waited.total_seconds()) if claim.attempt == 1 else None)

    @property
    def listeners(self) -> Sequence["BaseCallbackHandler"]:
        return [self._trace.listener] if self._trace and self._trace.listener else []

    def ended(self, outcome: Outcome) -> None:
        """The run has an outcome."""
        error = outcome.error["error"] if outcome.error else None
        if error == POISON:
            self._recorder.run_given_up(self._graph_id)
        first_ms = outcome.first_token_ms
        self._recorder.run_ended(
            self._graph_id,
            outcome.status,
            time.monotonic() - self._claimed,
            None if first_ms is None else first_ms / 1000,
        )
        if self._trace:
            self._trace.ended(outcome.status, error)

    def close(self, ending: str) -> None:
        """The attempt is over."""
        self._recorder.attempt_over(self._graph_id, ending)
        if self._trace:
            self._trace.close(ending)


def due_at(claim: Claim) -> datetime:
    """When a run was to begin."""
    return datetime.fromisoformat(claim.request.get("due_at", claim.request["created_at"]))
