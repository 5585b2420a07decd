"""How long threads are kept: `checkpointer.ttl` of langgraph.json, and the `ttl` of a thread.

A time is a number of minutes. Where the strategy is `keep_latest` it is less than 0: then the thread stays,
and only those checkpoints go that are not the latest.
"""

from pathlib import Path
from typing import Any, Literal, get_args

from holdfast.errors import StartError

Strategy = Literal["delete", "keep_latest"]


def signed(minutes: float, strategy: Strategy) -> float:
    return -minutes if strategy == "keep_latest" else minutes


def strategy_of(minutes: float) -> Strategy:
    return "keep_latest" if minutes < 0 else "delete"


def read_ttl(path: Path, config: Any) -> float | None:
    """`checkpointer.ttl`; None where threads stay. Raises `StartError`."""
    found = config
    for key in ("checkpointer", "ttl"):
        found = found.get(key) or {}
        if not isinstance(found, dict):
            raise StartError(f'{path}: "{key}" must be an object, as in {{"ttl": {{"default_ttl": 60}}}}.')
    minutes, strategy = found.get("default_ttl"), found.get("strategy", "delete")
    if strategy not in get_args(Strategy):
        raise StartError(f'{path}: "strategy" must be "delete" or "keep_latest", not {strategy!r}.')
    if minutes is None:
        return None
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or minutes <= 0:
        raise StartError(f'{path}: "default_ttl" must be a number of minutes, not {minutes!r}.')
    return signed(minutes, strategy)
