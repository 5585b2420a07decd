"""Installations of released versions, as they were recorded: this one goes on with all that was in them."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from holdfast.redis.keys import Keys
from holdfast.redis.timers import member
from tests.cli.test_operators import said_by
from tests.servers import valkey
from tests.upgrades.dumps import FOLDER, lines_of, load
from tests.upgrades.living import CONFIG, PREFIX, SHOP, Living, living
from tests.waiting import wait_until

Json = Any

VERSIONS = sorted(path.name for path in FOLDER.iterdir())
KEYS = Keys(PREFIX)
APPROVE: Json = {"decisions": [{"type": "approve"}]}

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module", params=VERSIONS)
async def recorded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Living, Json]]:
    """The installation in an empty Valkey, served by this version; and the names of what is in it.

    Beside what it holds stand fields that a later version might have added: they are left alone.
    """
    kept, folder = FOLDER / request.param, tmp_path_factory.mktemp("corpus")
    with closing(sqlite3.connect(folder / "shop.db")) as shop:
        shop.executescript((kept / SHOP).read_text())
    made = orjson.loads((kept / "made.json").read_bytes())
    with valkey() as url:
        async with Redis.from_url(url) as redis:
            await load(redis, lines_of(kept))
            await add_of_later(redis, made)
        async with living(url, folder, HOLDFAST_WEBHOOK_KEEP_S="1e12") as server:
            yield server, made


async def add_of_later(redis: Redis, made: Json) -> None:
    """Makes the time come of the run that is to begin later, too."""
    threads = [key async for key in redis.scan_iter(match=f"{PREFIX}:*:thread:*", count=1000)]
    for key in threads:
        await redis.hset(key, "of_a_later_version", "x")
    for kind in ("assistant", "cron"):
        async for key in redis.scan_iter(match=f"{PREFIX}:*:{kind}:*", count=1000):
            await redis.hset(key, "of_a_later_version", "x")
    later = member("run", f"{made['later']}\x1f{made['later_run']}")
    await redis.zadd(KEYS.timers(0), {later: 1, member("of_a_later_version", "x"): 1})


async def test_what_was_asked_is_answered_and_done_once(recorded: tuple[Living, Json]) -> None:
    server, made = recorded
    values = await server.run(made["asking"], "ask", command={"resume": "yes"})
    assert values["log"] == ["did yes"]
    for name, voters in (("one", ["eve"]), ("two", ["max"])):  # of the two, eve has voted before
        for who in voters:
            approval = f"/approvals/{made[name]}:{made[name]}-{name}"
            await server.ask(who, "POST", f"{approval}/decisions", json={"type": "approve"})
    assert server.noted().count(f"effect {made['asking']} yes") == 1

    async def done() -> bool:
        return all(f"decided {made[name]}-{name} approve" in server.noted() for name in ("one", "two"))

    await wait_until(done, "both decisions are carried out", 60)
    two = await server.ask("kim", "GET", f"/approvals/{made['two']}:{made['two']}-two")
    assert two["decision"]["by"] == ["eve", "max"]
    late = await server.people["eve"].post(
        f"/approvals/{made['decided']}:{made['decided']}-done/decisions", json={"type": "reject"}
    )
    assert late.status_code == 409, "what was decided before stays decided"
    beside = {"REDIS_URL": server.redis_url, "HOLDFAST_PREFIX": PREFIX}
    told = await said_by("audit", "verify", "--config", str(CONFIG), beside=beside)
    assert "all as it was written" in told, "entries of before say less, and hold for what they say"


async def test_a_refund_is_paid_once(recorded: tuple[Living, Json]) -> None:
    server, made = recorded
    assert server.refunds() == []
    answer = {"resume": {made["refund_question"]: APPROVE}}
    await server.run(made["refund"], "support", who="demo", command=answer)
    assert server.refunds() == [(10_000, "settled")]
    again = {"assistant_id": "support", "command": answer}
    late = await server.people["demo"].post(f"/threads/{made['refund']}/runs/wait", json=again)
    assert late.status_code == 409, "it was answered"
    assert server.refunds() == [(10_000, "settled")]


async def test_runs_that_waited_and_failed_come_to_their_end(recorded: tuple[Living, Json]) -> None:
    server, made = recorded

    async def idle() -> bool:
        found = [await server.ask("ann", "GET", f"/threads/{made[name]}") for name in ("queued", "later")]
        return [thread["status"] for thread in found] == ["idle", "idle"]

    await wait_until(idle, "what was in line has run", 60)
    state = await server.ask("ann", "GET", f"/threads/{made['queued']}/state")
    said = [message["content"] for message in state["values"]["messages"]]
    assert said == ["queued", "echo: queued", "behind it", "echo: behind it"]
    retried = await server.ask("kim", "POST", f"/threads/{made['failed']}/runs/{made['failed_run']}/retry")
    await server.ask("kim", "GET", f"/threads/{made['failed']}/runs/{retried['run_id']}/join")
    assert f"effect {made['failed']} None" not in server.noted(), "it was done before it was recorded"


async def test_all_else_is_there_and_can_be_used(recorded: tuple[Living, Json]) -> None:
    server, made = recorded
    values = await server.run(made["idle"], "echo", input={"messages": [{"role": "user", "content": "now"}]})
    assert [one["content"] for one in values["messages"]][-3:] == ["echo: again", "now", "echo: now"]
    history = await server.ask("ann", "GET", f"/threads/{made['idle']}/history", params={"limit": 100})
    assert len(history) == 9
    held = await server.ask("kim", "GET", f"/threads/{made['held']}")
    assert held["hold"]["by"] == "kim"
    await server.ask("kim", "DELETE", f"/threads/{made['held']}/hold")
    cron = await server.ask("ann", "GET", f"/runs/crons/{made['cron']}")
    assert (cron["schedule"], cron["enabled"]) == ("0 0 1 1 *", True)
    assistant = await server.ask("ann", "GET", f"/assistants/{made['assistant']}")
    assert (assistant["version"], assistant["context"]) == (2, {"color": "blue"})
    item = await server.ask("ann", "GET", "/store/items", params={"namespace": "notes", "key": "one"})
    assert item["value"] == {"text": "kept"}
    letter = await server.ask("kim", "GET", f"/dead-letters/{made['letter']}")
    assert letter["content"]["thread_id"] == made["told"]
    await server.ask("kim", "DELETE", f"/dead-letters/{made['letter']}")
    found = await server.ask("ann", "POST", "/threads/search", json={"metadata": {"note": "kept"}})
    assert [one["thread_id"] for one in found] == [made["idle"]]
