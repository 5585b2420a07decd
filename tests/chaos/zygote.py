"""Processes forked from a parent that has everything imported: a start costs milliseconds instead of seconds.

The parent (`python -m tests.chaos.zygote`) has no threads and no event loop. It is told over a pipe what to
fork, says how each child ended, and ends with whoever started it.
"""

import asyncio
import gc
import json
import os
import selectors
import signal
import sys
import threading
import time
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from holdfast.cli import processes, serving
from holdfast.project import load_project
from holdfast.redis.embedded import die_with_parent
from tests.chaos.failing import arm
from tests.servers import ROOT, clean_environment

CONFIG = Path(__file__).parent / "langgraph.json"
KINDS: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
    "worker": processes.work,
    "serve": serving.serve,
}


@dataclass
class Child:
    """A process; `ended` and `ended_at` (ns, monotonic) are set once it is gone."""

    pid: int
    log: Path
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    ended_at: int = 0

    @property
    def ready(self) -> bool:
        """Whether it is at work: it has said its name."""
        return not self.ended.is_set() and self.log.exists() and self.log.stat().st_size > 0

    def send(self, number: int) -> None:
        if not self.ended.is_set():
            with suppress(ProcessLookupError):  # it has ended by itself just now
                os.kill(self.pid, number)

    async def wait(self, timeout_s: float) -> None:
        async with asyncio.timeout(timeout_s):
            await self.ended.wait()


class Zygote:
    """The driver's end of the pipe."""

    def __init__(self, process: Process, folder: Path) -> None:
        self.children: dict[int, Child] = {}
        self._process = process
        self._folder = folder
        self._asked: deque[tuple[Path, asyncio.Future[Child]]] = deque()

    async def fork(self, kind: str, *args: str | int, **environment: str) -> Child:
        """Starts `holdfast worker` or `holdfast serve` (with host and port) under these settings."""
        assert self._process.stdin
        log = self._folder / f"{kind}-{len(self.children)}.log"
        order = {"kind": kind, "args": args, "environment": environment, "log": str(log)}
        made: asyncio.Future[Child] = asyncio.get_running_loop().create_future()
        self._asked.append((log, made))
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        return await asyncio.shield(made)  # whoever asked may be gone: the child is noted all the same

    async def listen(self) -> None:
        assert self._process.stdout
        async for line in self._process.stdout:
            told = json.loads(line)
            if pid := told.get("started"):
                log, made = self._asked.popleft()
                self.children[pid] = Child(pid, log)
                made.set_result(self.children[pid])
            else:
                child = self.children[told["ended"]]
                child.ended_at = told["at"]
                child.ended.set()

    async def end(self) -> None:
        children = list(self.children.values())
        for child in children:
            child.send(signal.SIGKILL)
        for child in children:
            await child.wait(10)


@asynccontextmanager
async def zygote(folder: Path) -> AsyncIterator[Zygote]:
    """Logs of the children are kept in `folder`; what still runs at the end is killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __spec__.name, cwd=ROOT, env=clean_environment(), stdin=PIPE, stdout=PIPE
    )
    running = Zygote(process, folder)
    listening = asyncio.create_task(running.listen())
    try:
        yield running
        await running.end()
    finally:
        assert process.stdin
        process.stdin.close()
        await process.wait()
        await listening


# in the parent


def serve() -> None:
    load_project(CONFIG)
    gc.collect()
    gc.freeze()
    assert threading.active_count() == 1, "a process with threads cannot be forked"
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
    selector.register(reader, selectors.EVENT_READ)
    orders = b""
    while True:
        for key, _ in selector.select():
            data = os.read(key.fd, 65536)
            if key.fd == reader:
                reap()
            elif data:
                *lines, orders = (orders + data).split(b"\n")
                for line in lines:
                    fork(json.loads(line))
            else:
                return


def fork(order: Mapping[str, Any]) -> None:
    tie = die_with_parent()
    if pid := os.fork():
        tell(started=pid)
        return
    status = 1
    try:
        if tie:
            tie()
        become(order)
        status = 0
    finally:
        os._exit(status)


def become(order: Mapping[str, Any]) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.update(order["environment"])
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if point := os.environ.get("CHAOS_FAIL_AT"):
        arm(point)
    processes.run(KINDS[order["kind"]], CONFIG, *order["args"])


def reap() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        tell(ended=pid, status=os.waitstatus_to_exitcode(status), at=time.monotonic_ns())


def tell(**what: int) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    serve()
