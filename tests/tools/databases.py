"""Real databases for the tests: a SQLite file, or a Postgres that PyPI brings."""

import importlib
import itertools
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from tools.shop import Shop

MEMORY = Path("/dev/shm")
MEMORY_NEEDED = 512 * 2**20
START = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)

_numbers = itertools.count()


class Clock:
    """Stands still until it is set forward."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


def load_pgserver() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR, which containers do not have
        try:
            return importlib.import_module("pgserver")
        except ModuleNotFoundError:
            pytest.skip("POSTGRES NOT TESTED: pgserver has no wheel for this Python; use 3.11 or 3.12")


class Postgres:
    """A server that a test stops and starts again, with what was in it."""

    def __init__(self) -> None:
        self._pgserver = load_pgserver()
        # A socket's path must be short, shorter than what tmp_path gives.
        self._folder = tempfile.mkdtemp(prefix="pg-", dir=roomy_memory())
        self._server: Any = None

    def start(self) -> str:
        """The URL of its maintenance database."""
        self._server = self._pgserver.get_server(self._folder, cleanup_mode="stop")
        return str(self._server.get_uri())

    def stop(self) -> None:
        self._server.cleanup()

    def delete(self) -> None:
        self.stop()
        shutil.rmtree(self._folder)


@contextmanager
def run_postgres() -> Iterator[str]:
    """The URL of its maintenance database."""
    pgserver = load_pgserver()
    folder = tempfile.mkdtemp(prefix="pg-", dir=roomy_memory())
    with pgserver.get_server(folder, cleanup_mode="delete") as server:
        # No test pulls the plug of the machine; a hundred databases written through to disk are slow.
        for setting in ("fsync = off", "full_page_writes = off", "deadlock_timeout = '50ms'"):
            run_sql(server.get_uri(), f"ALTER SYSTEM SET {setting}")
        run_sql(server.get_uri(), "SELECT pg_reload_conf()")
        yield server.get_uri()


def roomy_memory() -> Path | None:
    """A file system in memory, where one is big enough: a database is three hundred files."""
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_NEEDED else None


@contextmanager
def passing_database(postgres: str, template: str = "template0") -> Iterator[str]:
    """The URL of a database of its own that is gone afterward."""
    url = create_database(postgres, template)
    yield url
    run_sql(postgres, f"DROP DATABASE {make_url(url).database} WITH (FORCE)")


def create_database(postgres: str, template: str = "template0") -> str:
    """The URL of a database of its own."""
    name = f"shop_{next(_numbers)}"
    run_sql(postgres, f"CREATE DATABASE {name} TEMPLATE {template}")
    return postgres.replace("/postgres?", f"/{name}?")


def run_sql(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


async def set_up(url: str) -> None:
    async with Shop.open(url, clock=Clock()) as shop:
        await shop.migrate()
        assert await shop.seed()
