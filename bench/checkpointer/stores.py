"""The servers that savers store in, set up as those who use them find them: data in a temporary folder."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg
import redis

from bench import servers
from bench.peer import NO_POSTGRES
from holdfast.redis.embedded import embedded
from tests.setup.redis_stack import Unobtainable, running_redis_stack


@contextmanager
def valkey_on_socket(folder: Path) -> Iterator[str]:
    """As `holdfast dev` starts it, the append-only file included."""
    with embedded(folder) as url:
        yield url


@contextmanager
def valkey_on_tcp(folder: Path) -> Iterator[str]:
    with embedded(folder) as url, redis.Redis.from_url(url) as asked:
        port = servers.free_port()
        asked.config_set("bind", "127.0.0.1")
        asked.config_set("port", port)
        yield f"redis://127.0.0.1:{port}"


@contextmanager
def redis_stack(folder: Path) -> Iterator[str]:
    """With an append-only file, too. Raises `Unobtainable`."""
    with running_redis_stack(folder) as url:
        yield url


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Raises `Unobtainable`."""
    if find_spec("pgserver") is None:
        raise Unobtainable(NO_POSTGRES)
    with servers.postgres(folder) as database:
        yield database.url


@contextmanager
def nothing(folder: Path) -> Iterator[str]:
    yield ""


def dataset_mb(url: str) -> float:
    """What a Redis holds, indexes included, buffers and scripts not; in 10^6 bytes."""
    with redis.Redis.from_url(url) as asked:
        return int(asked.info("memory")["used_memory_dataset"]) / 1e6


def tables_mb(url: str) -> float:
    """All tables of a Postgres with their indexes, on its disk; in 10^6 bytes."""
    with psycopg.connect(url) as asked:
        found = asked.execute("SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables").fetchone()
    return float(found[0] or 0) / 1e6 if found else 0.0


def keys_mb(url: str, thread_id: str) -> float:
    """The keys of a thread as `MEMORY USAGE` weighs them, all of their fields; in 10^6 bytes."""
    with redis.Redis.from_url(url) as asked:
        keys = asked.scan_iter(f"*{thread_id}*", count=1000)
        return sum(asked.memory_usage(key, samples=0) or 0 for key in keys) / 1e6


def pings(url: str, times: int) -> list[float]:
    """Seconds from a PING to its answer, by the plainest client."""
    taken = []
    with redis.Redis.from_url(url) as asked:
        asked.ping()
        for _ in range(times):
            begun = time.perf_counter()
            asked.ping()
            taken.append(time.perf_counter() - begun)
    return taken
