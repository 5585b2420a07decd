import asyncio
import sys
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.tools.databases import run_sql
from tools.errors import LookupFailed, ShopUnavailable
from tools.orders import fetch_order, query_order
from tools.shop import WRITE_ATTEMPTS, Shop
from tools.shop.schema import ORDER_LOCKED, metadata

NOWHERE = ["sqlite:////proc/nowhere.db", "postgresql://nobody@127.0.0.1:1/shop"]


async def test_migrating_again_changes_nothing(shop: Shop) -> None:
    before = await query_order(shop, "demo", "12345")
    await shop.migrate()
    assert await shop.seed() is False
    assert await query_order(shop, "demo", "12345") == before


def differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


@pytest.mark.filterwarnings("ignore:Computed default on refunds.held")  # each database spells it its own way
async def test_the_migrations_build_the_schema(shop: Shop) -> None:
    async with shop.read() as connection:
        assert await connection.run_sync(differences) == []
        assert await connection.run_sync(missing_constraints) == set()


def missing_constraints(connection: Connection) -> set[str]:
    """Checks are nothing that Alembic compares."""
    statement = "SELECT conname FROM pg_constraint"
    if connection.dialect.name == "sqlite":
        statement = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"
    found = " ".join(connection.scalars(text(statement)))
    every = (constraint.name for table in metadata.tables.values() for constraint in table.constraints)
    return {name for name in every if isinstance(name, str) and name not in found}


async def test_an_empty_folder_is_made(tmp_path: Path) -> None:
    async with Shop.open(f"sqlite:///{tmp_path / 'new' / 'data' / 'shop.db'}") as shop:
        await shop.migrate()
        assert await shop.seed()
        order = await query_order(shop, "demo", "12345")
    assert order.delivered_at is not None
    assert (datetime.now(UTC) - order.delivered_at).days == 3


async def test_sqlite_is_set_up_to_survive(tmp_path: Path) -> None:
    async with Shop.open(f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}") as shop, shop.read() as connection:
        modes = [
            (await connection.execute(text(f"PRAGMA {name}"))).scalar()
            for name in ("journal_mode", "foreign_keys", "synchronous")
        ]
    assert modes == ["wal", 1, 2]


@pytest.mark.parametrize("url", ["mysql://host/shop", "sqlite+pysqlite:///x", "postgresql+asyncpg://host/x"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="sqlite or postgresql"):
        Shop.open(url)


@pytest.mark.parametrize("url", NOWHERE)
async def test_a_database_that_cannot_be_reached(url: str) -> None:
    async with Shop.open(url) as shop:
        with pytest.raises(LookupFailed):
            await query_order(shop, "demo", "12345")
        with pytest.raises(ShopUnavailable):
            await shop.migrate()


async def test_a_full_disk_is_said_and_nothing_is_torn(tmp_path: Path) -> None:
    async with Shop.open(f"sqlite:///{tmp_path / 'shop.db'}") as shop:
        await shop.migrate()

        async def fill(connection: Any) -> None:
            await connection.execute(text("PRAGMA max_page_count = 1"))
            await connection.execute(text("INSERT INTO customers (subject, name) VALUES ('x', 'x')"))
            blob = {"name": "x" * 10_000_000}
            await connection.execute(text("INSERT INTO customers (subject, name) VALUES ('y', :name)"), blob)

        with pytest.raises(ShopUnavailable):
            await shop.write(fill)
    async with Shop.open(f"sqlite:///{tmp_path / 'shop.db'}") as shop, shop.read() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM customers"))).scalar() == 0


async def test_a_missing_table_is_no_outage(tmp_path: Path) -> None:
    async with Shop.open(f"sqlite:///{tmp_path / 'shop.db'}") as shop:
        with pytest.raises(Exception, match="no such table"):
            await query_order(shop, "demo", "12345")


@pytest.mark.parametrize("dialect", ["postgres"], indirect=True)
async def test_a_deadlock_is_tried_again(shop: Shop) -> None:
    """Two writers take the same two orders, each the other's last one first."""
    both_hold_one = asyncio.Barrier(2)
    tries: Counter[str] = Counter()

    async def take(order_ids: tuple[str, str], connection: AsyncConnection) -> None:
        tries[order_ids[0]] += 1
        for order_id in order_ids:
            await fetch_order(connection, "demo", order_id, ORDER_LOCKED)
            if tries.total() <= 2 and order_id == order_ids[0]:
                await both_hold_one.wait()

    await asyncio.gather(
        shop.write(partial(take, ("12345", "12346"))), shop.write(partial(take, ("12346", "12345")))
    )
    assert tries.total() == 3


@pytest.mark.parametrize("dialect", ["postgres"], indirect=True)
@pytest.mark.parametrize("state", ["40001", "40P01"])
async def test_what_fails_again_and_again_is_given_up(shop: Shop, state: str) -> None:
    tries: list[int] = []

    async def collide(connection: AsyncConnection) -> None:
        tries.append(1)
        raising = f"DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '{state}'; END $$"
        await connection.execute(text(raising))

    with pytest.raises(ShopUnavailable):
        await shop.write(collide)
    assert len(tries) == WRITE_ATTEMPTS


@pytest.mark.parametrize("dialect", ["postgres"], indirect=True)
async def test_connections_that_the_server_closed(shop: Shop, postgres: str) -> None:
    before = await query_order(shop, "demo", "12345")
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'shop_%'"
    run_sql(postgres, others)
    assert await query_order(shop, "demo", "12345") == before
    await shop.migrate()


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)  # whose driver runs a thread a connection
async def test_a_program_may_end_without_closing_its_shop(url: str) -> None:
    program = (
        "import asyncio; from tools.orders import query_order; from tools.shop import Shop;"
        f"asyncio.run(query_order(Shop.open({url!r}), 'demo', '12345'))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, cwd=Path(__file__).parents[2]
    )
    assert await asyncio.wait_for(process.wait(), 20) == 0
