"""What the clock does to approvals: reminders, other roles, an end."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import httpx

from holdfast.core import deciding
from tests.api.approving import (
    APPROVE,
    ask_one,
    decide,
    kinds,
    later,
    listed,
    settled,
    shown,
)
from tests.api.wire import refusal
from tests.servers import Live
from tests.waiting import wait_until


async def look(server: Live, approval_id: str) -> None:
    thread_id, _, request_id = approval_id.partition(":")
    await deciding.look(server.platform, thread_id, request_id)


async def ask_too_late(server: Live, ann: httpx.AsyncClient, **policy: Any) -> str:
    """A request whose time has run out by its record; the server's clock, a racer, has an hour left."""
    one = await ask_one(ann, expires_at=later(hours=1), **policy)
    thread_id, _, request_id = one.partition(":")
    over = round(time.time() * 1000) - 1000
    hash_key = server.platform.keys.approvals(thread_id)
    await server.platform.client.call("HSET", hash_key, f"{request_id}:due", over, f"{request_id}:wake", over)
    return one


async def test_nobody_answered_in_time(server: Live) -> None:
    async with server.http("ann") as ann:
        one = await ask_one(ann, expires_at=later(seconds=-1))
        assert "expired at 20" in refusal(await decide(ann, one, APPROVE))[1]
        await asyncio.gather(*(look(server, one) for _ in range(5)), return_exceptions=True)
        found = await shown(ann, one)
        assert (found["status"], found["decision"]["by"]) == ("expired", [])
        values = await settled(ann, one)
        assert values["answers"]["one"]["decision"]["decisions"][0]["type"] == "reject"
        assert refusal(await decide(ann, one, APPROVE))[0] == 409
        assert await listed(ann, status="expired") == [one]


async def test_others_are_asked_when_nobody_answered(server: Live) -> None:
    async with server.http("ann") as ann, server.http("dora", "director") as dora:
        policy = {"roles": ["chief"], "on_expiry": {"escalate": ["director"]}}
        one = await ask_too_late(server, ann, **policy)
        assert await listed(dora, status="all") == []
        await look(server, one)
        assert await listed(dora, status="all") == [one]
        found = await shown(dora, one)  # it may have run out for them as well by now
        assert (found["roles"], kinds(found)[:2]) == (["director"], ["requested", "escalated"])


async def test_a_request_of_a_graph_that_is_not_served_is_looked_at_again_later(server: Live) -> None:
    platform = server.platform
    elsewhere = replace(platform, project=replace(platform.project, graphs={}))
    async with server.http("ann") as ann:
        one = await ask_too_late(server, ann)
        thread_id, _, request_id = one.partition(":")
        again_ms = await deciding.look(elsewhere, thread_id, request_id)
        assert again_ms
        assert again_ms / 1000 - time.time() > 60
        assert await listed(ann) == [one]
        await look(server, one)
        assert await listed(ann, status="expired") == [one]


async def test_a_reminder_comes_once(server: Live) -> None:
    async with server.http("ann") as ann:
        one = await ask_one(ann, remind_at=later(seconds=-1), expires_at=later(hours=1))
        await look(server, one)
        await look(server, one)
        assert kinds(await shown(ann, one)) == ["requested", "reminded", "viewed"]


async def test_the_clock_runs_on_every_replica_and_rings_once(twins: tuple[Live, Live]) -> None:
    one, _ = twins
    async with one.http("ann") as ann:
        times = {"remind_at": later(seconds=0.2), "expires_at": later(seconds=2)}
        approval = await ask_one(ann, roles=["chief"], on_expiry={"escalate": ["director"]}, **times)

        async def expired() -> bool:
            return bool(await listed(ann, status="expired"))

        await wait_until(expired, "the request has expired")
        told = ["requested", "reminded", "escalated", "expired"]
        assert kinds(await shown(ann, approval))[:4] == told
        values = await settled(ann, approval)
        assert values["answers"]["one"]["decision"]["decisions"][0]["type"] == "reject"
