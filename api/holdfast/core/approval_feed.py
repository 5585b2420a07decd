"""The live feed of a tenant's approvals: what happens to each, in order and without a gap, on any replica."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from holdfast.core import approvals
from holdfast.core.platform import Platform
from holdfast.errors import BadRequest
from holdfast.redis import approvals as stored
from holdfast.redis.approvals import Approval
from holdfast.redis.lua import Place
from holdfast.redis.records import Caller
from holdfast.redis.stream import Reader, Stored
from holdfast.redis.timers import server_time

Row = tuple[str, str, dict[str, Any]]  # id, type, data
Queue = asyncio.Queue[tuple[int, list[Stored]]]  # of lanes and what happened in them


@dataclass(slots=True)
class Feed:
    """One reader; owns its subscriptions until `close`. Each lane has a log of its own."""

    platform: Platform
    caller: Caller
    names: list[str]
    readers: list[Reader]
    places: list[Place]
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel("the feed is closed")
        for name, reader in zip(self.names, self.readers, strict=True):
            await self.platform.hub.leave(name, reader)

    async def rows(self) -> AsyncIterator[Row]:
        """What happens; after a gap, first that there was one: then the approvals are to be listed again."""
        queue: Queue = asyncio.Queue(maxsize=8)
        for lane, name in enumerate(self.names):
            task = asyncio.create_task(self._read(lane, name, queue), name=f"approvals of lane {lane}")
            self._tasks.append(task)
        while True:
            lane, batch = await queue.get()
            if not batch:
                await self._tasks[lane]  # raises what its reader failed with
                return
            now = await server_time(self.platform.client)
            if batch[0].place.seq > self.places[lane].seq + 1:
                yield self._id(), "gap", {}
            for one in batch:
                self.places[lane] = one.place
                if row := await self._render(orjson.loads(one.event.data), now):
                    yield row

    async def _read(self, lane: int, name: str, queue: Queue) -> None:
        """Ends only with an error, which an empty batch tells of: a client that is cut off comes back."""
        try:
            async for batch in self.platform.hub.events(name, self.readers[lane], self.places[lane]):
                await queue.put((lane, batch))
        except Exception:
            await queue.put((lane, []))
            raise

    async def _render(self, event: dict[str, Any], now: datetime) -> Row | None:
        platform = self.platform
        place = event["thread_id"], event["request_id"]
        approval = await stored.read(platform.client, platform.keys, *place)
        named = {"approval_id": stored.approval_id(*place), "type": event["type"]}
        if approval and await approvals.may_see(platform, self.caller, approval):
            return self._id(), event["type"], {**named, "approval": approvals.describe(approval, now)}
        return (self._id(), event["type"], named) if self._may_have_seen(event, approval) else None

    def _may_have_seen(self, event: dict[str, Any], approval: Approval | None) -> bool:
        """Whether the caller could see it before: now it is for others to decide, or went with its thread.

        Events of earlier versions do not say whom it was for.
        """
        caller = self.caller
        asked = set(event.get("roles", ())) & set(caller.roles)
        return bool(asked) or event.get("owner") == caller.digest or (approval is None and caller.staff)

    def _id(self) -> str:
        return ".".join(str(place.seq) for place in self.places)


async def follow(platform: Platform, caller: Caller, last_event_id: str | None) -> Feed:
    """Follows from now on, or from what a client has seen. Raises `BadRequest` for an id that is none."""
    names = [platform.keys.feed(lane, caller.tenant) for lane in range(platform.keys.lanes)]
    seen = read_id(last_event_id, len(names)) if last_event_id else None
    feed = Feed(platform, caller, names, [], [])
    try:
        for lane, name in enumerate(names):
            feed.readers.append(await platform.hub.join(name))
            newest = int(await platform.client.call("HGET", platform.keys.thread(name), "seq") or 0)
            feed.places.append(Place(0, min(seen[lane], newest) if seen else newest))
    except BaseException:
        feed.names = feed.names[: len(feed.readers)]
        await feed.close()
        raise
    return feed


def read_id(text: str, lanes: int) -> list[int]:
    parts = text.split(".")
    if len(parts) != lanes or not all(
        part.isascii() and part.isdecimal() and len(part) < 16 for part in parts
    ):
        raise BadRequest("Last-Event-ID is not the id of an event of this feed.")
    return [int(part) for part in parts]


async def frames(feed: Feed) -> AsyncGenerator[bytes, None]:
    async for id, kind, data in feed.rows():
        yield b"event: %b\r\ndata: %b\r\nid: %b\r\n\r\n" % (kind.encode(), orjson.dumps(data), id.encode())
