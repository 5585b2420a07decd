"""Whether the project's own business can work, as far as its `check` hook says."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from holdfast.errors import words

logger = logging.getLogger(__name__)

AGAIN_S = 10.0
ANSWER_S = 5.0

Check = Callable[[], Awaitable[None]]


class Checkup:
    """Asks the hook beside the requests: nobody waits for it, and nothing depends on what it says."""

    def __init__(self, check: Check | None) -> None:
        self._check = check
        self._problem: str | None = None
        self._next = 0.0
        self._task: asyncio.Task[None] | None = None

    def problem(self) -> str | None:
        """The last answer, a sentence or None; has the hook asked again when that was some time ago."""
        if self._check and self._task is None and time.monotonic() >= self._next:
            self._task = asyncio.create_task(self._ask(self._check), name="checkup")
        return self._problem

    async def _ask(self, check: Check) -> None:
        self._problem = await ask(check)
        self._next = time.monotonic() + AGAIN_S
        self._task = None


async def ask(check: Check) -> str | None:
    try:
        async with asyncio.timeout(ANSWER_S):
            await check()
    except Exception as error:  # whatever a project's own code raises
        logger.warning("the business cannot work", extra={"error": type(error).__name__})
        # Only a RuntimeError is meant to be read: the text of any other may say what nobody should know.
        told = words(error) if type(error) is RuntimeError else ""
        return told or f"The check of the business failed with {type(error).__name__}."
    return None
