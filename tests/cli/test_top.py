"""`holdfast top`: what it shows of a server at work."""

import io

import orjson
import pytest
from rich.console import Console

from holdfast.cli.top import page, size
from holdfast.errors import StartError
from holdfast.wire.operations import Operations
from tests.api.trails import ask
from tests.cli.asking import given_up, later, say
from tests.servers import Live
from tests.waiting import wait_until


async def test_what_it_shows(server: Live) -> None:
    sdk = server.sdk("ann")
    thread_id = (await sdk.threads.create())["thread_id"]
    run = await sdk.runs.create(thread_id, "steps", input={"delay": 30})
    await later(server)
    await given_up(server)

    async def at_a_node() -> bool:
        told = orjson.loads(await say(server, "top", "--json"))
        return bool(told["runs"][0]["node"]) and told["lanes"][0]["held"] == 1

    async with server.http("ann") as ann, server.http("kim", "operator") as kim:
        await ask(ann, "one", roles=["chief"], expires_at="2099-01-02T03:04:05Z")
        await wait_until(at_a_node, "a run that says where it is, and no other at work")
        async with kim.stream("GET", "/approvals/stream"):
            found = Operations.model_validate_json(await say(server, "top", "--json"))
            shown = await say(server, "top", "--once")
    assert (found.queued, found.running, found.failed, found.given_up) == (1, 1, 1, 1)
    assert (found.approvals.open, found.approvals.overdue, found.streams) == (1, 0, 1)
    assert found.approvals.next_due is not None
    assert found.approvals.next_due.year == 2099
    [lane] = found.lanes
    assert (lane.runs, lane.held, lane.ready, lane.waiting, lane.timers) == (2, 1, 0, 0, 2)
    [worker] = found.workers
    assert worker.runs == 1
    assert found.redis.server.startswith("Valkey 9")
    assert found.redis.used_bytes > 0
    lines = [line.split() for line in shown.splitlines()]
    assert ["1", "1", "1", "1", "1", "0", "2099-01-02", "03:04:05", "1"] in lines
    assert [f"{thread_id}:{run['run_id']}", "steps", "first", "1"] in [line[:4] for line in lines]
    assert [worker.name, "1"] in [line[:2] for line in lines]
    drawn = Console(width=200, record=True, file=io.StringIO())
    drawn.print(page(found))
    assert f"{thread_id}:{run['run_id']}" in drawn.export_text()


async def test_only_staff_may(server: Live) -> None:
    with pytest.raises(StartError, match=r"^This is for staff\.$"):
        await say(server, "top", "--once", who="ann", roles=())


def test_sizes_are_short() -> None:
    assert [size(count) for count in (512, 2048, 5 * 1024**3)] == ["512 B", "2.0 KB", "5.0 GB"]
