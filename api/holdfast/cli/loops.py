"""The event loop of a process, which goes on when one of its tasks calls `sys.exit()`."""

import asyncio
import logging
from collections.abc import Awaitable, Generator
from typing import Any, TypeVar, cast

import uvloop

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Loop(uvloop.Loop):
    """Ends with the task that it was given, and by no other.

    asyncio has the `SystemExit` of any task end the loop, and so one node would end all runs of its process.
    The task has ended by then and everything else is as it was: the loop can simply be run on.
    """

    def run_until_complete(self, future: Generator[Any, None, T] | Awaitable[T]) -> T:
        main = asyncio.ensure_future(cast("Awaitable[T]", future), loop=self)
        while True:
            try:
                return super().run_until_complete(main)
            except SystemExit as exit:
                if main.done():
                    raise
                logger.warning("a task has called sys.exit(), and ends alone", exc_info=exit)
