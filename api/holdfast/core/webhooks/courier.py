"""The courier: delivers what stands in the outboxes, off the way of the runs."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Literal, NamedTuple

import httpx
from redis.exceptions import RedisError

from holdfast import __version__
from holdfast.core.a2a.pushes import Unwanted
from holdfast.core.platform import Platform
from holdfast.core.webhooks import signing
from holdfast.core.webhooks.bodies import content_of
from holdfast.core.webhooks.gates import PATIENCE_S, Gates
from holdfast.core.webhooks.targets import host_of
from holdfast.core.webhooks.transport import Answer, Transport, Unresolved
from holdfast.errors import HoldfastError, TargetRefused
from holdfast.pacing import jittered
from holdfast.redis import outbox
from holdfast.redis.client import cancel, insist
from holdfast.redis.outbox import Address, Letter

logger = logging.getLogger(__name__)

# New letters are told of; this is for those that are tried again, and for what a dead worker left.
LOOK_S = 2.0
PRUNE_S = 60.0
MOST_DEAD = 1000  # a lane

AT_ONCE = 50
AWAY_S = 5.0  # until a host that has no place is tried again

LEASE_S = PATIENCE_S + 3.0  # beyond the time that an attempt may take
LAST_S = 2.0
LONGEST_WAIT_S = 24 * 3600.0

BUSY = (429, 503)
GONE = 410


class Verdict(NamedTuple):
    """What became of an attempt; `wait_s` is what the target asked for."""

    kind: Literal["delivered", "later", "never"]
    reason: str = ""
    wait_s: float = 0.0


class Courier:
    """Delivers at least once: a letter that its worker did not settle passes to another one."""

    def __init__(self, platform: Platform, transport: Transport) -> None:
        self._platform = platform
        self._transport = transport
        self._tasks: set[asyncio.Task[None]] = set()
        self._gates = Gates()
        self._secrets: Sequence[str] = ()
        self._stirred = [asyncio.Event() for _ in range(platform.keys.lanes)]

    async def deliver(self, lane: int) -> None:
        """Sends a lane's letters when they are due, for ever."""
        platform, stirred = self._platform, self._stirred[lane]
        await platform.hub.listen(platform.keys.outbox(lane), lambda _: stirred.set())
        while True:
            stirred.clear()
            try:
                found = await self._send_due(lane)
            except (RedisError, HoldfastError) as error:
                logger.warning("the outbox cannot be read", extra={"error": type(error).__name__})
                found = 0
            if not found:
                await wait(stirred, jittered(LOOK_S))

    async def prune(self, lane: int) -> None:
        """Takes away what was given up long ago, for ever."""
        platform = self._platform
        keep_s = platform.settings.webhook_keep_s
        while True:
            await asyncio.sleep(jittered(PRUNE_S))
            with suppress(RedisError, HoldfastError):  # the others complain of it
                await outbox.prune(platform.client, platform.keys, lane, keep_s=keep_s, most=MOST_DEAD)

    async def close(self) -> None:
        """Lets what is on its way arrive, for a moment; the rest is sent again by another worker."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LAST_S)
        await cancel(*self._tasks, reason="the worker is closing")

    async def _send_due(self, lane: int) -> int:
        """How many letters were taken up."""
        free = AT_ONCE - len(self._tasks)
        if free <= 0:
            return 0  # each that is done stirs
        due = await outbox.due(self._platform.client, self._platform.keys, lane, free)
        return sum(await asyncio.gather(*map(self._take, due)))

    async def _take(self, address: Address) -> bool:
        platform = self._platform
        lease_ms = round((platform.settings.webhook_timeout_s + LEASE_S) * 1000)
        letter = await outbox.take(platform.client, platform.keys, address, lease_ms)
        if letter is None:
            return False
        task = asyncio.create_task(self._deliver(letter), name=f"letter {letter.id}")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return True

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        for stirred in self._stirred:
            stirred.set()
        if not task.cancelled() and (error := task.exception()):
            logger.error("a delivery broke off", exc_info=error)

    async def _deliver(self, letter: Letter) -> None:
        host = shown_host(letter.url)
        async with self._gates.enter(host) as entered:
            if not entered:
                await self._put_off(letter)
                return
            verdict = await self._attempt(letter)
        outcome = await insist(partial(self._settle, letter, verdict))
        self._platform.recorder.letter_tried(outcome)
        self._note(letter, verdict, host)

    async def _put_off(self, letter: Letter) -> None:
        platform, delay_ms = self._platform, round(jittered(AWAY_S) * 1000)
        put = partial(outbox.retry, platform.client, platform.keys, letter, letter.error, delay_ms)
        await insist(partial(put, counted=False))

    async def _attempt(self, letter: Letter) -> Verdict:
        if letter.attempt > self._platform.settings.webhook_attempts:
            return Verdict("never", letter.error or "its worker ended each time")
        try:
            body, own = await content_of(self._platform, letter)
        except Unwanted:
            return Verdict("never", "nobody waits for it any more")
        now = int(time.time())
        sent = {
            **self._platform.project.webhooks.headers,
            **own,
            "Content-Type": "application/json",
            "User-Agent": f"Holdfast/{__version__}",
            **signing.headers(await self._keyring(), letter.id, now, body),
        }
        try:
            return judge(await self._transport.post(letter.url, sent, body))
        except TargetRefused as error:
            return Verdict("never", error.detail)
        except Unresolved:
            return Verdict("later", "its host's name leads nowhere")
        except TimeoutError:
            return Verdict("later", f"no answer in {self._platform.settings.webhook_timeout_s:g} s")
        except httpx.TransportError as error:
            return Verdict("later", f"no connection, or no answer on it ({type(error).__name__})")

    async def _keyring(self) -> Sequence[str]:
        if not self._secrets:
            platform = self._platform
            read = partial(signing.secrets_of, platform.settings, platform.client, platform.keys)
            self._secrets = await insist(read)
        return self._secrets

    async def _settle(self, letter: Letter, verdict: Verdict) -> str:
        """What became of the letter."""
        client, keys, settings = self._platform.client, self._platform.keys, self._platform.settings
        if verdict.kind == "delivered":
            await outbox.withdraw(client, keys, letter.address)
            return "delivered"
        if verdict.kind == "never" or letter.attempt >= settings.webhook_attempts:
            await outbox.give_up(client, keys, letter, verdict.reason)
            return "given_up"
        wait_s = max(backoff(letter.attempt, settings.webhook_retry_s), verdict.wait_s)
        await outbox.retry(client, keys, letter, verdict.reason, round(wait_s * 1000))
        return "retried"

    def _note(self, letter: Letter, verdict: Verdict, host: str) -> None:
        """Never the address, which may hold a secret, nor what is sent."""
        if verdict.kind != "delivered":
            told = {"letter": letter.id, "host": host, "attempt": letter.attempt, "reason": verdict.reason}
            logger.warning("a webhook was not reached", extra=told)


async def wait(stirred: asyncio.Event, most_s: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(most_s):
            await stirred.wait()


def judge(answer: Answer) -> Verdict:
    if 200 <= answer.status < 300:
        return Verdict("delivered")
    reason = f"answered {answer.status}"
    if answer.status == GONE:
        return Verdict("never", reason)
    return Verdict("later", reason, read_wait(answer.retry_after) if answer.status in BUSY else 0.0)


def read_wait(text: str | None) -> float:
    """The seconds of a `Retry-After`, which may be a date; no more than a day."""
    if text is None:
        return 0.0
    if text.isascii() and text.isdecimal():
        return min(float(text), LONGEST_WAIT_S)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    wait_s = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(wait_s, 0.0), LONGEST_WAIT_S)


def backoff(attempt: int, first_s: float) -> float:
    """How long to wait after an attempt: four times as long each time, for at most a day."""
    return jittered(min(first_s * 4 ** (attempt - 1), LONGEST_WAIT_S))


def shown_host(address: str) -> str:
    try:
        return host_of(httpx.URL(address))
    except (httpx.InvalidURL, ValueError):
        return ""


@asynccontextmanager
async def open_courier(platform: Platform) -> AsyncIterator[Courier]:
    transport = Transport(platform.targets, platform.settings.webhook_timeout_s)
    courier = Courier(platform, transport)
    try:
        yield courier
    finally:
        await courier.close()
        await transport.close()
