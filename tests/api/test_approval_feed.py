"""The live feed of approvals: in order and without a gap, on any replica, for who may see them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from tests.api.approving import APPROVE, ask_one, decide, later, listed
from tests.api.thread_streams import Heard
from tests.servers import Live, live


@asynccontextmanager
async def hearing(http: httpx.AsyncClient, last_event_id: str | None = None) -> AsyncIterator[Heard]:
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    async with http.stream("GET", "/approvals/stream", headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        heard = Heard(response.headers)
        task = asyncio.create_task(heard.read(response))
        try:
            yield heard
            assert not task.done(), "the feed ended by itself"
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, httpx.HTTPError):
                await task


async def test_what_happens_to_a_request_is_told_on_every_replica(twins: tuple[Live, Live]) -> None:
    one, other = twins
    async with (
        one.http("ann") as ann,
        other.http("bob", "operator", "chief") as bob,
        hearing(bob) as feed,
    ):
        approval = await ask_one(ann)
        await bob.post(f"/approvals/{approval}/claim")
        await decide(bob, approval, APPROVE)
        await feed.until_count(4)
        assert [event.name for event in feed.events] == ["requested", "claimed", "decided", "carried_out"]
        assert {event.data["approval_id"] for event in feed.events} == {approval}
        first = feed.events[0].data["approval"]
        assert first["title"] == "Launch"
        assert feed.events[-1].data["approval"]["decision"]["by"] == ["bob"]


async def test_only_what_the_reader_may_see_is_told(server: Live) -> None:
    async with (
        server.http("ann") as ann,
        server.http("eve") as eve,
        server.http("carl", "chief") as carl,
        hearing(ann) as owner,
        hearing(eve) as stranger,
        hearing(carl) as chief,
    ):
        secret = await ask_one(ann, roles=["owner"])
        shared = await ask_one(ann, roles=["chief"])
        await owner.until_count(2)
        await chief.until_count(1)
        assert [event.data["approval_id"] for event in owner.events] == [secret, shared]
        assert [event.data["approval_id"] for event in chief.events] == [shared]
        assert stranger.events == []


async def test_who_sees_a_request_no_more_is_told(server: Live) -> None:
    async with (
        server.http("ann") as ann,
        server.http("carl", "chief") as carl,
        server.http("bob", "boss") as bob,
        server.http("eve", "other") as eve,
        hearing(ann) as owner,
        hearing(carl) as chief,
        hearing(bob) as boss,
        hearing(eve) as stranger,
    ):
        soon = later(seconds=1)
        handed_on = await ask_one(ann, roles=["chief"], expires_at=soon, on_expiry={"escalate": ["boss"]})
        await boss.until_count(1)
        deleted = await ask_one(ann, roles=["chief"])
        for approval in (handed_on, deleted):
            await ann.delete(f"/threads/{approval.partition(':')[0]}")
        last = await ask_one(ann, roles=["chief", "boss", "other"])
        for feed in (owner, chief, boss, stranger):
            await heard_of(feed, last)
        seen = {"requested": [handed_on, deleted], "escalated": [handed_on], "deleted": [handed_on, deleted]}
        assert told(owner) == seen
        assert told(chief) == {**seen, "deleted": [deleted]}
        assert told(boss) == {"escalated": [handed_on], "deleted": [handed_on]}
        assert told(stranger) == {}
        shown = {event.name: "approval" in event.data for event in chief.events}
        assert shown == {"requested": True, "escalated": False, "deleted": False}
        waiting = {event.data["approval_id"] for event in chief.events if "approval" in event.data}
        waiting -= {event.data["approval_id"] for event in chief.events if "approval" not in event.data}
        assert sorted(waiting) == sorted(await listed(carl)) == [last]


async def heard_of(feed: Heard, approval: str) -> None:
    await feed.until(lambda: feed.events and feed.events[-1].data["approval_id"] == approval, approval)


def told(feed: Heard) -> dict[str, list[str]]:
    """What was told of which requests, but of the last one."""
    found: dict[str, list[str]] = {}
    for event in feed.events[:-1]:
        found.setdefault(event.name, []).append(event.data["approval_id"])
    return found


@pytest.mark.parametrize("lanes", [1, 3])
async def test_the_feed_goes_on_where_it_was_cut(redis_url: str, lanes: int) -> None:
    async with live(redis_url, lanes=lanes) as server, server.http("ann") as ann:
        async with hearing(ann) as feed:
            await ask_one(ann)
            await feed.until_count(1)
            seen = feed.ids[-1]
        missed = [await ask_one(ann) for _ in range(6)]
        async with hearing(ann, seen) as feed:
            await feed.until_count(6)
            last = await ask_one(ann)
            await feed.until_count(7)
            told = [event.data["approval_id"] for event in feed.events]
            assert sorted(told) == sorted([*missed, last])
            assert told[-1] == last
            assert len({*feed.ids, seen}) == 8


async def test_a_gap_is_told(server: Live) -> None:
    platform = server.platform
    async with server.http("ann") as ann:
        async with hearing(ann) as feed:
            await ask_one(ann)
            await feed.until_count(1)
            seen = feed.ids[-1]
        for _ in range(3):
            await ask_one(ann)
        thread_id = (await ann.get("/approvals")).json()[0]["thread_id"]
        tenant = await platform.client.call("HGET", platform.keys.thread(thread_id), "tenant")
        name = platform.keys.feed(0, tenant.decode())
        await platform.client.call("XTRIM", platform.keys.events(name), "MAXLEN", 1)
        async with hearing(ann, seen) as feed:
            await feed.until_count(2)
            assert [event.name for event in feed.events] == ["gap", "requested"]


async def test_a_feed_that_cannot_be_read_ends_instead_of_being_silent(redis_url: str) -> None:
    async with live(redis_url) as server, server.http("ann") as ann:
        platform = server.platform
        one = await ask_one(ann)
        tenant = await platform.client.call("HGET", platform.keys.thread(one.partition(":")[0]), "tenant")
        log = platform.keys.events(platform.keys.feed(0, tenant.decode()))
        await platform.client.call("XADD", log, "*", "e", "nothing that we write")
        with pytest.raises(httpx.RemoteProtocolError):
            await ann.get("/approvals/stream", headers={"Last-Event-ID": "0"})


@pytest.mark.parametrize("text", ["x", "1.2", "-1", "1.", "²"])
async def test_an_id_that_is_none_is_refused(server: Live, text: str) -> None:
    async with server.http("ann") as ann:
        response = await ann.get("/approvals/stream", headers=[(b"Last-Event-ID", text.encode())])
        assert response.status_code == 400
