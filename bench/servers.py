"""The servers under load: processes of their own on free ports, their data in temporary folders."""

import importlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from holdfast.redis.embedded import embedded

ROOT = Path(__file__).resolve().parents[1]
BENCH = ROOT / "bench" / "langgraph.json"
READY_S = 90.0
STOP_S = 15.0
POLL_S = 0.01
OURS = ("HOLDFAST_", "OPENAI_", "REDIS_URL", "SHOP_", "CHECKPOINTER")
THEIRS = ("LANGSMITH_", "LANGCHAIN_", "LANGGRAPH_")


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers; `pids` are the roots of its processes, by name."""

    port: int
    ready_s: float
    pids: dict[str, int]
    redis_url: str = ""


@dataclass(frozen=True, slots=True)
class Database:
    url: str
    pid: int


class NotReady(Exception):
    """Says which server did not start, and the end of what it wrote."""


@contextmanager
def holdfast_dev(
    folder: Path, config: Path = BENCH, *, settings: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """`holdfast dev`: API, worker and Valkey started by one command."""
    port = free_port()
    command = holdfast("dev", "--config", str(config), "--port", str(port))
    with process(command, folder, settings=settings, HOLDFAST_DATA=str(folder / "data")) as started:
        yield Server(port, wait_ready(started, port, folder), {"dev": started.pid})


@contextmanager
def holdfast_apart(
    folder: Path,
    config: Path = BENCH,
    *,
    workers: int = 1,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """One `holdfast serve` and so many `holdfast worker` on a Valkey set up like the embedded one."""
    port = free_port()
    with ExitStack() as stack:
        url = stack.enter_context(embedded(folder / "data"))
        serve = holdfast("serve", "--config", str(config), "--port", str(port))
        api = stack.enter_context(process(serve, folder, settings=settings, REDIS_URL=url))
        # Valkey is the bench's own child here.
        pids = {"serve": api.pid, "valkey": valkey_pid(url)}
        for number in range(workers):
            work = holdfast("worker", "--config", str(config))
            working = process(work, folder / f"worker{number or ''}", settings=settings, REDIS_URL=url)
            pids[f"worker{number or ''}"] = stack.enter_context(working).pid
        yield Server(port, wait_ready(api, port, folder), pids, url)


@contextmanager
def langgraph_dev(
    folder: Path, program: Path, files: Sequence[Path] = (BENCH, BENCH.with_name("graphs.py"))
) -> Iterator[Server]:
    """`langgraph dev` on a copy of the project's files, because it writes beside them."""
    port = free_port()
    for file in files:
        shutil.copy(file, folder)
    command = [str(program), "dev", "--no-browser", "--no-reload", "--host", "127.0.0.1", "--port", str(port)]
    with process([*command, "--server-log-level", "warning"], folder, cwd=folder) as started:
        yield Server(port, wait_ready(started, port, folder), {"dev": started.pid})


@contextmanager
def aegra(folder: Path, program: Path) -> Iterator[Server]:
    """`aegra serve` with its defaults on a Postgres with its own: runs are tasks of its one process."""
    port, home = free_port(), folder / "project"
    home.mkdir(parents=True)
    shutil.copy(BENCH.with_name("graphs.py"), home)
    (home / "aegra.json").write_text(json.dumps({"graphs": json.loads(BENCH.read_text())["graphs"]}))
    with postgres(folder / "postgres") as database:
        settings = {"DATABASE_URL": database.url, "LOG_LEVEL": "WARNING"}
        command = [str(program), "serve", "--host", "127.0.0.1", "--port", str(port)]
        with process(command, folder, cwd=home, settings=settings) as started:
            ready_s = wait_ready(started, port, folder, path="/health")
            yield Server(port, ready_s, {"aegra": started.pid, "postgres": database.pid})


@contextmanager
def postgres(folder: Path) -> Iterator[Database]:
    """With its default settings: each commit is on the disk. Needs pgserver."""
    pgserver: Any = importlib.import_module("pgserver")
    with pgserver.get_server(folder, cleanup_mode="delete") as server:
        yield Database(server.get_uri(), server.get_pid())


@contextmanager
def null(folder: Path) -> Iterator[Server]:
    port = free_port()
    with process([sys.executable, "-m", "bench.null", str(port)], folder) as started:
        yield Server(port, wait_ready(started, port, folder), {"null": started.pid})


def valkey_pid(url: str) -> int:
    with redis.Redis.from_url(url) as asked:
        return int(asked.info("server")["process_id"])


def holdfast(*args: str) -> list[str]:
    return [sys.executable, "-m", "holdfast", *args]


@contextmanager
def process(
    command: Sequence[str],
    folder: Path,
    *,
    cwd: Path = ROOT,
    settings: Mapping[str, str] | None = None,
    **environment: str,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process with none of the developer's own settings; its output goes to `log` in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS + THEIRS)}
    # Set, though empty: what a developer's .env says must not be measured.
    ours = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "LANGSMITH_TRACING": "false"}
    env = {**kept, **ours, **(settings or {}), **environment}
    with (folder / "log").open("wb") as log:
        started = subprocess.Popen(
            command, cwd=cwd, env=env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield started
    finally:
        end(started)


def end(started: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        if started.poll() is None:
            os.killpg(started.pid, number)  # its own group: it was started in a session of its own
        try:
            started.wait(STOP_S)
        except subprocess.TimeoutExpired:
            continue
        return


def wait_ready(started: subprocess.Popen[bytes], port: int, folder: Path, path: str = "/ok") -> float:
    """Seconds until the path was answered. Raises `NotReady`."""
    begun = time.perf_counter()
    while started.poll() is None and time.perf_counter() < begun + READY_S:
        if answers(port, path):
            return time.perf_counter() - begun
        time.sleep(POLL_S)
    written = (folder / "log").read_text(errors="replace")[-800:]
    raise NotReady(f"a server did not get ready; the end of what it wrote:\n{written}")


def answers(port: int, path: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), READY_S) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
            return connection.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port
