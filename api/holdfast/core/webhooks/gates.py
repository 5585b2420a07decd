"""Places at hosts: a few at each, so that one that is slow leaves room for the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

PLACES = 8
PATIENCE_S = 2.0


@dataclass
class Gate:
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PLACES))
    users: int = 0
    clogged: bool = False

    async def enter(self) -> bool:
        """Waits a moment for a place; once in vain, nobody waits until somebody has left."""
        if self.clogged:
            return False
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self.places.acquire()
        except TimeoutError:
            self.clogged = True
            return False

    def leave(self) -> None:
        self.clogged = False
        self.places.release()


class Gates:
    def __init__(self) -> None:
        self._gates: dict[str, Gate] = {}

    @asynccontextmanager
    async def enter(self, host: str) -> AsyncIterator[bool]:
        """Whether there is a place at the host, to be had for as long as the context lasts."""
        gate = self._gates.setdefault(host, Gate())
        gate.users += 1
        entered = False
        try:
            entered = await gate.enter()
            yield entered
        finally:
            if entered:
                gate.leave()
            gate.users -= 1
            if not gate.users:
                del self._gates[host]
