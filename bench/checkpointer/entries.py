"""Who takes part: savers, each in a process of its own beside a store of its own."""

import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench import peer
from bench.checkpointer import stores
from bench.servers import ROOT, NotReady, end

HOLDFAST, TCP, ALONE = "fenced, socket", "fenced, TCP", "alone, TCP"
REDIS, POSTGRES, MEMORY = "langgraph-redis", "postgres", "in memory"

POSTGRES_FOLDER = ROOT / ".cache" / "bench-postgres-saver"
POSTGRES_SAVER = "langgraph-checkpoint-postgres"
# The same versions of all else, so that it is the savers that differ.
SHARED = (
    "langgraph",
    "langgraph-checkpoint",
    "langchain-core",
    "ormsgpack",
    "psycopg",
    "psycopg-binary",
    "uvloop",
)

Samples = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A saver by its opener's name, what it stores in, and how much that holds in 10^6 bytes."""

    name: str
    opener: str
    store: Callable[[Path], AbstractContextManager[str]]
    size: Callable[[str], float] | None = None
    has_keys: bool = False


ENTRIES = (
    Entry(HOLDFAST, "fenced", stores.valkey_on_socket, stores.dataset_mb, has_keys=True),
    Entry(TCP, "fenced", stores.valkey_on_tcp, stores.dataset_mb, has_keys=True),
    Entry(ALONE, "alone", stores.valkey_on_tcp, stores.dataset_mb, has_keys=True),
    Entry(REDIS, "langgraph_redis", stores.redis_stack, stores.dataset_mb, has_keys=True),
    Entry(POSTGRES, "postgres", stores.postgres, stores.tables_mb),
    Entry(MEMORY, "memory", stores.nothing),
)


@dataclass(frozen=True, slots=True)
class Contestant:
    """A saver at work; what it is asked for, it answers in samples of seconds."""

    entry: Entry
    url: str
    talk: str  # the id of its thread
    process: subprocess.Popen[bytes]
    log: Path

    def ask(self, what: str, times: int) -> Samples:
        """Raises `NotReady` when it has failed."""
        assert self.process.stdin
        assert self.process.stdout
        with suppress(BrokenPipeError):  # what it had to say is in its log
            self.process.stdin.write(json.dumps([what, times]).encode() + b"\n")
            self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            written = self.log.read_text(errors="replace")[-800:]
            raise NotReady(f"{self.entry.name} has failed; the end of what it wrote:\n{written}")
        samples: Samples = json.loads(answer)
        return samples

    def size_mb(self) -> float | None:
        return self.entry.size(self.url) if self.entry.size else None


@contextmanager
def contestant(entry: Entry, folder: Path) -> Iterator[Contestant]:
    """Raises `Unobtainable` or `NoPeer` when this one cannot take part on this machine."""
    python = postgres_python() if entry.name == POSTGRES else sys.executable
    folder.mkdir(parents=True)
    talk = str(uuid.uuid4())
    with entry.store(folder / "data") as url, (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(python), "-m", "bench.checkpointer.contender", entry.opener, url, talk],
            cwd=ROOT,
            start_new_session=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        try:
            yield Contestant(entry, url, talk, process, folder / "log")
        finally:
            end(process)


def postgres_python() -> Path:
    same = [f"{name}=={version(name)}" for name in SHARED]
    return peer.environment(POSTGRES_FOLDER, [POSTGRES_SAVER, *same])
