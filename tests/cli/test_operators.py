"""Commands of operators in processes of their own, beside servers that run."""

import asyncio
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from langgraph_sdk import get_client

from holdfast.redis.embedded import MAX_SOCKET_PATH, embedded, running_on
from tests.api.test_erasure import HOOKED, people
from tests.api.visitors import Visitor, live_a_life
from tests.cli.test_start import CONFIG, dev
from tests.servers import holdfast, live, said
from tests.waiting import wait_until

__all__ = ["people"]

HEAD = "THREAD  STATUS  OWNER  GRAPH  RUNS  CHANGED"


async def said_by(*words: str, beside: dict[str, str], code: int = 0) -> str:
    async with holdfast(*words, **beside) as process:
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == code, output.decode()
        return output.decode()


@pytest.fixture
def data() -> Iterator[Path]:
    with TemporaryDirectory(prefix="hf-", dir="/tmp") as folder:
        yield Path(folder) / "data"


async def test_beside_a_dev_with_a_server_of_its_own(data: Path, tmp_path: Path) -> None:
    beside = {"HOLDFAST_DATA": str(data)}
    words = ("--config", CONFIG)
    canary = f"canary{uuid.uuid4().hex}"
    async with dev(data) as (_, url):
        sdk = get_client(url=url)
        thread = await sdk.threads.create(metadata={"said": canary})
        thread_id = thread["thread_id"]
        notes: Any = {"notes": str(tmp_path / "notes"), "delay": 0}
        await sdk.runs.wait(thread_id, "steps", input=notes)
        await sdk.aclose()
        head, row = (await said_by("threads", "ls", *words, beside=beside)).splitlines()
        assert head.startswith("THREAD")
        assert row.split()[:5] == [thread_id, "idle", "demo", "steps", "1"]
        tailed = await said_by("threads", "tail", thread_id, "--once", "--lines", "1", *words, beside=beside)
        assert tailed.split()[3] == "end"
        assert await asyncio.to_thread(on_disk, data, canary)
        erased = await said_by("erase", "demo", "--yes", *words, beside=beside)
        assert "  threads      1\n" in erased
        assert await said_by("threads", "ls", *words, beside=beside) == f"{HEAD}\n"

        async def forgotten() -> bool:
            return not await asyncio.to_thread(on_disk, data, canary)

        await wait_until(forgotten, "the append-only file is written anew")


def on_disk(folder: Path, text: str) -> bool:
    """Whether any file in a folder holds a text."""
    for file in [file for file in folder.rglob("*") if file.is_file()]:
        try:
            if text.encode() in file.read_bytes():
                return True
        except FileNotFoundError:  # the one that was written anew has taken its place
            continue
    return False


def test_a_server_is_found_however_long_the_way_to_its_data_is(data: Path) -> None:
    far = data / ("x" * MAX_SOCKET_PATH)
    assert running_on(far) is None
    for _ in range(2):  # also when the last one has left its link behind
        with embedded(far) as url:
            assert running_on(far) == url
        assert running_on(far) is None


async def test_where_nothing_runs(data: Path) -> None:
    told = await said_by("threads", "ls", "--config", CONFIG, code=2, beside={"HOLDFAST_DATA": str(data)})
    assert told == (
        f"holdfast: No Holdfast runs on {data}: start one with `holdfast dev`, or set REDIS_URL to the Redis "
        "that keeps the threads.\n"
    )


async def test_tail_follows_until_ctrl_c(redis_url: str) -> None:
    async with live(redis_url) as server:
        sdk = server.sdk("ann")
        thread_id = (await sdk.threads.create())["thread_id"]
        beside = {"REDIS_URL": redis_url, "HOLDFAST_PREFIX": server.platform.keys.prefix}
        async with holdfast("threads", "tail", thread_id, "--config", CONFIG, **beside) as process:
            assert process.stdout is not None
            channel = server.platform.keys.events(thread_id)

            async def followed() -> bool:
                _, readers = await server.platform.client.call("PUBSUB", "SHARDNUMSUB", channel)
                return bool(readers == 1)

            await wait_until(followed, "the thread is followed", 30)
            await sdk.runs.wait(thread_id, "echo", input=said("hi"))
            modes = []
            while "end" not in modes:
                line = await asyncio.wait_for(process.stdout.readline(), 15)
                modes.append(line.decode().split()[3])
            assert modes[0] == "metadata"
            process.send_signal(signal.SIGINT)
            rest, _ = await asyncio.wait_for(process.communicate(), 15)
            assert (process.returncode, rest) == (0, b"")
        await sdk.threads.delete(thread_id)


async def test_an_erasure_that_is_killed_is_finished_by_the_next(redis_url: str, people: Path) -> None:
    async with live(redis_url, config=HOOKED) as server:
        visitor = Visitor(server)
        await live_a_life(visitor, people)
        (people / "wait").touch()
        told = ("erase", visitor.name, "--yes", "--config", str(HOOKED))
        beside = {
            "REDIS_URL": redis_url,
            "HOLDFAST_PREFIX": server.platform.keys.prefix,
            "SERVED_PEOPLE": str(people),
        }
        async with holdfast(*told, **beside) as process:

            async def hook_waits() -> bool:
                return not await visitor.traces()

            await wait_until(hook_waits, "the platform's part is done", 60)
            assert (people / visitor.name).exists()
            process.kill()
            await process.communicate()
        (people / "wait").unlink()
        output = await said_by(*told, beside=beside)
        assert "erased by the project\n  people  1\n" in output
        assert visitor.name not in output
        assert not (people / visitor.name).exists()
        assert await visitor.traces() == []
