"""What bounds an attempt."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a run and its traces, in seconds; and whether tokens of models are counted."""

    run_timeout_s: float
    events_keep_s: int
    default_ttl_s: int
    max_attempts: int
    count_tokens: bool
