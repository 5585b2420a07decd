"""How the shop reaches its database: SQLite by aiosqlite, or Postgres by psycopg."""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event, text
from sqlalchemy import create_engine as create_plain_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
BUSY_TIMEOUT_S = 10
POOL_TIMEOUT_S = 10
CONNECT_TIMEOUT_S = 5
# Any number will do, as long as every program that sets up this database takes the same.
SETUP_LOCK = 7_205_759

# Serialization failure, deadlock, and the same unique key written by two at once: worth another try.
RETRIED_STATES = frozenset({"40001", "40P01", "23505"})


def read_url(url: str) -> URL:
    """The URL with the driver we use; raises ValueError for another database or driver."""
    parsed = make_url(url)
    driver = DRIVERS.get(parsed.drivername, parsed.drivername)
    if driver not in DRIVERS.values():
        raise ValueError(f"the shop runs on sqlite or postgresql, not on {parsed.drivername!r}")
    return parsed.set(drivername=driver)


def create_engine(url: str) -> AsyncEngine:
    parsed = read_url(url)
    if parsed.drivername == DRIVERS["sqlite"]:
        return create_sqlite_engine(parsed)
    return create_async_engine(
        parsed,
        pool_pre_ping=True,
        hide_parameters=True,  # in the messages of exceptions, which may be logged and told
        pool_timeout=POOL_TIMEOUT_S,
        connect_args={} if "connect_timeout" in parsed.query else {"connect_timeout": CONNECT_TIMEOUT_S},
    )


def create_sqlite_engine(url: URL) -> AsyncEngine:
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(
        url,
        pool_timeout=POOL_TIMEOUT_S,
        hide_parameters=True,
        connect_args={"timeout": BUSY_TIMEOUT_S},
    )
    listen_to_sqlite(engine.sync_engine)
    return engine


def create_blocking_engine(url: URL) -> Engine:
    """The same database for a thread that may block, as Alembic does. It keeps no connection open."""
    if url.drivername != DRIVERS["sqlite"]:
        return create_plain_engine(url, poolclass=NullPool)
    plain = url.set(drivername="sqlite")
    engine = create_plain_engine(plain, poolclass=NullPool, connect_args={"timeout": BUSY_TIMEOUT_S})
    listen_to_sqlite(engine)
    return engine


def listen_to_sqlite(engine: Engine) -> None:
    event.listen(engine, "connect", prepare_sqlite)
    event.listen(engine, "begin", begin_sqlite)


def lock_set_up(connection: Connection) -> None:
    """Programs that set up the same database wait for each other. SQLite's writers do so by themselves."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": SETUP_LOCK})


def prepare_sqlite(connection: Any, entry: ConnectionPoolEntry) -> None:
    # The driver's own BEGIN comes too late and is never IMMEDIATE; begin_sqlite says it instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    # secure_delete: what is erased is overwritten in the file too.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def begin_sqlite(connection: Connection) -> None:
    """A writer takes its lock first: one that began as a reader cannot wait for it, it fails at once."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def is_unavailable(error: Exception) -> bool:
    """Whether the database could not do its part (down, busy, out of room), rather than refused ours."""
    if isinstance(error, OperationalError | InterfaceError):
        # SQLite calls a missing table "operational" too.
        return getattr(error.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR
    return isinstance(error, PoolExhausted)


def is_retryable(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in RETRIED_STATES
