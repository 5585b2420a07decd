"""`holdfast runs`, command by command, against a real server."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from holdfast.cli.run_views import HEADS, age
from holdfast.errors import StartError
from tests.cli.asking import failed, given_up, later, say
from tests.servers import Live, said
from tests.waiting import wait_until

Json = Any


@pytest.fixture
def noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """What nodes have really done."""
    path = tmp_path / "notes"
    monkeypatch.setenv("SERVED_NOTES", str(path))
    return lambda: path.read_text().splitlines()


async def listed(server: Live, *words: str) -> list[list[str]]:
    head, *rows = (await say(server, "runs", "ls", *words)).splitlines()
    assert re.split(r"  +", head) == list(HEADS)
    return [re.split(r"  +", row) for row in rows]


async def test_ls_lists_what_waits_and_what_runs_of_the_whole_tenant(server: Live) -> None:
    sdk = server.sdk("ann")
    thread_id = (await sdk.threads.create())["thread_id"]
    first = await sdk.runs.create(thread_id, "steps", input={"delay": 5})
    second = await sdk.runs.create(thread_id, "echo", input=said("hi"))
    waits, for_later = await later(server)
    names = [f"{thread_id}:{first['run_id']}", f"{thread_id}:{second['run_id']}", f"{waits}:{for_later}"]

    async def at_a_node() -> bool:
        [row] = await listed(server, "--status", "running")
        return row[-1] == "first"

    await wait_until(at_a_node, "a run that says where it is")
    running, behind, last = await listed(server)
    assert [running[0], behind[0], last[0]] == names
    assert running[1:5] == ["running", "steps", "ann", "1"]
    assert behind[1:4] == ["pending", "echo", "ann"]
    assert last[5].startswith("in ")
    assert [row[0] for row in await listed(server, "--status", "pending")] == names[1:]
    assert (await say(server, "runs", "ls", "--limit", "1")).splitlines()[-1] == (
        "(2 more: --limit shows them)"
    )
    told = orjson.loads(await say(server, "runs", "ls", "--json"))
    assert [one["run_id"] for one in told] == [name.partition(":")[2] for name in names]


async def test_show_says_how_a_run_stands_and_cancel_ends_it(server: Live) -> None:
    sdk = server.sdk("ann")
    thread_id = (await sdk.threads.create())["thread_id"]
    run = await sdk.runs.create(thread_id, "steps", input={"delay": 30}, stream_mode="updates")
    name = f"{thread_id}:{run['run_id']}"

    async def taken_up() -> bool:
        return len(await listed(server, "--status", "running")) == 1

    await wait_until(taken_up, "the run is taken up")
    shown = await say(server, "runs", "show", name)
    assert f"run {name}\n  status   running\n" in shown
    assert re.search(r"\n  worker   \S+, heard of \d+ ms ago\n", shown)
    assert re.search(r"\nwhat happened\n.*attempt +1", shown)
    told = orjson.loads(await say(server, "runs", "show", name, "--json"))
    assert (told["status"], told["owner"], told["attempt"]) == ("running", "ann", 1)
    assert await say(server, "runs", "cancel", name, "--wait") == f"{name}: ended\n"
    assert (await sdk.runs.get(thread_id, run["run_id"]))["status"] == "interrupted"
    with pytest.raises(StartError, match="No matching run to cancel"):
        await say(server, "runs", "cancel", name)


async def test_a_rollback_takes_back_what_the_run_did(server: Live) -> None:
    thread_id, run_id = await later(server)
    name = f"{thread_id}:{run_id}"
    assert await say(server, "runs", "cancel", name, "--rollback") == f"{name}: is asked to end\n"
    with pytest.raises(StartError, match="not found"):
        await say(server, "runs", "show", name)


async def test_a_failed_run_is_listed_shown_and_tried_again(
    server: Live, noted: Callable[[], list[str]]
) -> None:
    thread_id, run_id = await failed(server, "stumbling")
    name = f"{thread_id}:{run_id}"
    [row] = await listed(server, "--status", "failed")
    assert (row[0], row[1], row[-1]) == (name, "error", "boom, once")
    assert "  error    ValueError: boom, once\n" in await say(server, "runs", "show", name)
    told = await say(server, "runs", "retry", name)
    again = told.partition(":")[2].partition(":")[0]
    assert re.fullmatch(rf"{thread_id}:{again}: (pending|running|success), goes on with {run_id}\n", told)
    values: Json = await server.sdk("ann").runs.join(thread_id, again)
    assert values["log"] == ["did None", "went on"]
    assert noted() == [f"effect {thread_id} None"], "no effect is repeated"
    assert await listed(server, "--status", "failed") == []
    assert f"  goes on with  {run_id}\n" in await say(server, "runs", "show", f"{thread_id}:{again}")
    # asked again, by somebody else too, it is the same run
    told = orjson.loads(await say(server, "runs", "retry", name, "--json", who="joe"))
    assert told["run_id"] == again


async def test_what_cannot_be_tried_again(server: Live) -> None:
    sdk = server.sdk("ann")
    thread_id = (await sdk.threads.create())["thread_id"]
    run = await sdk.runs.create(thread_id, "echo", input=said("hi"))
    await sdk.runs.join(thread_id, run["run_id"])
    with pytest.raises(StartError, match="The run is success: only one that has failed"):
        await say(server, "runs", "retry", f"{thread_id}:{run['run_id']}")
    thread_id, run_id = await failed(server)
    since = await sdk.runs.create(thread_id, "echo", input=said("hi"))
    await sdk.runs.join(thread_id, since["run_id"])
    with pytest.raises(StartError, match=f"The thread has gone on since, with run {since['run_id']}"):
        await say(server, "runs", "retry", f"{thread_id}:{run_id}")
    with pytest.raises(StartError, match=r"^x names no run"):
        await say(server, "runs", "retry", "x")


async def test_a_retry_that_fails_too_can_be_tried_again(server: Live) -> None:
    thread_id, run_id = await failed(server)
    again = orjson.loads(await say(server, "runs", "retry", f"{thread_id}:{run_id}", "--json"))["run_id"]
    await server.sdk("ann").runs.join(thread_id, again)
    third = orjson.loads(await say(server, "runs", "retry", f"{thread_id}:{again}", "--json"))
    assert third["retries"] == again
    await server.sdk("ann").runs.join(thread_id, third["run_id"])
    state: Json = await server.sdk("ann").threads.get_state(thread_id)
    assert state["values"]["log"] == ["step 0"], "its first step was done once"


async def test_a_run_that_never_came_to_a_checkpoint_is_given_its_input_again(server: Live) -> None:
    thread_id, run_id = await given_up(server)
    sdk = server.sdk("ann")
    again = orjson.loads(await say(server, "runs", "retry", f"{thread_id}:{run_id}", "--json"))["run_id"]
    values: Json = await sdk.runs.join(thread_id, again)
    assert [one["content"] for one in values["messages"]] == ["hi", "echo: hi"]


async def test_a_question_that_the_failed_run_answered_is_not_answered_by_the_retry(
    server: Live, noted: Callable[[], list[str]]
) -> None:
    sdk = server.sdk("ann")
    thread_id = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(thread_id, "stumbling_ask", input=said("hi"))
    run = await sdk.runs.create(thread_id, "stumbling_ask", command={"resume": "yes"})
    await sdk.runs.join(thread_id, run["run_id"])
    # The question was left behind: the answer is in a checkpoint, the effect is done, the last node is not.
    again = orjson.loads(await say(server, "runs", "retry", f"{thread_id}:{run['run_id']}", "--json"))
    values: Json = await sdk.runs.join(thread_id, again["run_id"])
    assert values["log"] == ["did yes", "went on"]
    assert noted() == [f"effect {thread_id} yes"]


async def test_only_staff_may(server: Live) -> None:
    thread_id, run_id = await failed(server)
    for words in (("ls",), ("show", f"{thread_id}:{run_id}"), ("retry", f"{thread_id}:{run_id}")):
        with pytest.raises(StartError, match=r"^This is for staff\.$"):
            await say(server, "runs", *words, who="ann", roles=())


def test_ages_are_short() -> None:
    told = [age(timedelta(seconds=seconds)) for seconds in (0.24, 59, 90, 5400, 90_000, -60)]
    assert told == ["0.2s", "59.0s", "1.5m", "1.5h", "1.0d", "in 1.0m"]
