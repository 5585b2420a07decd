"""What tests of the audit trail share: requests that are worked on, and a trail that is written anew."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx
import orjson

from holdfast.core import deciding
from holdfast.core.audit import Report, verify
from holdfast.redis import approvals as stored
from holdfast.redis import audit
from holdfast.redis.lua import Raced
from tests.api.wire import Json, new_thread
from tests.servers import Live, live
from tests.waiting import wait_until

APPROVE, REJECT = {"type": "approve"}, {"type": "reject"}
EDIT = {"type": "edit", "edited_action": {"name": "launch", "args": {"count": "2"}}}
TWO_CHIEFS: Json = {"roles": ["chief"], "deciders": 2}


class Row(NamedTuple):
    """An entry as Redis holds it."""

    id: str
    text: str
    link: str


Change = Callable[[list[Row]], list[Row]]


async def ask(http: httpx.AsyncClient, *names: str, graph: str = "approve", **policy: Any) -> str:
    """A thread with a request for each name, which waits."""
    thread_id = await new_thread(http)
    await ask_on(http, thread_id, *names, graph=graph, **policy)
    return thread_id


async def ask_on(
    http: httpx.AsyncClient, thread_id: str, *names: str, graph: str = "approve", **policy: Any
) -> None:
    given = {"questions": list(names), "policy": policy, "messages": [{"role": "user", "content": "hi"}]}
    body = {"assistant_id": graph, "input": given}
    response = await http.post(f"/threads/{thread_id}/runs/wait", json=body)
    assert response.status_code == 200, response.text


def path(thread_id: str, name: str) -> str:
    return f"/approvals/{thread_id}:{thread_id}-{name}"


async def act(http: httpx.AsyncClient, thread_id: str, name: str, what: str, body: Json = None) -> Json:
    response = await http.post(f"{path(thread_id, name)}/{what}", json=body)
    assert response.status_code == 200, response.text
    return response.json()


async def decide(http: httpx.AsyncClient, thread_id: str, name: str, decision: Json) -> Json:
    return await act(http, thread_id, name, "decisions", decision)


async def carried_out(server: Live, thread_id: str, name: str) -> None:
    await noted(server, thread_id, name, "carried_out")


async def by_the_clock(server: Live, thread_id: str, name: str, kind: str) -> None:
    """Does what the time has come for, unless the server's own clock has come first."""
    with suppress(Raced):
        await deciding.look(server.platform, thread_id, f"{thread_id}-{name}")
    await noted(server, thread_id, name, kind)


async def noted(server: Live, thread_id: str, name: str, kind: str) -> None:
    async def done() -> bool:
        return kind in [line["kind"] for line in await history(server, thread_id, name)]

    await wait_until(done, f"{name} is {kind}")


async def history(server: Live, thread_id: str, name: str) -> list[Json]:
    """Read without anybody having looked at it."""
    client, keys = server.platform.client, server.platform.keys
    return await stored.read_history(client, keys, thread_id, f"{thread_id}-{name}")


async def rows(server: Live, lane: int = 0) -> list[Row]:
    client, keys = server.platform.client, server.platform.keys
    return [Row(one.id, one.text, one.link) async for one in audit.entries(client, keys, lane)]


async def rewrite(server: Live, change: Change, lane: int = 0) -> None:
    """Writes the lane's trail anew, as somebody who may write to Redis can."""
    client, key = server.platform.client, server.platform.keys.audit(lane)
    changed = change(await rows(server, lane))
    await client.call("DEL", key)
    for row in changed:
        await client.call("XADD", key, row.id, "text", row.text, "link", row.link)


def forged(changed: list[Row]) -> list[Row]:
    """The rows with numbers and links as the server would have made them."""
    found: list[Row] = []
    for seq, row in enumerate(changed, 1):
        start, _, rest = row.text.partition(",")
        assert start.startswith('{"seq":'), start
        text = f'{{"seq":{seq},{rest}'
        found.append(Row(f"{seq}-0", text, audit.link(found[-1].link if found else "", text)))
    return found


async def found(server: Live) -> list[str]:
    return [str(one) for one in (await checked(server)).findings]


async def checked(server: Live) -> Report:
    return await verify(server.platform)


@dataclass(frozen=True)
class Story:
    """Two requests of ann's: `one` was decided by two chiefs, `two` waits."""

    server: Live
    thread_id: str

    def id(self, name: str) -> str:
        return f"{self.thread_id}-{name}"

    async def get(self, name: str, field: str = "") -> Any:
        return orjson.loads(await self.call("HGET", self.approvals, self.id(name) + field))

    async def put(self, name: str, field: str, value: Any) -> None:
        text = value if isinstance(value, str | bytes) else orjson.dumps(value)
        await self.call("HSET", self.approvals, self.id(name) + field, text)

    @property
    def approvals(self) -> str:
        return self.server.platform.keys.approvals(self.thread_id)

    @property
    def thread(self) -> str:
        return self.server.platform.keys.thread(self.thread_id)

    async def call(self, *command: Any) -> Any:
        return await self.server.platform.client.call(*command)

    def about(self, name: str, what: str) -> str:
        return f"lane 0, request {self.id(name)} of thread {self.thread_id}: {what}"


@asynccontextmanager
async def told_story(redis_url: str) -> AsyncIterator[Story]:
    async with (
        live(redis_url) as server,
        server.http("ann") as ann,
        server.http("bob", "chief") as bob,
        server.http("carol", "chief") as carol,
    ):
        thread_id = await ask(ann, "one", "two", **TWO_CHIEFS)
        await act(bob, thread_id, "one", "claim")
        await decide(bob, thread_id, "one", APPROVE)
        await carol.get(path(thread_id, "one"))
        await decide(carol, thread_id, "one", APPROVE)
        await carried_out(server, thread_id, "one")
        told = Story(server, thread_id)
        kinds = [orjson.loads(row.text)["kind"] for row in await rows(server)]
        assert kinds == [*["requested"] * 2, "claimed", "voted", "viewed", "decided", "carried_out"]
        assert await found(server) == []
        yield told
