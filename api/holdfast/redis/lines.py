"""Pub/sub connections, one to each server that has keys."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeout

from holdfast.redis.client import cancel
from holdfast.redis.pools import open_redis
from holdfast.redis.topology import Topology, slot_of

if TYPE_CHECKING:
    from redis.asyncio.client import PubSub

logger = logging.getLogger(__name__)

RECONNECT_S = 0.2

# A connection that is silent for this long is asked whether it lives; as long again, and it is replaced.
PING_S = 1.5

# The answer where nothing is followed at the moment; otherwise it comes as a message.
PONG = b"PONG"

Receive = Callable[[bytes, bytes, bytes | int], None]


class Line:
    """The connection to one server, made as soon as there is a channel to follow, and made again."""

    def __init__(self, redis: Redis, channels: Callable[[], Collection[bytes]], receive: Receive) -> None:
        self._redis = redis
        self._channels = channels
        self._receive = receive
        self._asked: set[bytes] = set()  # the channels that this connection was told to follow
        self._pubsub: PubSub | None = None
        self._wake = asyncio.Event()

    @property
    def connected(self) -> bool:
        return self._pubsub is not None

    async def listen(self) -> None:
        """Hands on what comes, until the connection fails."""
        async with self._redis.pubsub() as pubsub:
            while not (channels := self._channels()):
                self._wake.clear()
                await self._wake.wait()
            first, *others = by_slot(channels)
            await pubsub.ssubscribe(*first)
            self._pubsub, self._asked = pubsub, set(channels)
            try:
                for slot in others:
                    await self._send("SSUBSCRIBE", *slot)
                wanted = set(self._channels())
                for late in wanted.difference(channels):
                    await self.follow(late)  # they came while the connection was made
                for gone in set(channels).difference(wanted):
                    await self.leave(gone)
                await self._receive_all(pubsub)
            finally:
                self._pubsub = None

    async def _receive_all(self, pubsub: "PubSub") -> None:
        asked = False
        while True:
            message = await pubsub.parse_response(block=False, timeout=PING_S)
            if message is None:
                if asked:
                    raise RedisTimeout("the connection is silent")
                await self._send("PING")
            elif message != PONG and message[0] != b"pong":
                self._receive(*message)
            asked = message is None

    async def follow(self, channel: bytes) -> None:
        self._wake.set()
        if self._pubsub and channel not in self._asked:
            self._asked.add(channel)
            await self._send("SSUBSCRIBE", channel)

    async def leave(self, channel: bytes) -> None:
        self.forget(channel)
        await self._send("SUNSUBSCRIBE", channel)

    def forget(self, channel: bytes) -> None:
        """The server has taken the channel off: it is to be asked for again when it is to be followed."""
        self._asked.discard(channel)

    async def _send(self, *command: str | bytes) -> None:
        """Tells the connection that there is. Any other subscribes anew, to all that is followed then."""
        connection = self._pubsub and self._pubsub.connection
        # Not by the PubSub: it would make a connection of its own, in the middle of its being closed.
        if connection and connection.is_connected:
            # The last one when the connection ends just now: redis-py has no writer any more.
            with suppress(RedisError, OSError, AttributeError):
                await connection.send_command(*command, check_health=False)

    async def close(self) -> None:
        await self._redis.aclose()


class Lines:
    """`channels` are all that are to be followed; `receive` is called with what comes on any of them."""

    def __init__(self, url: str, channels: Callable[[], Iterable[bytes]], receive: Receive) -> None:
        self._topology = Topology(url)
        self._channels = channels
        self._hand_on = receive
        self._lines: dict[str, Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Lines"]:
        await self._topology.refresh()
        self._open_all()
        try:
            yield self
        finally:
            await cancel(*self._tasks, reason="the hub is closing")
            for line in self._lines.values():
                await line.close()

    def of(self, channel: bytes) -> Line:
        return self._open(self._topology.home(channel))

    def _open_all(self) -> None:
        for home in self._topology.homes():
            self._open(home)

    def _open(self, home: str) -> Line:
        if home not in self._lines:
            # No retries: redis-py would come back by itself, with the channels only that it first had.
            redis = open_redis(home, retry=Retry(NoBackoff(), 0))
            self._lines[home] = Line(redis, partial(self._channels_at, home), self._receive)
            self._start(self._keep(home, self._lines[home]), "pub/sub")
        return self._lines[home]

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _channels_at(self, home: str) -> list[bytes]:
        return [channel for channel in self._channels() if self._topology.home(channel) == home]

    async def _keep(self, home: str, line: Line) -> None:
        while home in self._topology.homes():
            try:
                await line.listen()
            except (RedisError, OSError) as error:
                logger.warning("pub/sub connection lost", extra={"error": type(error).__name__})
            except Exception:  # whatever it is: without the line, every reader would wait for ever
                logger.exception("pub/sub connection given up")
            await asyncio.sleep(RECONNECT_S)
            await self._respread()
        del self._lines[home]
        await line.close()

    async def _respread(self) -> None:
        """Follows each channel at the server that has it by now."""
        await self._topology.refresh()
        self._open_all()
        for channel in set(self._channels()):
            await self.of(channel).follow(channel)

    def _receive(self, kind: bytes, channel: bytes, payload: bytes | int) -> None:
        if kind == b"sunsubscribe" and self._topology.clustered and channel in set(self._channels()):
            for line in self._lines.values():
                line.forget(channel)
            self._start(self._respread(), "pub/sub moves")
        self._hand_on(kind, channel, payload)


def by_slot(channels: Iterable[bytes]) -> list[list[bytes]]:
    """The channels in groups that one command may name, on a cluster too."""
    found: dict[int, list[bytes]] = {}
    for channel in channels:
        found.setdefault(slot_of(channel), []).append(channel)
    return list(found.values())
