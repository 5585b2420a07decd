"""Changes by compare-and-set: what others have changed since it was read is changed as it is then."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from holdfast.errors import Contended
from holdfast.redis.lua import Raced

T = TypeVar("T")

TRIES = 100


async def again(attempt: Callable[[], Awaitable[T]]) -> T:
    """Repeats an attempt to read a thing and change it, which says by `Raced` that others came before it.

    Raises `Contended` when that does not end.
    """
    for _ in range(TRIES):
        with suppress(Raced):
            return await attempt()
    raise Contended
