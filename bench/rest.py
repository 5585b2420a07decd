"""What servers take while nobody asks them anything: their start, their memory, their talk with Redis."""

import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import redis

from bench import servers
from bench.load import Scenario, drive, streaming
from bench.measures import APART, DEV, Bar, Length, Row
from bench.memory import pss_mb, rss_mb
from bench.peers import Peers
from bench.servers import BENCH, ROOT, Server

SUPPORT = ROOT / "langgraph.json"
TALK = streaming("support", ["values"], {"messages": [{"role": "user", "content": "hello"}]})
SETTLE_S = 2.0

Figures = dict[str, dict[str, list[float]]]  # by measure, by server, one a start


def start_rows(folder: Path, peers: Peers, length: Length) -> Iterator[Row]:
    """Start and memory, with the agent of this project, and with the small graphs that the peers have too."""
    found: Figures = defaultdict(lambda: defaultdict(list))
    for number in range(length.starts + 1):
        if number == 1:
            found.clear()  # the first start read from the disk what the others find in memory
        at = folder / str(number)
        start(found, " with the agent", DEV, servers.holdfast_dev(made(at / "agent"), SUPPORT), TALK)
        start(found, "", DEV, servers.holdfast_dev(made(at / "dev"), BENCH))
        start(found, "", APART, servers.holdfast_apart(made(at / "apart"), BENCH))
        for name, peer in peers.items():
            start(found, "", name, peer.start(made(at / name)))
    yield row(found, "ready with the agent", "s", Bar(5, "<= 5 s"))
    yield row(found, "ready", "s")
    yield row(found, "PSS at rest with the agent", "MB", Bar(260, "<= 260 MB"))
    yield row(found, "PSS at rest with the agent, after a talk", "MB")
    yield row(found, "PSS at rest", "MB")
    yield worker_row(made(folder / "worker"))


def worker_row(folder: Path) -> Row:
    with servers.holdfast_apart(folder, SUPPORT) as server:
        drive(server.port, TALK, 1, 0.1)
        time.sleep(SETTLE_S)
        figures = {APART: rss_mb(server.pids["worker"])}
    return Row(
        "RSS of a worker with the agent", "MB", bars=(Bar(200, "<= 200 MB", of=APART),), figures=figures
    )


def start(
    found: Figures, graphs: str, name: str, kind: AbstractContextManager[Server], talk: Scenario | None = None
) -> None:
    with kind as server:
        found[f"ready{graphs}"][name].append(server.ready_s)
        weigh(found[f"PSS at rest{graphs}"][name], server)
        if talk:
            drive(server.port, talk, 1, 0.1)
            weigh(found[f"PSS at rest{graphs}, after a talk"][name], server)


def weigh(into: list[float], server: Server) -> None:
    """Adds the memory of the server's processes, Valkey among them."""
    time.sleep(SETTLE_S)
    parts = [pss_mb(pid) for pid in server.pids.values()]
    if all(parts):
        into.append(sum(part or 0 for part in parts))


def row(found: Figures, name: str, unit: str, *bars: Bar, later: str = "") -> Row:
    figures = {server: statistics.median(values) for server, values in found[name].items() if values}
    return Row(name, unit, bars=bars, later=later, figures=figures)


def idle_row(folder: Path, length: Length) -> Row:
    """Commands a second that the server counts while there is nothing to do."""
    with (
        servers.holdfast_apart(folder) as server,
        redis.Redis.from_url(server.redis_url) as asked,
    ):
        drive(server.port, streaming("noop", ["values"]), 1, 0.1)  # when it ends, the worker is up too
        time.sleep(SETTLE_S)
        before, begun = commands(asked), time.perf_counter()
        time.sleep(length.idle_s)
        figure = (commands(asked) - before - 1) / (time.perf_counter() - begun)
    return Row("Redis commands of an idle API and worker", "1/s", later="<= 10", figures={APART: figure})


def commands(asked: redis.Redis) -> int:
    return int(asked.info("stats")["total_commands_processed"])


def made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
