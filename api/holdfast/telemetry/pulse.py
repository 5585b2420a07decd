"""Whether an event loop turns, as another thread sees it."""

import asyncio
import threading
import time

# A loop that takes longer is blocked.
PATIENCE_S = 1.0


class Pulse:
    """Asks a loop to answer; while it has not, nobody asks again."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._answered = threading.Event()
        self._answered.set()
        self._asked_at = 0.0

    def delay(self) -> float:
        """Seconds until it answered or, of one that is blocked, since it was asked."""
        with self._lock:
            if self._answered.is_set():
                self._asked_at, self._answered = time.monotonic(), threading.Event()
                self._loop.call_soon_threadsafe(self._answered.set)
            asked_at, answered = self._asked_at, self._answered
        answered.wait(PATIENCE_S)
        return time.monotonic() - asked_at
