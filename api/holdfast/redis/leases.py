"""Keeping the right to run: leases are renewed on a thread and a connection of their own.

So a graph that blocks the event loop for a while does not lose its run. A loop that blocks for too long does:
then the worker cannot notice a cancel or a stop any more, and is as good as dead.
"""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from holdfast.errors import Unavailable
from holdfast.redis.claims import RENEW, Claim
from holdfast.redis.client import Client, connect
from holdfast.redis.keys import Keys
from holdfast.redis.pools import SOCKET_TIMEOUT_S

logger = logging.getLogger(__name__)

# A loop that has not turned for this many leases is given up.
BLOCKED_LEASES = 10
BEAT_S = 0.25
SLOW_LOOP_S = 1.0


class Leases:
    """Renews the claims it holds; `lost(claim)` and `cancelled(claim, action)` are called in the loop."""

    def __init__(
        self,
        url: str,
        keys: Keys,
        worker: str,
        lease_s: float,
        *,
        lost: Callable[[Claim], None],
        cancelled: Callable[[Claim, str], None],
    ) -> None:
        self._url = url
        self._keys = keys
        self._worker = worker
        self._lease_s = lease_s
        self._lost = lost
        self._cancelled = cancelled
        self._held: dict[str, tuple[Claim, float]] = {}
        self._at: dict[str, Callable[[], str]] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._beat = time.monotonic()

    def hold(self, claim: Claim, since: float, node: Callable[[], str] = str) -> None:
        """`since` is when the entry was taken, on the monotonic clock: the lease began there.

        `node` says where the run is, from any thread.
        """
        with self._lock:
            self._held[claim.token] = (claim, since)
            self._at[claim.token] = node

    def let_go(self, claim: Claim) -> None:
        with self._lock:
            self._held.pop(claim.token, None)
            self._at.pop(claim.token, None)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Leases"]:
        thread = threading.Thread(target=self._run, name="leases", daemon=True)
        thread.start()
        beats = asyncio.create_task(self._keep_beating())
        try:
            yield self
        finally:
            beats.cancel("the worker is closing")
            self._stop.set()
            await self._ended.wait()  # not by `join` in an executor: blocked nodes may have all its threads

    async def _keep_beating(self) -> None:
        while True:
            behind = time.monotonic() - self._beat - BEAT_S
            if behind > SLOW_LOOP_S:
                logger.warning(
                    "something blocked the event loop: use async code or asyncio.to_thread in graph nodes",
                    extra={"seconds": round(behind, 1)},
                )
            self._beat = time.monotonic()
            self._drop_overdue()  # here too: a renewal may hang for as long as its timeouts let it
            await asyncio.sleep(min(BEAT_S, self._lease_s / 16))  # well within what `_drop_overdue` leaves

    def _run(self) -> None:
        try:
            asyncio.run(self._keep_renewing())
        finally:
            self._call(self._ended.set)

    async def _keep_renewing(self) -> None:
        """On a loop of the thread's own, which nothing but the renewals needs."""
        timeout_s = min(self._lease_s / 4, SOCKET_TIMEOUT_S)  # who stops waits for it
        pause_s = self._lease_s / 4
        # No retries: they wait for longer than a lease. The next beat is the retry.
        never: dict[str, Any] = {"socket_connect_timeout": timeout_s, "retry": Retry(NoBackoff(), 0)}
        async with connect(self._url, timeout_s, **never) as client:
            while not self._stop.wait(pause_s):
                with self._lock:
                    claims = [(claim, self._at[claim.token]()) for claim, _ in self._held.values()]
                if not claims or time.monotonic() - self._beat > self._lease_s * BLOCKED_LEASES:
                    continue
                renewed = await self._renew(client, claims)
                pause_s = self._lease_s / (4 if renewed else 16)
                self._drop_overdue()

    async def _renew(self, client: Client, claims: list[tuple[Claim, str]]) -> bool:
        """Renews claims, each with the node that its run is at. False when Redis did not answer."""
        asked = time.monotonic()
        replies = await asyncio.gather(
            *(self._renew_one(client, claim, node) for claim, node in claims), return_exceptions=True
        )
        for (claim, _), reply in zip(claims, replies, strict=True):
            self._read(claim, reply, asked)
        silent = [reply for reply in replies if isinstance(reply, Unavailable)]
        if silent:
            logger.warning("leases not renewed", extra={"reason": silent[0].reason, "count": len(silent)})
        return not silent

    async def _renew_one(self, client: Client, claim: Claim, node: str) -> Any:
        keys = [
            self._keys.thread(claim.thread_id),
            self._keys.runs(claim.thread_id),
            self._keys.ready(claim.lane),
        ]
        told = [claim.token, claim.entry, self._worker, claim.run_id, node]
        return await client.run(RENEW, keys, told)

    def _read(self, claim: Claim, reply: object, asked: float) -> None:
        if isinstance(reply, Exception):
            return
        if reply == b"lost":
            self._give_up(claim)
            return
        with self._lock:
            if claim.token in self._held:
                self._held[claim.token] = (claim, asked)
        if isinstance(reply, bytes) and reply != b"held":
            self._call(self._cancelled, claim, reply.decode())

    def _drop_overdue(self) -> None:
        """A claim that could not be renewed ends here, before the lease can have passed to another worker."""
        limit = time.monotonic() - self._lease_s * 0.8
        with self._lock:
            overdue = [claim for claim, renewed in self._held.values() if renewed < limit]
        for claim in overdue:
            self._give_up(claim)

    def _give_up(self, claim: Claim) -> None:
        self.let_go(claim)
        self._call(self._lost, claim)

    def _call(self, listener: Callable[..., None], *args: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(listener, *args)
