"""`holdfast` in processes forked from a parent that has everything imported: a start costs a tenth.

The parent (`python -m tests.zygote`) has no threads and no event loop, opens nothing, and is told over a
socket what to fork. Its children end with it, and it with whoever started it.
"""

import asyncio
import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from holdfast.redis.embedded import die_with_parent

ROOT = Path(__file__).parent.parent
MAIN = "holdfast.cli:main"
PARTS = ("holdfast.cli.commands", "holdfast.cli.serving", "graph.agent", "graph.reconcile", "graph.web")


class Zygote:
    """The driver's end of the socket. What `environment` has a Python load at its start, as by PYTHONPATH, is
    in all children."""

    def __init__(self, module: str = __name__, environment: Mapping[str, str] | None = None) -> None:
        self._command = (sys.executable, "-m", module)
        self._environment = environment
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def start(self) -> None:
        """Returns when it is ready; at once, if it is already."""
        with self._lock:
            if self._socket is None:
                ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                with its:
                    self._process = subprocess.Popen(
                        self._command, cwd=ROOT, env=self._environment, stdin=its.fileno()
                    )
                assert ours.recv(16) == b"ready", "it did not start"
                self._socket = ours

    def stop(self) -> None:
        """Ends it, and whatever runs of its children."""
        if self._socket and self._process:
            self._socket.close()
            self._process.wait()
            self._socket = self._process = None

    def fork(
        self, args: Sequence[str], environment: Mapping[str, str], output: int, entry: str = MAIN
    ) -> "Forked":
        """`holdfast` with these words and this environment; what it prints goes to `output`."""
        assert self._socket, "it was not started"
        told, tell = os.pipe()
        order = {"args": args, "environment": environment, "entry": entry}
        socket.send_fds(self._socket, [json.dumps(order).encode()], [output, tell])
        os.close(tell)
        return Forked(int(self._socket.recv(16)), told)


class Forked:
    """A forked process, with the face of asyncio's."""

    def __init__(self, pid: int, told: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.ended_at = 0  # ns, monotonic
        self.stdout: asyncio.StreamReader | None = None
        self._following = asyncio.create_task(self._follow(told))

    async def _follow(self, told: int) -> None:
        end = (await (await opened(told)).read()).split() or (-signal.SIGKILL, time.monotonic_ns())
        self.returncode, self.ended_at = map(int, end)

    async def wait(self) -> int | None:
        await asyncio.shield(self._following)
        return self.returncode

    async def communicate(self) -> tuple[bytes, None]:
        output = await self.stdout.read() if self.stdout else b""
        await self.wait()
        return output, None

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with suppress(ProcessLookupError):  # it has ended by itself just now
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


async def opened(pipe: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(pipe, "rb", 0))
    return reader


async def forked(zygote: Zygote, args: Sequence[str], environment: Mapping[str, str]) -> Forked:
    """One whose output is to be read."""
    await asyncio.to_thread(zygote.start)
    ours, its = os.pipe()
    try:
        process = zygote.fork(args, environment, its)
    finally:
        os.close(its)
    process.stdout = await opened(ours)
    return process


# in the parent


def serve() -> dict[str, Any]:
    """Forks what it is told to; returns in each child, with its order."""
    gc.collect()
    gc.freeze()
    assert threading.active_count() == 1, "a process with threads cannot be forked"
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it ends it
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    children: dict[int, int] = {}
    with socket.socket(fileno=os.dup(0)) as driver, selectors.DefaultSelector() as selector:
        selector.register(driver, selectors.EVENT_READ)
        selector.register(reader, selectors.EVENT_READ)
        driver.send(b"ready")
        while True:
            for key, _ in selector.select():
                if key.fd == reader:
                    os.read(reader, 65536)
                    reap(children)
                    continue
                message, (*descriptors,), *_ = socket.recv_fds(driver, 1 << 20, 2)
                if not message:
                    sys.exit()
                tie = die_with_parent()
                output, told = descriptors
                if pid := os.fork():
                    children[pid] = told
                    os.close(output)
                    driver.send(str(pid).encode())
                    continue
                if tie:
                    tie()
                become_child(output, [reader, writer, told, *children.values()])
                order: dict[str, Any] = json.loads(message)
                return order


def become_child(output: int, others: list[int]) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for descriptor in (output, *others):
        os.close(descriptor)
    # Those of the parent know what its own were, as whether one can seek in them.
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)


def reap(children: dict[int, int]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with suppress(BrokenPipeError), open(children.pop(pid), "wb") as told:  # nobody may want to know
            told.write(b"%d %d" % (os.waitstatus_to_exitcode(status), time.monotonic_ns()))


def run(order: Mapping[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = ["holdfast", *order["args"]]
    module, _, function = order["entry"].partition(":")
    getattr(import_module(module), function)()


if __name__ == "__main__":
    for part in PARTS:
        import_module(part)
    run(serve())
