"""Processes that serve the graphs of this folder, forked; what they say is kept in files."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from holdfast.cli import processes, serving
from holdfast.project import load_project
from holdfast.settings import Settings
from tests import zygote as parents
from tests.chaos.failing import arm
from tests.servers import clean_environment
from tests.zygote import Forked

CONFIG = Path(__file__).parent / "langgraph.json"


@dataclass
class Child:
    process: Forked
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def ended(self) -> bool:
        return self.process.returncode is not None

    @property
    def ready(self) -> bool:
        """Whether it is at work: it has said its name."""
        return not self.ended and self.log.stat().st_size > 0

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    async def wait(self, timeout_s: float) -> None:
        async with asyncio.timeout(timeout_s):
            await self.process.wait()


class Zygote:
    """What they are forked from, and all that were."""

    def __init__(self, parent: parents.Zygote, folder: Path) -> None:
        self.children: dict[int, Child] = {}
        self._parent = parent
        self._folder = folder

    def fork(self, kind: str, *args: str, **environment: str) -> Child:
        """Starts a worker, or an API process that serves on a port, under these settings."""
        log = self._folder / f"{kind}-{len(self.children)}.log"
        with log.open("wb") as output:
            told = {**clean_environment(), **environment}
            process = self._parent.fork((kind, *args), told, output.fileno(), f"{__name__}:begin")
        self.children[process.pid] = Child(process, log)
        return self.children[process.pid]

    async def end(self) -> None:
        for child in self.children.values():
            child.send(signal.SIGKILL)
        for child in self.children.values():
            await child.wait(10)


@asynccontextmanager
async def zygote(folder: Path) -> AsyncIterator[Zygote]:
    """Logs of the children are kept in `folder`; what still runs at the end is killed."""
    parent = parents.Zygote(__name__)
    await asyncio.to_thread(parent.start)
    running = Zygote(parent, folder)
    try:
        yield running
        await running.end()
    finally:
        parent.stop()


# in the children


def begin() -> None:
    """What the command does, without its options: they would take more time than the fork."""
    if point := os.environ.get("CHAOS_FAIL_AT"):
        arm(point)
    kind, *args = sys.argv[1:]
    processes.run(KINDS[kind], CONFIG, *args)


async def serve(settings: Settings, config: Path, port: str) -> None:
    await serving.serve(settings, config, "127.0.0.1", int(port))


KINDS: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {"worker": processes.work, "serve": serve}


if __name__ == "__main__":
    for part in parents.PARTS:
        import_module(part)
    load_project(CONFIG)
    parents.run(parents.serve())
