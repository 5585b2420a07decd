"""Blocking calls of what talks to Redis, for code that runs on a thread of its own beside the event loop."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def wait(call: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop | None, what: str, instead: str) -> T:
    """The result of a call that is made on the loop on which `what` lives.

    Raises `RuntimeError` on that loop's own thread, where waiting would never end and `instead` is to be
    used, and when the loop is not running.
    """
    reason = ""
    if loop is None or not loop.is_running():
        reason = f"This {what}'s event loop is not running: create and use it inside a running loop."
    elif running_loop() is loop:
        reason = (
            f"A blocking {what} call on the event loop's own thread would never end: use {instead}, or call "
            "from another thread."
        )
    if reason or loop is None:
        call.close()
        raise RuntimeError(reason)
    return asyncio.run_coroutine_threadsafe(call, loop).result()
