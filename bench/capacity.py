"""What a deployment has to be given: bytes of Redis a thread, memory and processor time of runs, connections.

    python -m bench.capacity

docs/capacity.md reckons with it. Linux only.
"""

import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import httpx
import redis
from rich.console import Console
from rich.table import Table

from bench.load import drive, waiting
from bench.memory import rss_mb
from bench.report import machine
from bench.rest import SUPPORT
from bench.servers import BENCH, Server, holdfast_apart

QUESTIONS = (
    "Where is my order 12345?",
    "How long does a refund take?",
    "And where is order 12346?",
    "What did I buy with order 12347?",
    "Where is order 12348?",
)
EMPTY, SMALL, TALKS = 200, 200, 10
AT_ONCE, LOAD_S, LOOK_S = 200, 5.0, 0.05
WITHIN_S = 30.0
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Figure(NamedTuple):
    name: str
    value: float
    unit: str


def thread_figures(folder: Path) -> Iterator[Figure]:
    """What threads weigh once the logs of their runs have gone."""
    with asked(folder, SUPPORT) as (server, http, store):
        for _ in range(EMPTY):
            make_thread(http)
        yield Figure("Redis, a thread without runs", weigh(store) / EMPTY, "bytes")
        store.flushdb()
        before = processor_times(server)
        threads = [talk(http) for _ in range(TALKS)]
        spent = processor_times(server)
        turns = TALKS * len(QUESTIONS)
        for name in server.pids:
            each_ms = (spent[name] - before[name]) / turns * 1000
            yield Figure(f"processor, a turn of the agent: {name}", each_ms, "ms")
        yield Figure(f"Redis, a thread of {len(QUESTIONS)} turns of the agent", weigh(store) / TALKS, "bytes")
        pruned = {"thread_ids": threads, "strategy": "keep_latest"}
        http.post("/threads/prune", json=pruned).raise_for_status()
        yield Figure("Redis, the same with its newest checkpoint only", weigh(store) / TALKS, "bytes")
        yield Figure("memory of an API process with the agent", rss_mb(server.pids["serve"]), "MB")
        yield Figure("memory of a worker with the agent", rss_mb(server.pids["worker"]), "MB")


def run_figures(folder: Path) -> Iterator[Figure]:
    with asked(folder, BENCH) as (server, http, store):
        for _ in range(SMALL):
            run(http, make_thread(http), "noop", {"text": "x"})
        yield Figure("Redis, a thread of one small run", weigh(store) / SMALL, "bytes")
        at_rest = rss_mb(server.pids["worker"])
        most = most_under_load(server.pids["worker"], server.port)
        yield Figure(f"memory of {AT_ONCE} runs at once in a worker", most - at_rest, "MB")


def connection_figures(folder: Path, lanes: int) -> Iterator[Figure]:
    settings = {"HOLDFAST_LANES": str(lanes)}
    with asked(folder, BENCH, settings) as (_, http, store):
        run(http, make_thread(http), "noop", {"text": "x"})
        both = connections(store)
    with asked(folder / "alone", BENCH, settings, workers=0) as (_, http, store):
        make_thread(http)
        alone = connections(store)
    yield Figure(f"connections of an API process, {lanes} lanes", alone, "")
    yield Figure(f"connections of a worker, {lanes} lanes", both - alone, "")


@contextmanager
def asked(
    folder: Path, config: Path, settings: Mapping[str, str] = MappingProxyType({}), *, workers: int = 1
) -> Iterator[tuple[Server, httpx.Client, "redis.Redis"]]:
    folder.mkdir(parents=True)
    given = {"HOLDFAST_EVENTS_KEEP_S": "1", "HOLDFAST_DATA": str(folder), **settings}
    with (
        holdfast_apart(folder, config, workers=workers, settings=given) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=WITHIN_S) as http,
        redis.Redis.from_url(server.redis_url) as store,
    ):
        yield server, http, store


def make_thread(http: httpx.Client) -> str:
    thread_id: str = http.post("/threads", json={}).raise_for_status().json()["thread_id"]
    return thread_id


def run(http: httpx.Client, thread_id: str, graph: str, given: dict[str, Any]) -> None:
    asked = {"assistant_id": graph, "input": given}
    http.post(f"/threads/{thread_id}/runs/wait", json=asked).raise_for_status()


def talk(http: httpx.Client) -> str:
    thread_id = make_thread(http)
    for question in QUESTIONS:
        run(http, thread_id, "support", {"messages": [{"role": "user", "content": question}]})
    return thread_id


def weigh(store: "redis.Redis") -> int:
    """All keys, indexes among them, when no log of a run is left."""
    deadline = time.monotonic() + WITHIN_S
    while any(store.scan_iter(match="*:events:*", count=1000)):
        if time.monotonic() > deadline:
            raise TimeoutError("the logs of runs do not go")
        time.sleep(LOOK_S)
    return sum(store.memory_usage(key, samples=0) or 0 for key in store.scan_iter(count=1000))


def most_under_load(pid: int, port: int) -> float:
    """The most memory that a process had, in 10^6 bytes."""
    most, done = [rss_mb(pid)], threading.Event()

    def look() -> None:
        while not done.wait(LOOK_S):
            most.append(rss_mb(pid))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        drive(port, waiting("stamps"), AT_ONCE, LOAD_S)
    finally:
        done.set()
        looking.join()
    return max(most)


def connections(store: "redis.Redis") -> int:
    """Those of others than who asks."""
    kinds = Counter(one["cmd"] for one in store.client_list())
    return sum(kinds.values()) - kinds["client|list"]


def processor_times(server: Server) -> dict[str, float]:
    """Seconds, by process."""
    return {name: processor_s(pid) for name, pid in server.pids.items()}


def processor_s(pid: int) -> float:
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) * TICK_S


def figures(folder: Path) -> Iterator[Figure]:
    yield from thread_figures(folder / "threads")
    yield from run_figures(folder / "runs")
    for lanes in (1, 16):
        yield from connection_figures(folder / f"lanes-{lanes}", lanes)


def main() -> None:
    console = Console()
    console.print(machine("bench.capacity"))
    table = Table("figure", "value", "unit")
    with tempfile.TemporaryDirectory(prefix="hf-") as folder:
        for name, value, unit in figures(Path(folder)):
            table.add_row(name, f"{value:,.1f}" if value < 100 else f"{value:,.0f}", unit)
    console.print(table)


if __name__ == "__main__":
    main()
