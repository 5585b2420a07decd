"""The reading end of the logs: all readers of a process behind one pub/sub connection a server.

An event is pushed with its payload; a reader that sees a gap in the sequence, or was cut off, reads what it
missed from the log itself.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import NamedTuple

from holdfast.events import Event
from holdfast.redis.client import Client, insist, unavailable
from holdfast.redis.keys import Keys
from holdfast.redis.lines import Lines
from holdfast.redis.lua import Place
from holdfast.redis.pools import REPLY_TIMEOUT_S

START = Place(0, 0)
RECORD = b"\x1e"
PLACE = re.compile(r"([0-9]{1,15})-([0-9]{1,15})")
# A reader that falls behind by more than this (events, bytes) lets go of the pushed events and reads on from
# the log. So what a client holds up that does not read is bounded, whatever its thread says.
READER_BACKLOG = 1000
READER_BYTES = 128 * 1024

# The log is read in pages of at most so many events; they are smaller where events are large.
FIRST_PAGE, LARGEST_PAGE = 2, 512
PAGE_BYTES = 64 * 1024


class Stored(NamedTuple):
    """An event at its place in the thread's log."""

    place: Place
    event: Event

    @property
    def id(self) -> str:
        return self.place.id


class Span(NamedTuple):
    """A part of a log: the place before its first event, and its last one."""

    before: Place
    last: Place


def parse_place(text: str | bytes) -> Place:
    """Reads `<epoch>-<seq>`; raises ValueError."""
    found = PLACE.fullmatch(text.decode() if isinstance(text, bytes) else text)
    if not found:
        raise ValueError(f"{text!r} is not the id of an event")
    return Place(int(found[1]), int(found[2]))


def read_push(payload: bytes) -> list[Stored]:
    first, *texts = payload.split(RECORD)
    epoch, seq = parse_place(first)
    return [Stored(Place(epoch, seq + i), Event.decode(text)) for i, text in enumerate(texts)]


def read_row(row: tuple[bytes, dict[bytes, bytes]]) -> Stored:
    id, fields = row
    return Stored(parse_place(id), Event.decode(fields[b"e"]))


def total(events: list[Stored]) -> int:
    return sum(len(stored.event.data) for stored in events)


class Reader:
    """The live events of one thread that one consumer has not taken yet."""

    def __init__(self) -> None:
        self.missed = False
        self._batch: list[Stored] = []
        self._bytes = 0
        self._waiting: asyncio.Future[None] | None = None  # an asyncio.Event is four times as large

    def push(self, events: list[Stored]) -> None:
        size = self._bytes + total(events)
        if self._batch and (len(self._batch) + len(events) > READER_BACKLOG or size > READER_BYTES):
            self._batch, self._bytes = [], 0
            self.missed = True
        else:
            self._batch += events
            self._bytes = size
        self._wake()

    def look(self) -> None:
        """Events may have passed unseen: the log is to be read."""
        self.missed = True
        self._wake()

    def _wake(self) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_result(None)

    async def take(self) -> tuple[list[Stored], bool]:
        """Waits for events; True beside them when some may be missing and the log is to be read."""
        if not self._batch and not self.missed:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
            self._waiting = None
        batch, missed = self._batch, self.missed
        self._batch, self._bytes, self.missed = [], 0, False
        return batch, missed


class Hub:
    """Hands the pushed events of threads to their readers, and pushed commands to listeners."""

    def __init__(self, client: Client, keys: Keys, url: str) -> None:
        self._client = client
        self._keys = keys
        self._readers: dict[bytes, set[Reader]] = {}
        self._listeners: dict[bytes, Callable[[bytes], None]] = {}
        self._lines = Lines(url, lambda: (*self._readers, *self._listeners), self._receive)
        self._confirmed: dict[bytes, asyncio.Future[None]] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Hub"]:
        async with self._lines.running():
            yield self

    def _receive(self, kind: bytes, channel: bytes, payload: bytes | int) -> None:
        if kind == b"ssubscribe":
            confirmed = self._confirmed.get(channel)
            if confirmed and not confirmed.done():
                confirmed.set_result(None)
                return
            for reader in self._readers.get(channel, ()):
                reader.look()  # what was appended before the channel was followed again, was not pushed
            return
        if kind != b"smessage" or not isinstance(payload, bytes):
            return
        if readers := self._readers.get(channel):
            events = read_push(payload)
            for reader in readers:
                reader.push(events)
        elif listener := self._listeners.get(channel):
            listener(payload)

    async def listen(self, channel: str, listener: Callable[[bytes], None]) -> None:
        """Calls `listener` with each message of a channel, for as long as the hub runs."""
        await self._subscribe(channel.encode(), lambda: self._listeners.update({channel.encode(): listener}))

    async def _subscribe(self, channel: bytes, register: Callable[[], object]) -> None:
        """Registers, and returns once the server has confirmed that the channel is followed."""
        confirmed = self._confirmed.setdefault(channel, asyncio.get_running_loop().create_future())
        register()
        await self._lines.of(channel).follow(channel)
        await asyncio.shield(confirmed)  # others wait for it too

    @asynccontextmanager
    async def follow(self, thread_id: str) -> AsyncIterator[Reader]:
        """A reader that misses nothing which is appended from now on. Raises `Unavailable`."""
        reader = await self.join(thread_id)
        try:
            yield reader
        finally:
            await self.leave(thread_id, reader)

    async def join(self, thread_id: str) -> Reader:
        """As `follow`, for who calls `leave` by himself."""
        channel, reader = self._keys.events(thread_id).encode(), Reader()
        readers = self._readers.get(channel)
        if readers is not None and self._confirmed[channel].done():
            readers.add(reader)
            return reader
        try:
            await self._join(channel, reader)
        except BaseException:
            await self.leave(thread_id, reader)
            raise
        return reader

    async def _join(self, channel: bytes, reader: Reader) -> None:
        if not self._lines.of(channel).connected:
            await self._client.call("EXISTS", channel)  # says at once that Redis is away
        try:
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                await self._subscribe(channel, lambda: self._readers.setdefault(channel, set()).add(reader))
        except TimeoutError as error:
            raise unavailable(error) from error

    async def leave(self, thread_id: str, reader: Reader) -> None:
        channel = self._keys.events(thread_id).encode()
        readers = self._readers.get(channel, set())
        readers.discard(reader)
        if not readers and self._readers.pop(channel, None) is not None:
            self._confirmed.pop(channel, None)
            await self._lines.of(channel).leave(channel)

    async def events(
        self, thread_id: str, reader: Reader, after: Place, *, logged: bool = True
    ) -> AsyncGenerator[list[Stored]]:
        """The thread's events after a place, in order and without a gap, for ever; starts with the log.

        Where nothing was `logged` after the place before the reader joined, all of it is pushed.
        """
        if logged:
            reader.look()
        while True:
            batch, missed = await reader.take()
            if after.seq > 1 and any(stored.place.seq == 1 for stored in batch):
                after = await insist(partial(self._check, thread_id, after))
            batch = [stored for stored in batch if stored.place > after]
            if missed or (batch and batch[0].place.seq > after.seq + 1):
                async for page in self.pages(thread_id, after):
                    after = page[-1].place
                    yield page
                # What was pushed counts on where the log has gone: the last of a deleted thread.
                batch = [stored for stored in batch if stored.place > after]
            if batch:
                after = batch[-1].place
                yield batch

    async def _check(self, thread_id: str, after: Place) -> Place:
        """The place, or the start when the thread was deleted and made anew: its log counts from 1 again."""
        newest = await self._client.call("XREVRANGE", self._keys.events(thread_id), "+", "-", "COUNT", 1)
        return START if newest and read_row(newest[0]).place.seq < after.seq else after

    async def first(self, thread_id: str) -> Stored | None:
        """The first event that the log holds."""
        rows = await self._client.call("XRANGE", self._keys.events(thread_id), "-", "+", "COUNT", 1)
        return read_row(rows[0]) if rows else None

    async def holds(self, thread_id: str, place: Place) -> bool:
        key = self._keys.events(thread_id)
        return bool(await self._client.call("XRANGE", key, place.id, place.id))

    async def pages(self, thread_id: str, after: Place) -> AsyncGenerator[list[Stored]]:
        """What the log holds after a place, a page at a time; waits while Redis is away."""
        count = FIRST_PAGE
        while True:
            page = await insist(partial(self._read, thread_id, after, count))
            if page:
                yield page
                after = page[-1].place
            if len(page) < count:
                return
            count = max(count // 2, 1) if total(page) > PAGE_BYTES else min(count * 2, LARGEST_PAGE)

    async def _read(self, thread_id: str, after: Place, count: int) -> list[Stored]:
        start = f"({after.epoch}-{after.seq}" if after > START else "-"
        key = self._keys.events(thread_id)
        return list(map(read_row, await self._client.call("XRANGE", key, start, "+", "COUNT", count)))

    async def span(self, thread_id: str, seq: int, step: int = LARGEST_PAGE) -> Span | None:
        """The log from the run on that an event is of, or from its own beginning; None when it is empty.

        Looks back `step` events at a time.
        """
        last: Place | None = None
        first, upto = START, "+"
        while True:
            key = self._keys.events(thread_id)
            rows = await self._client.call("XREVRANGE", key, upto, "-", "COUNT", step)
            for stored in map(read_row, rows):
                first, last = stored.place, last or stored.place
                if stored.place.seq <= seq and stored.event.begins:
                    break
            else:
                if len(rows) == step:
                    upto = f"({first.epoch}-{first.seq}"
                    continue
            return Span(Place(first.epoch, first.seq - 1), last) if last else None
