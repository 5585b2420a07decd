"""Holdfast on a cluster of three masters with a replica each, and on what is left when a master has died."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client

from holdfast.redis import traces
from holdfast.redis.keys import Keys
from holdfast.worker import running_worker
from tests.api.approving import APPROVE, ask_one, decide, settled
from tests.api.test_approval_feed import hearing
from tests.clusters.nodes import Cluster, cluster
from tests.clusters.outages import ended_at_last
from tests.e2e.test_agent_over_http import decide as answer
from tests.e2e.test_agent_over_http import paid, turn, waiting
from tests.faults.conftest import Run, begin, ended, noted, reached
from tests.servers import SERVED, Live, free_port, holdfast, live, said, wait_ready
from tests.waiting import wait_until

LANES = 16
TAKEOVER_S = 6.0
STEP_S = 0.5
START_S = 60.0  # on a busy machine
YEARLY = "0 0 1 1 *"


@pytest.fixture(scope="module")
async def six() -> AsyncIterator[Cluster]:
    async with cluster() as formed:
        yield formed


@pytest.fixture
async def server(six: Cluster) -> AsyncIterator[Live]:
    async with live(six.url, lanes=LANES, lease_s=4, prefix=f"t{uuid.uuid4().hex[:8]}") as running:
        yield running


def environment(six: Cluster, **more: str) -> dict[str, str]:
    return {"REDIS_URL": six.url, "HOLDFAST_LANES": str(LANES), **more}


async def test_a_refund_is_asked_for_approved_and_paid(six: Cluster, tmp_path: Path) -> None:
    port = free_port()
    given = environment(six, HOLDFAST_DATA=str(tmp_path))
    async with holdfast("dev", "--port", str(port), **given):
        url = f"http://127.0.0.1:{port}"
        await wait_ready(url, START_S)
        async with get_client(url=url) as client:
            thread_id = (await client.threads.create())["thread_id"]
            await turn(client, thread_id, "我要退订单 12345")
            await turn(client, thread_id, "好的,帮我退款")
            [(interrupt_id, _)] = (await waiting(client, thread_id)).values()
            assert paid(tmp_path, "12345") == []
            await answer(client, thread_id, interrupt_id, {"decisions": [{"type": "approve"}]})
            assert paid(tmp_path, "12345") == [(599900, "settled")]


async def test_threads_of_every_lane_stream_their_runs(server: Live) -> None:
    sdk = server.sdk()
    ids = one_of_each_lane(server.platform.keys)

    async def talk(thread_id: str) -> list[str]:
        parts = sdk.runs.stream(
            thread_id, "echo", input=said("hi"), stream_mode="values", if_not_exists="create"
        )
        return [part.event async for part in parts]

    heard = await asyncio.gather(*map(talk, ids))
    assert all(names == heard[0] and names.count("values") == 2 for names in heard)
    found = await sdk.threads.search(limit=100)
    assert {thread["thread_id"] for thread in found} == set(ids)
    assert all([await one.call("DBSIZE") for one in await server.platform.client.servers()])


async def test_a_request_is_asked_for_told_and_decided(server: Live) -> None:
    async with (
        server.http("ann") as ann,
        server.http("bob", "operator", "chief") as bob,
        hearing(bob) as feed,
    ):
        approvals = [await ask_one(ann) for _ in range(4)]
        for approval in approvals:
            assert (await decide(bob, approval, APPROVE)).status_code == 200
            await settled(ann, approval)
        await feed.until_count(3 * len(approvals))
        assert feed.names.count("carried_out") == len(approvals)


async def test_items_and_crons_are_kept(server: Live) -> None:
    sdk = server.sdk()
    await sdk.store.put_item(["notes"], "one", {"text": "kept"})
    found = await sdk.store.search_items(["notes"])
    assert [item["value"] for item in found["items"]] == [{"text": "kept"}]
    cron: Any = await sdk.crons.create("echo", schedule=YEARLY, input=said("later"))
    assert [one["cron_id"] for one in await sdk.crons.search()] == [cron["cron_id"]]
    await sdk.crons.delete(cron["cron_id"])


async def test_what_is_looked_for_is_found_on_every_server(server: Live) -> None:
    ids = one_of_each_lane(server.platform.keys)
    body = {"assistant_id": "echo", "input": said("hi"), "if_not_exists": "create"}
    async with server.http() as http:
        for thread_id in ids:
            path, key = f"/threads/{thread_id}/runs", {"Idempotency-Key": thread_id}
            made = [(await http.post(path, json=body, headers=key)).json()["run_id"] for _ in range(2)]
            assert made[0] == made[1]
        assert (await http.get("/readyz")).status_code == 200
    used = traces.used_keys(server.platform.client, server.platform.keys)
    assert {one.thread_id async for one in used} == set(ids)


async def test_the_run_of_a_killed_worker_ends_elsewhere(
    six: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes, prefix = tmp_path / "notes", f"t{uuid.uuid4().hex[:8]}"
    monkeypatch.setenv("SERVED_NOTES", str(notes))
    given = environment(six, HOLDFAST_PREFIX=prefix, SERVED_NOTES=str(notes))
    async with (
        live(six.url, lanes=LANES, lease_s=4, prefix=prefix, worker=False) as server,
        holdfast("worker", "--config", str(SERVED), **given) as worker,
    ):
        run = await begin(server, delay=STEP_S)

        async def begun() -> bool:
            return bool(noted(notes))

        await wait_until(begun, "the worker has started, and done a step", START_S)
        async with running_worker(server.platform):
            worker.kill()
            killed = time.monotonic()
            await ended(server, run, 30)
            took_s = time.monotonic() - killed
        assert took_s <= TAKEOVER_S + 3 * STEP_S, f"{took_s:.1f} s"


async def test_work_goes_on_when_a_master_dies(
    six: Cluster, server: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVED_NOTES", str(tmp_path / "notes"))
    runs = await asyncio.gather(*(begin_at(server, id) for id in one_of_each_lane(server.platform.keys)))
    await reached(tmp_path / "notes", LANES)
    victim = (await six.masters())[0]
    victim.kill()
    try:
        await asyncio.gather(*(ended_at_last(server, run) for run in runs))
        assert len(noted(tmp_path / "notes")) < 4 * LANES, "more than one step of a run was done twice"
        ids = one_of_each_lane(server.platform.keys)
        for run in await asyncio.gather(*(begin_at(server, id, delay=0) for id in ids)):
            await ended(server, run, 10)
    finally:
        victim.start()
        await six.whole()


def one_of_each_lane(keys: Keys) -> list[str]:
    found: dict[int, str] = {}
    while len(found) < keys.lanes:
        thread_id = str(uuid.uuid4())
        found.setdefault(keys.lane(thread_id), thread_id)
    return list(found.values())


async def begin_at(server: Live, thread_id: str, *, delay: float = STEP_S) -> Run:
    sdk = server.sdk()
    await sdk.threads.create(thread_id=thread_id)
    run = await sdk.runs.create(thread_id, "steps", input={"delay": delay}, stream_resumable=True)
    return Run(thread_id, run["run_id"])
