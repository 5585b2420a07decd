"""The crons of langgraph.json: there once, whoever starts, and as the file has them."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from holdfast.core import timers
from holdfast.core.declared import declare
from holdfast.core.platform import Platform, open_platform
from holdfast.errors import StartError
from holdfast.project import DeclaredCron, load_project
from holdfast.redis.timers import clock_ms
from tests.api.wire import Json, refusal
from tests.servers import SERVED, Live, live
from tests.waiting import wait_until

RECONCILE = DeclaredCron(name="reconcile", graph="whoami", schedule="* * * * *", input={"a": 1})
REPORT = DeclaredCron(name="report", graph="echo", schedule="0 9 * * *", timezone="Europe/Berlin")


@asynccontextmanager
async def declaring(server: Live, *crons: DeclaredCron, **settings: Any) -> AsyncIterator[Platform]:
    """A process with these crons in its file."""
    own = server.platform
    project = replace(own.project, crons=crons)
    async with open_platform(own.settings.model_copy(update=settings), project, own.redis_url) as platform:
        yield platform


async def start(server: Live, *crons: DeclaredCron, replicas: int = 1, **settings: Any) -> None:
    async with AsyncExitStack() as stack:
        starting = [
            await stack.enter_async_context(declaring(server, *crons, **settings)) for _ in range(replicas)
        ]
        await asyncio.gather(*map(declare, starting))


async def seen(server: Live, tenant: str = "default") -> list[Json]:
    """What staff sees."""
    async with server.http() as http:
        http.headers["Authorization"] = f"Bearer {server.authenticator.sign('chief', ['operator'], tenant)}"
        found: list[Json] = (await http.post("/runs/crons/search", json={"sort_order": "asc"})).json()
    return found


@pytest.fixture
async def idle(redis_url: str) -> AsyncIterator[Live]:
    async with live(redis_url, worker=False, lanes=3) as server:
        yield server


async def test_they_are_made_once_by_however_many_start(idle: Live) -> None:
    await start(idle, RECONCILE, REPORT, replicas=4)
    first = await seen(idle)
    assert {one["metadata"]["name"] for one in first} == {"reconcile", "report"}
    [reconcile] = [one for one in first if one["metadata"]["name"] == "reconcile"]
    assert reconcile["schedule"] == "* * * * *"
    assert reconcile["payload"]["input"] == {"a": 1}
    assert (reconcile["thread_id"], reconcile["on_run_completed"]) == (None, "delete")
    await start(idle, RECONCILE, REPORT, replicas=4)
    assert await seen(idle) == first


async def test_they_change_with_the_file_and_go_with_it(idle: Live) -> None:
    await start(idle, RECONCILE, REPORT)
    before = {one["metadata"]["name"]: one for one in await seen(idle)}
    hourly = RECONCILE.model_copy(update={"schedule": "0 * * * *", "graph": "echo", "input": {"b": 2}})
    await start(idle, hourly, replicas=4)
    [changed] = await seen(idle)
    assert changed["cron_id"] == before["reconcile"]["cron_id"]
    assert (changed["schedule"], changed["payload"]["input"]) == ("0 * * * *", {"b": 2})
    assert changed["assistant_id"] == before["report"]["assistant_id"]
    assert changed["next_run_date"].endswith(":00:00+00:00")
    assert changed["created_at"] == before["reconcile"]["created_at"]
    await start(idle, replicas=4)
    assert await seen(idle) == []
    keys = idle.platform.keys
    left = {key.decode() async for key in idle.platform.client.redis.scan_iter(f"{keys.prefix}:*")}
    assert left == {keys.installation(), keys.secret("dev")}


async def test_they_move_with_the_tenant_of_the_installation(idle: Live) -> None:
    await start(idle, RECONCILE)
    await start(idle, RECONCILE, default_tenant="north", replicas=3)
    assert await seen(idle) == []
    assert [one["metadata"]["name"] for one in await seen(idle, "north")] == ["reconcile"]


async def test_nobody_changes_them_over_the_wire(idle: Live) -> None:
    await start(idle, RECONCILE)
    [cron] = await seen(idle)
    path = f"/runs/crons/{cron['cron_id']}"
    async with idle.http("chief", "operator") as staff:
        assert (await staff.get(path)).json() == cron
        for answer in (await staff.patch(path, json={"enabled": False}), await staff.delete(path)):
            assert refusal(answer) == (409, "This cron is declared in langgraph.json: change it there.")
    async with idle.http("ann") as ann:
        assert (await ann.get(path)).status_code == 404
        assert (await ann.delete(path)).status_code == 404


async def test_their_runs_are_the_platforms_own(idle: Live) -> None:
    await start(idle, RECONCILE)
    async with declaring(idle, RECONCILE) as platform:
        later_ms = await clock_ms(platform.client) + 120_000
        for lane in range(platform.keys.lanes):
            await timers.ring(platform, lane, 10, now_ms=later_ms)
    async with idle.http("chief", "operator") as staff:
        [thread] = (await staff.post("/threads/search", json={})).json()
        path = f"/threads/{thread['thread_id']}/runs"
        [run] = (await staff.get(path)).json()
        assert run["metadata"]["name"] == "reconcile"
        assert run["kwargs"]["on_completion"] == "delete"
        stored = await idle.platform.client.call(
            "HGET", idle.platform.keys.runs(thread["thread_id"]), run["run_id"]
        )
    request = orjson.loads(stored)
    assert (request["caller"], request["roles"]) == ("holdfast:service", [])


async def test_a_worker_makes_them_when_it_starts(redis_url: str, tmp_path: Path) -> None:
    config = write(tmp_path, [{"name": "tick", "graph": "only", "schedule": "* * * * * *"}])
    async with live(redis_url, config=config) as server:
        assert [one["metadata"]["name"] for one in await seen(server)] == ["tick"]

        async def ran() -> bool:
            return (tmp_path / "ran").exists()

        await wait_until(ran, "the cron has run")


def write(folder: Path, crons: Any) -> Path:
    module = f"ticking_{uuid.uuid4().hex}"  # of its own: Python imports a name once
    (folder / f"{module}.py").write_text(
        "from pathlib import Path\n"
        "from langgraph.graph import START, StateGraph\n"
        "async def run(state: dict) -> dict:\n"
        "    (Path(__file__).parent / 'ran').touch()\n"
        "    return {}\n"
        "only = StateGraph(dict).add_node('run', run).add_edge(START, 'run').compile()\n"
    )
    config = folder / "langgraph.json"
    graphs = {"only": f"./{module}.py:only"}
    config.write_bytes(orjson.dumps({"graphs": graphs, "holdfast": {"crons": crons}}))
    return config


GOOD = {"name": "tick", "graph": "only", "schedule": "* * * * *"}


@pytest.mark.parametrize(
    ("crons", "sentence"),
    [
        ([{**GOOD, "schedule": "bad"}], "Invalid cron schedule: 'bad'"),
        ([{**GOOD, "timezone": "Mars/Base"}], "Invalid timezone: 'Mars/Base'"),
        ([{**GOOD, "graph": "nope"}], "the cron 'tick' runs 'nope', which is no graph of this file"),
        ([{**GOOD, "name": ""}], '"crons" cannot be read: 0.name'),
        ([{**GOOD, "tenant": "x"}], '"crons" cannot be read: 0.tenant'),
        ([{"name": "tick"}], '"crons" cannot be read: 0.graph'),
        ([GOOD, GOOD], 'each of "crons" must have a name of its own'),
        (5, '"crons" cannot be read'),
        ({"name": "tick"}, '"crons" cannot be read'),
    ],
)
def test_a_file_that_asks_for_nonsense_stops_the_start(tmp_path: Path, crons: Any, sentence: str) -> None:
    with pytest.raises(StartError) as refused:
        load_project(write(tmp_path, crons))
    assert sentence in str(refused.value)


def test_a_project_need_not_have_any() -> None:
    assert load_project(SERVED).crons == ()
