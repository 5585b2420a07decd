"""Runs the migrations, inside a transaction that the caller has opened and locked."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

MIGRATIONS = Path(__file__).parent / "migrations"

# Alembic keeps its context in module globals: two upgrades in one process would run into each other.
_one_at_a_time = asyncio.Lock()


async def upgrade(connection: AsyncConnection) -> None:
    async with _one_at_a_time:
        await connection.run_sync(upgrade_to_head)


def upgrade_to_head(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
