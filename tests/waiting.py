"""Waiting in tests: for a condition, never for a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def wait_until(
    condition: Callable[[], Awaitable[object]], what: str, timeout_s: float = 15, *, every_s: float = 0.01
) -> None:
    """Returns once `condition` holds; fails with `what` was waited for."""
    deadline = time.monotonic() + timeout_s
    while not await condition():
        assert time.monotonic() < deadline, f"waited {timeout_s:g} s in vain for: {what}"
        await asyncio.sleep(every_s)
