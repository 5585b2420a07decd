"""Thousands of odd requests to a server: none is answered by an error of the server, or in a form unknown."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from tests.chaos.sites import Report
from tests.chaos.zygote import Zygote
from tests.servers import ROOT, clean_environment, free_port, holdfast, wait_ready
from tests.zygote import Forked

CONFIG = Path(__file__).parent / "served" / "langgraph.json"
CASES = 5_300
UNEXPECTED = '"unexpected error"'


@asynccontextmanager
async def served(folder: str) -> AsyncIterator[tuple[str, list[str]]]:
    """API, worker and Valkey in one process: its URL, and in the end its lines."""
    port, lines = free_port(), list[str]()
    environment = {"HOLDFAST_DATA": folder, "HOLDFAST_LOG_FORMAT": "json", "HOLDFAST_RUN_TIMEOUT_S": "5"}
    arguments = ("dev", "--config", str(CONFIG), "--port", str(port))
    async with holdfast(*arguments, **environment) as process:
        reading = asyncio.create_task(read(process))
        url = f"http://127.0.0.1:{port}"
        try:
            await wait_ready(url, 60)
            yield url, lines
        finally:
            process.terminate()
            lines += await reading
            await process.wait()


async def read(process: Forked) -> list[str]:
    assert process.stdout
    return [line.decode(errors="replace") async for line in process.stdout]


async def attack(url: str, cases: int) -> Report:
    """The requests, made by a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.fuzz", url, str(cases)), cwd=ROOT, env=clean_environment(), stdout=PIPE
    )
    told, _ = await process.communicate()
    if process.returncode != 0:
        return Report(problems=[f"tests.fuzz ended with {process.returncode}"])
    return Report(**orjson.loads(told))


async def fuzz(_zygote: Zygote, _folder: Path, share: float) -> Report:
    with TemporaryDirectory(prefix="hf-", dir="/tmp") as folder:
        async with served(folder) as (url, lines):
            report = await attack(url, round(CASES * share))
    report.problems += [line for line in lines if UNEXPECTED in line]
    return report
