"""The writing end of a thread's log: what one claim appends, batched by its own speed."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from holdfast.errors import Fenced
from holdfast.events import Event
from holdfast.redis import claims
from holdfast.redis.claims import Claim, Outcome
from holdfast.redis.client import Client, insist
from holdfast.redis.keys import Keys


class Log:
    """Events are sent at once; those that come while an append is in flight go with the next one.

    So are the tokens that the run has used of models. While Redis cannot take them they wait. A refusal
    (`Fenced`) is kept in `failed` and raised by whatever is called next.
    """

    def __init__(self, client: Client, keys: Keys, claim: Claim) -> None:
        self.failed: BaseException | None = None
        self._client = client
        self._keys = keys
        self._claim = claim
        self._written = 0
        self._queued: list[bytes] = []  # until they are known to be there
        self._used: dict[str, int] = {}
        self._pump: asyncio.Task[None] | None = None
        self._finishing: asyncio.Future[dict[str, dict[str, Any]]] | None = None

    def write(self, event: Event) -> None:
        if self.failed:
            raise self.failed
        self._queued.append(event.encode())
        self._start()

    def spend(self, task: str, tokens: int) -> None:
        """Counts the tokens that a task of the run has used of models so far."""
        if not self.failed:
            self._used[task] = tokens
            self._start()

    def _start(self) -> None:
        if self._pump is None and (self._used or self._appends()):
            self._pump = asyncio.create_task(self._send())

    def _appends(self) -> bool:
        """Whether there are events that an end under way does not take along."""
        return bool(self._queued) and self._finishing is None

    async def _send(self) -> None:
        try:
            while self._used or self._appends():
                if self._used:
                    await self._count()
                if self._appends():
                    await self._append()
        except Exception as error:  # whatever it is, the run must not go on without its events
            self.failed = error
        finally:
            self._pump = None

    async def _count(self) -> None:
        used = dict(self._used)
        await insist(partial(claims.spend, self._client, self._keys, self._claim, used))
        self._used = {task: tokens for task, tokens in self._used.items() if used.get(task) != tokens}

    async def _append(self) -> None:
        batch = list(self._queued)
        await insist(partial(claims.append, self._client, self._keys, self._claim, self._written, batch))
        self._written += len(batch)
        del self._queued[: len(batch)]

    async def flush(self) -> None:
        while self._pump:
            await asyncio.wait([self._pump])
        if self.failed:
            raise self.failed

    async def finish(
        self, outcome: Outcome, last: Sequence[Event], *, keep_s: int
    ) -> dict[str, dict[str, Any]]:
        """Ends the run together with its last events; returns as `claims.finish` does.

        Nothing is waited for that is under way: those events go with it once more, and the script knows which
        of them are there.
        """
        if self._used:
            await self.flush()
        if self.failed:
            raise self.failed
        if self._pump:
            self._pump.cancel("the end of the run has all that is to be written")
            self._pump = None  # one that has not begun would not see to it
        save = partial(
            claims.finish,
            self._client,
            self._keys,
            self._claim,
            outcome,
            self._written,
            [*self._queued, *(event.encode() for event in last)],
            now=datetime.now(UTC),
            keep_s=keep_s,
        )
        finishing = self._finishing = asyncio.ensure_future(insist(save))
        decided = await asyncio.shield(finishing)
        if decided and self._finishing is finishing:
            self._go_on()
        return decided

    def _go_on(self) -> None:
        """The run has not ended: what it has written goes out as before."""
        self._finishing = None
        self._start()

    async def ended(self) -> bool:
        """Whether the run ended after all, though whoever ended it was cancelled meanwhile."""
        if self._finishing is None:
            return False
        try:
            return not await self._finishing
        except Fenced:
            return False
