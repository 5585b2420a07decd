"""Runs that are stopped while a node does not want to: each ends soon, and what comes later is void."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph_sdk.client import LangGraphClient

from holdfast.checkpoint import RunSaver
from holdfast.core.platform import Platform
from holdfast.execute import ending, stopping
from tests.api.wire import has_status
from tests.faults.conftest import STUCK, Valkey, noted, reached
from tests.faults.proxy import Proxy
from tests.servers import Live, live
from tests.waiting import wait_until

LEFT = "is left behind"
LEAVE_S = 1.2

# With values alone a node is at work in the task of its run, with custom events in one of its own.
ways = pytest.mark.parametrize("stream_mode", ["values", "custom"])


@pytest.fixture(autouse=True)
def leaves_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "LEAVE_S", LEAVE_S)
    monkeypatch.setattr(ending, "OPEN_S", LEAVE_S)


@pytest.fixture
async def stuck(redis_url: str) -> AsyncIterator[Live]:
    """A worker that has one run at once."""
    async with live(redis_url, config=STUCK, concurrency=1) as running:
        yield running


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "notes"


class Unfenced(RunSaver, InMemorySaver):
    """A checkpointer that takes whatever it is given, at once."""


async def begin(sdk: LangGraphClient, graph: str, notes: Path, stream_mode: Any) -> tuple[str, str]:
    thread_id = (await sdk.threads.create())["thread_id"]
    run = await sdk.runs.create(thread_id, graph, input={"notes": str(notes)}, stream_mode=stream_mode)
    await reached(notes, 1)
    return thread_id, run["run_id"]


async def works(sdk: LangGraphClient, notes: Path) -> None:
    """The worker's only place is free."""
    thread_id = (await sdk.threads.create())["thread_id"]
    asked = sdk.runs.wait(thread_id, "echo", input={"notes": str(notes) + ".other"})
    await asyncio.wait_for(asked, 5)


def release(notes: Path) -> None:
    Path(f"{notes}.release").touch()


async def ended(notes: Path) -> None:
    async def there() -> bool:
        return noted(notes)[-1] == "ended"

    await wait_until(there, "the node has ended")


async def gone(run_id: str) -> None:
    """Nothing of the run is left in the event loop."""

    async def none() -> bool:
        return f"run {run_id}" not in {task.get_name() for task in asyncio.all_tasks()}

    await wait_until(none, "the task of the run has ended")


async def kept(server: Live, thread_id: str) -> list[Any]:
    """All that a run could write to: record, runs, events, checkpoints."""
    client, keys = server.platform.client, server.platform.keys
    return [
        await client.call("HGETALL", keys.thread(thread_id)),
        await client.call("HGETALL", keys.runs(thread_id)),
        await client.call("XRANGE", keys.events(thread_id), "-", "+"),
        await client.call("HGETALL", keys.checkpoints(thread_id)),
    ]


@ways
@pytest.mark.parametrize("graph", ["late", "late_child"])
async def test_a_node_that_swallows_a_cancel_is_cancelled_again(
    stuck: Live, notes: Path, stream_mode: str, graph: str, caplog: pytest.LogCaptureFixture
) -> None:
    sdk = stuck.sdk()
    thread_id, run_id = await begin(sdk, graph, notes, stream_mode)
    await asyncio.wait_for(sdk.runs.cancel(thread_id, run_id, wait=True), 5)
    assert noted(notes) == ["begun", "swallowed", "ended"]
    assert (await sdk.runs.get(thread_id, run_id))["status"] == "interrupted"
    assert LEFT not in caplog.text


@ways
async def test_no_node_begins_after_one_that_has_swallowed_its_cancel(
    stuck: Live, notes: Path, stream_mode: str
) -> None:
    sdk = stuck.sdk()
    thread_id, run_id = await begin(sdk, "swallowing", notes, stream_mode)
    await asyncio.wait_for(sdk.runs.cancel(thread_id, run_id, wait=True), 5)
    assert noted(notes) == ["begun", "swallowed"]
    assert (await sdk.runs.get(thread_id, run_id))["status"] == "interrupted"
    assert (await sdk.threads.get(thread_id))["status"] == "interrupted"


@ways
async def test_a_cancelled_run_is_interrupted_whatever_its_node_makes_of_it(
    stuck: Live, notes: Path, stream_mode: str
) -> None:
    sdk = stuck.sdk()
    thread_id, run_id = await begin(sdk, "mistaken", notes, stream_mode)
    await asyncio.wait_for(sdk.runs.cancel(thread_id, run_id, wait=True), 5)
    assert (await sdk.runs.get(thread_id, run_id))["status"] == "interrupted"


@ways
@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_node_that_never_hears_holds_nobody_up(
    stuck: Live, notes: Path, stream_mode: str, action: Any, caplog: pytest.LogCaptureFixture
) -> None:
    sdk = stuck.sdk()
    thread_id, run_id = await begin(sdk, "stubborn", notes, stream_mode)
    asked = time.monotonic()
    await asyncio.wait_for(sdk.runs.cancel(thread_id, run_id, wait=True, action=action), LEAVE_S + 4)
    assert time.monotonic() - asked >= LEAVE_S, "it was given time to end"
    assert noted(notes).count("swallowed") >= 2
    assert "ended" not in noted(notes)
    [left] = [record for record in caplog.records if LEFT in record.message]
    assert (left.run_id, left.nodes) == (run_id, ["node"])  # type: ignore[attr-defined]
    found = [(run["run_id"], run["status"]) for run in await sdk.runs.list(thread_id)]
    assert found == ([] if action == "rollback" else [(run_id, "interrupted")])
    await works(sdk, notes)

    before = await kept(stuck, thread_id)
    release(notes)
    await ended(notes)
    await gone(run_id)
    assert await kept(stuck, thread_id) == before


@ways
async def test_a_thread_goes_on_for_nothing(
    stuck: Live, notes: Path, stream_mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    sdk = stuck.sdk()
    thread_id, run_id = await begin(sdk, "thread", notes, stream_mode)
    await asyncio.wait_for(sdk.runs.cancel(thread_id, run_id, wait=True), LEAVE_S)
    assert noted(notes) == ["begun"]
    assert LEFT not in caplog.text
    await works(sdk, notes)
    before = await kept(stuck, thread_id)
    release(notes)
    await ended(notes)
    assert await kept(stuck, thread_id) == before


@pytest.mark.parametrize("fails", [True, False])
@pytest.mark.parametrize(("action", "left"), [("interrupt", ["interrupted"]), ("rollback", ["error"])])
async def test_a_graph_that_cannot_be_made_again_keeps_no_run_from_its_end(
    stuck: Live, notes: Path, fails: bool, action: Any, left: list[str]
) -> None:
    sdk = stuck.sdk()
    thread_id = (await sdk.threads.create())["thread_id"]
    configurable = {"notes": str(notes), "fails": fails}
    run = await sdk.runs.create(thread_id, "hang", input={}, config={"configurable": configurable})
    await reached(notes, 1)
    asked = sdk.runs.cancel(thread_id, run["run_id"], wait=True, action=action)
    await asyncio.wait_for(asked, 2 * LEAVE_S + 4)
    assert [run["status"] for run in await sdk.runs.list(thread_id)] == left
    await works(sdk, notes)


@ways
async def test_the_time_limit_of_a_run_bounds_it(redis_url: str, notes: Path, stream_mode: str) -> None:
    async with live(redis_url, config=STUCK, concurrency=1, run_timeout_s=0.5) as stuck:
        sdk = stuck.sdk()
        thread_id, run_id = await begin(sdk, "stubborn", notes, stream_mode)
        await has_status(sdk, thread_id, run_id, "timeout")
        assert "ended" not in noted(notes)
        await works(sdk, notes)
        release(notes)
        await ended(notes)
        await gone(run_id)
        thread: Any = await sdk.threads.get(thread_id)
        assert (thread["status"], thread["values"].get("said")) == ("error", None)


async def test_what_else_was_asked_waits_on_when_the_time_of_an_answer_is_up(
    redis_url: str, notes: Path
) -> None:
    async with live(redis_url, config=STUCK, run_timeout_s=0.5) as stuck:
        sdk = stuck.sdk()
        thread_id = (await sdk.threads.create())["thread_id"]
        values: Any = await sdk.runs.wait(thread_id, "pair", input={"notes": str(notes)})
        ids = {asked["value"]: asked["id"] for asked in values["__interrupt__"]}
        run = await sdk.runs.create(thread_id, "pair", command={"resume": {ids["a"]: "yes"}})
        await has_status(sdk, thread_id, run["run_id"], "timeout")
        assert noted(notes) == ["a"]
        thread: Any = await sdk.threads.get(thread_id)
        assert thread["status"] == "error"
        assert ids["b"] in {one["id"] for of_task in thread["interrupts"].values() for one in of_task}


async def test_a_run_that_is_lost_frees_its_place(stuck: Live, notes: Path) -> None:
    sdk = stuck.sdk()
    thread_id, run_id = await begin(sdk, "stubborn", notes, "values")
    await sdk.threads.delete(thread_id)
    await asyncio.wait_for(works(sdk, notes), 10)
    release(notes)
    await ended(notes)
    await gone(run_id)
    assert await kept(stuck, thread_id) == [{}, {}, [], {}]


@pytest.mark.parametrize("fenced", [True, False])
async def test_a_node_that_ends_while_its_run_is_being_ended_comes_too_late(
    valkey: Valkey,
    proxy: Proxy,
    notes: Path,
    fenced: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Redis, half a second away, has accepted no outcome yet: the token of the run is still good."""
    if not fenced:
        saver = Unfenced()
        monkeypatch.setattr(Platform, "saver", lambda *_: saver)
    async with live(proxy.url, config=STUCK, lease_s=4) as stuck:
        sdk, keys = stuck.sdk(), stuck.platform.keys
        thread_id, run_id = await begin(sdk, "stubborn", notes, "updates")
        await sdk.runs.cancel(thread_id, run_id)
        await reached(notes, 2)
        proxy.delay_s = 0.5

        async def left() -> bool:
            return LEFT in caplog.text

        await wait_until(left, "the node is left behind")
        [task] = [task for task in asyncio.all_tasks() if task.get_name() == f"run {run_id}"]
        release(notes)
        await ended(notes)
        assert await valkey.command("HGET", keys.runs(thread_id), f"{run_id}:status") == b"running"
        await asyncio.wait([task])
        assert fenced or task.cancelled(), "it went on to its own end"
        proxy.delay_s = 0
        await has_status(sdk, thread_id, run_id, "interrupted")
        rows = await valkey.command("XRANGE", keys.events(thread_id), "-", "+")
        assert [fields[b"e"].split(b"\x1f")[1] for _, fields in rows] == [b"metadata", b"values", b"end"]
        thread: Any = await sdk.threads.get(thread_id)
        assert not fenced or thread["values"].get("said") is None
