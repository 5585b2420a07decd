"""The processes, as they are started and ended."""

import asyncio
import os
import re
import resource
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from holdfast.cli.serving import listening
from tests.servers import executed, free_port, live, wait_ready
from tests.waiting import wait_until

CONFIG = str(Path(__file__).parent / "started" / "langgraph.json")


@asynccontextmanager
async def dev(data: Path, **environment: str) -> AsyncIterator[tuple[Process, str]]:
    """`holdfast dev`, ready, and its URL."""
    port = free_port()
    settings = {"HOLDFAST_DATA": str(data), "HOLDFAST_LEASE_S": "1", **environment}
    async with executed("dev", "--config", CONFIG, "--port", str(port), **settings) as process:
        await wait_ready(f"http://127.0.0.1:{port}")
        yield process, f"http://127.0.0.1:{port}"


async def ended(process: Process, number: int) -> str:
    """What the process printed until the signal ended it."""
    process.send_signal(number)
    output, _ = await asyncio.wait_for(process.communicate(), 15)
    return output.decode()


def valkeys(data: Path) -> list[int]:
    """The servers that run in a data folder."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if runs_in(entry, data)]


def runs_in(entry: Path, data: Path) -> bool:
    try:
        return (entry / "comm").read_text() == "valkey-server\n" and (entry / "cwd").readlink() == data
    except OSError:  # no process, or one that has just ended
        return False


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data folder; a server that is still there after a failed test is ended."""
    yield tmp_path / "data"
    for pid in valkeys(tmp_path / "data"):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def few_files() -> Iterator[int]:
    """A soft limit of open files that is as low as on many systems; gives the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def gone(data: Path) -> None:
    async def none_left() -> bool:
        return not await asyncio.to_thread(valkeys, data)

    await wait_until(none_left, f"no server runs on {data}")


async def started(sdk: LangGraphClient, notes: Path, delay: float) -> tuple[str, str]:
    thread_id = (await sdk.threads.create())["thread_id"]
    run = await sdk.runs.create(thread_id, "steps", input={"notes": str(notes), "delay": delay})
    return thread_id, run["run_id"]


async def done(sdk: LangGraphClient, thread_id: str) -> list[int]:
    values: Any = (await sdk.threads.get_state(thread_id))["values"]
    return list(values.get("done") or ())


async def test_dev_says_what_it_started_and_ctrl_c_ends_it(data: Path) -> None:
    async with dev(data) as (process, url):
        assert len(await asyncio.to_thread(valkeys, data)) == 1
        output = await ended(process, signal.SIGINT)
        assert process.returncode == 0
        assert await asyncio.to_thread(valkeys, data) == [], "it waits for its server to end"
    assert f"  API     {url}  (reference: {url}/ui/reference)\n  graphs  steps\n" in output
    embedded = rf"  Redis   Valkey 9[\d.]+, embedded, data in {data}\n  runs    in this process\n"
    assert re.search(embedded, output)
    assert f"  try     {url} in a browser, or holdfast chat --url {url}\n" in output
    assert not re.search("Traceback|error|warning", output)


async def test_killed_dev_leaves_nothing_and_goes_on_when_started_again(data: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    async with dev(data) as (process, url):
        sdk = get_client(url=url)
        thread_id, run_id = await started(sdk, notes, delay=0.5)

        async def first_step() -> bool:
            return await done(sdk, thread_id) == [0]

        await wait_until(first_step, "the first step is kept")
        assert len(await asyncio.to_thread(valkeys, data)) == 1
        await ended(process, signal.SIGKILL)
        await sdk.aclose()
    await gone(data)
    async with dev(data) as (process, url):
        sdk = get_client(url=url)
        await sdk.runs.join(thread_id, run_id)
        assert (await sdk.runs.get(thread_id, run_id))["status"] == "success"
        assert await done(sdk, thread_id) == [0, 1, 2]
        await sdk.aclose()
        await ended(process, signal.SIGTERM)
        assert process.returncode == 0
    assert notes.read_text().split() == ["0", "1", "2"], "no step that was done is done again"
    await gone(data)


async def test_dev_uses_the_redis_it_is_given_and_hands_its_runs_back(
    redis_url: str, data: Path, tmp_path: Path
) -> None:
    given = {"REDIS_URL": redis_url, "HOLDFAST_PREFIX": f"start{os.getpid()}"}
    notes = tmp_path / "notes"
    async with dev(data, **given) as (process, url):
        sdk = get_client(url=url)
        thread_id, run_id = await started(sdk, notes, delay=0.5)

        async def first_step() -> bool:
            return await done(sdk, thread_id) == [0]

        await wait_until(first_step, "the first step is kept")
        await sdk.aclose()
        output = await ended(process, signal.SIGINT)
        assert process.returncode == 0
    assert redis_url in output
    assert "embedded" not in output
    assert not await asyncio.to_thread(data.exists)
    assert notes.read_text().split() in (["0"], ["0", "1"]), "a step in hand is ended, no other is begun"
    async with live(redis_url, config=Path(CONFIG), prefix=given["HOLDFAST_PREFIX"]) as other:
        await other.sdk().runs.join(thread_id, run_id)
        await other.sdk().threads.delete(thread_id)
    assert notes.read_text().split() == ["0", "1", "2"]


def test_an_api_process_may_have_as_many_callers_as_the_system_allows(few_files: int) -> None:
    with listening("127.0.0.1", 0):
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (few_files, few_files)
