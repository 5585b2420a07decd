"""Runs the migrations. Blocking, as Alembic is: call it off the event loop."""

import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

from tools.shop.engine import lock_set_up

MIGRATIONS = Path(__file__).parent / "migrations"

# Alembic keeps its context in module globals: two upgrades in one process would run into each other.
_one_at_a_time = threading.Lock()


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the tables up to date, in one transaction that other programs wait for."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with _one_at_a_time, engine.execution_options(writes=True).begin() as connection:
        lock_set_up(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
