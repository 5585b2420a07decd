"""Servers that stand in for each other: a cluster, and a master with a replica that Sentinels watch."""

import random
import secrets
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from holdfast.redis.embedded import binary, die_with_parent
from tests.servers import free_port
from tests.waiting import wait_until

MASTERS = 3
SLOTS = 16384
QUIET = ("--save", "", "--loglevel", "notice", "--repl-diskless-sync-delay", "0")


def steady_port() -> int:
    """A free port below those that connections get: nobody else takes it while its server is away."""
    while True:
        port = random.randrange(12_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@dataclass
class Node:
    """A server process; `options` as on its command line."""

    folder: Path
    options: tuple[str, ...] = ()
    password: str = ""
    program: Path = field(default_factory=binary)
    port: int = field(default_factory=steady_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self, *first: str, plain: bool = True) -> None:
        """`plain` is without TLS."""
        self.folder.mkdir(exist_ok=True)
        port = ("--port", str(self.port)) if plain else ("--port", "0", "--tls-port", str(self.port))
        given = (*port, "--dir", str(self.folder), "--bind", "127.0.0.1")
        log = ("--logfile", str(self.folder / "log"))
        command = [str(self.program), *first, *given, *log, *self.options]
        self.process = subprocess.Popen(
            command, preexec_fn=die_with_parent(), start_new_session=True, stdout=subprocess.DEVNULL
        )

    async def ask(self, *command: str | int) -> Any:
        async with Redis(port=self.port, password=self.password or None, socket_timeout=2) as redis:
            return await redis.execute_command(*command)  # type: ignore[no-untyped-call]

    async def says(self, section: str, text: str) -> bool:
        """Whether a section of INFO, or CLUSTER INFO, has a line."""
        command = ("CLUSTER", "INFO") if section == "cluster" else ("INFO", section)
        try:
            told = await self.ask(*command)
        except RedisError:
            return False
        lines = told.decode().split() if isinstance(told, bytes) else [f"{k}:{v}" for k, v in told.items()]
        return text in lines

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()


@dataclass
class Cluster:
    """Three masters, and a replica of each."""

    nodes: list[Node]

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes[:MASTERS])

    async def whole(self) -> None:
        """Waits until each master has its replica beside it, and all agree that the cluster works."""

        async def agreed() -> bool:
            up = [await node.says("cluster", "cluster_state:ok") for node in self.nodes]
            synced = [await node.says("replication", "master_link_status:up") for node in self.nodes]
            return all(up) and synced.count(True) == len(self.nodes) - MASTERS

        await wait_until(agreed, "the cluster is whole", 60, every_s=0.05)

    async def masters(self) -> list[Node]:
        return [node for node in self.nodes if await node.says("replication", "role:master")]


def nodes(folder: Path, count: int, *options: str, **more: Any) -> list[Node]:
    return [Node(folder / str(number), (*QUIET, *options), **more) for number in range(count)]


@asynccontextmanager
async def cluster() -> AsyncIterator[Cluster]:
    with TemporaryDirectory(prefix="hf-", dir="/tmp") as folder:
        made = nodes(
            Path(folder),
            2 * MASTERS,
            *("--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--appendonly", "yes"),
        )
        try:
            for node in made:
                node.options += ("--cluster-port", str(steady_port()))
                node.start()
            yield await formed(made)
        finally:
            for node in made:
                node.kill()


async def formed(made: list[Node]) -> Cluster:
    await wait_until(answering(made), "the nodes answer")
    for place, node in enumerate(made[:MASTERS]):
        start, end = (SLOTS * part // MASTERS for part in (place, place + 1))
        await node.ask("CLUSTER", "ADDSLOTSRANGE", start, end - 1)
        # Two masters of the same epoch would have to settle that first.
        await node.ask("CLUSTER", "SET-CONFIG-EPOCH", place + 1)

    async def met() -> bool:
        if all([await node.says("cluster", f"cluster_known_nodes:{len(made)}") for node in made]):
            return True
        for node in made[1:]:  # again and again: on a busy machine a handshake is given up
            await node.ask("CLUSTER", "MEET", "127.0.0.1", made[0].port, int(made[0].options[-1]))
        return False

    await wait_until(met, "the nodes have met", 30, every_s=0.5)
    for replica, master in zip(made[MASTERS:], made, strict=False):
        await replica.ask("CLUSTER", "REPLICATE", (await master.ask("CLUSTER", "MYID")).decode())
    whole = Cluster(made)
    await whole.whole()
    return whole


def answering(made: list[Node]) -> Callable[[], Awaitable[bool]]:
    async def answer() -> bool:
        return all([await node.says("server", "tcp_port:" + str(node.port)) for node in made])

    return answer


@dataclass
class Watched:
    """A master and its replica, and the Sentinels that watch them."""

    master: Node
    replica: Node
    sentinels: list[Node]
    password: str

    @property
    def url(self) -> str:
        """The first Sentinel is one that nobody runs: the next one is asked."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in (free_port(), *(one.port for one in self.sentinels)))
        return f"redis+sentinel://:{self.password}@{hosts}/main/0"


@asynccontextmanager
async def watched() -> AsyncIterator[Watched]:
    password = secrets.token_hex(8)
    with TemporaryDirectory(prefix="hf-", dir="/tmp") as folder:
        asked = ("--appendonly", "yes", "--requirepass", password, "--masterauth", password)
        master, replica = nodes(Path(folder), 2, *asked, password=password)
        replica.options += ("--replicaof", f"127.0.0.1 {master.port}")
        sentinels = [Node(Path(folder) / f"sentinel-{number}") for number in range(3)]
        made = Watched(master, replica, sentinels, password)
        try:
            for node in (master, replica):
                node.start()
            await wait_until(answering([master, replica]), "the servers answer")
            for node in sentinels:
                start_sentinel(node, master, password)

            async def ready() -> bool:
                told = [await node.ask("SENTINEL", "MASTER", "main") for node in sentinels]
                return all((one[b"num-slaves"], one[b"num-other-sentinels"]) == (b"1", b"2") for one in told)

            await wait_until(answering(sentinels), "the Sentinels answer")
            await wait_until(ready, "the Sentinels know the replica and each other", 60, every_s=0.05)
            yield made
        finally:
            for node in (master, replica, *sentinels):
                node.kill()


def start_sentinel(node: Node, master: Node, password: str) -> None:
    node.folder.mkdir()
    configuration = node.folder / "sentinel.conf"
    configuration.write_text(
        f"sentinel monitor main 127.0.0.1 {master.port} 2\n"
        f"sentinel auth-pass main {password}\n"
        "sentinel down-after-milliseconds main 1000\n"
        "sentinel failover-timeout main 5000\n"
    )
    node.start(str(configuration), "--sentinel")
