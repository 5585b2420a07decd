"""What the shop keeps of a person once they were erased: figures, and nothing that leads to them."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.tools.asking import asked
from tests.tools.providers import Instant, Refusing
from tools.erasure import NOBODY, erase_customer
from tools.orders import list_orders
from tools.refunds import Decision, apply_refund
from tools.shop import Shop
from tools.shop.schema import customers, metadata, orders, payments, refunds, shipment_events, shipments

FIGURES = (
    "id",
    "request_id",
    "order_id",
    "status",
    "amount",
    "currency",
    "paid",
    "refunded",
    "held",
    "version",
)
WORDS = "the box arrived open, call me on 13800138000"


async def dump(shop: Shop) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table."""
    async with shop.read() as connection:
        return {
            table.name: [dict(row._mapping) for row in await connection.execute(select(table))]
            for table in metadata.sorted_tables
        }


def figures(tables: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {
        table: sorted(({name: row[name] for name in FIGURES & row.keys()} for row in rows), key=str)
        for table, rows in tables.items()
    }


@pytest.fixture
async def refunded(shop: Shop) -> Shop:
    """A shop in which `lin` has been given words, money and a no, by people and by the provider."""
    by_both = Decision("approve", ("lin", "operator-zhou"), shop.clock(), WORDS)
    for number, (order, outcome, provider) in enumerate(
        [
            ("20101", "approve", Instant()),
            ("20102", "reject", Instant()),
            ("20104", "approve", Refusing()),
        ]
    ):
        if order == "20104":  # its return window is over: it is opened again
            await change(shop, update(orders).where(orders.c.id == order).values(delivered_at=shop.clock()))
        await asked(shop, order, "1.00", subject="lin", request_id=f"asked-{number}", reason=WORDS)
        decision = Decision(outcome, by_both.by, by_both.at, WORDS)  # type: ignore[arg-type]
        await apply_refund(shop, provider, "lin", f"asked-{number}", decision)
    await asked(shop, "20101", "2.00", subject="lin", request_id="waits", reason=WORDS)
    return shop


async def change(shop: Shop, statement: Any) -> None:
    async def work(connection: AsyncConnection) -> None:
        await connection.execute(statement)

    await shop.write(work)


async def test_what_people_wrote_is_gone_and_every_figure_stays(refunded: Shop) -> None:
    shop = refunded
    before = await dump(shop)
    assert WORDS in str(before)
    counts = await erase_customer(shop, "lin")
    after = await dump(shop)
    assert figures(after) == figures(before)
    told = str(after)
    accounts = {row["account"] for row in before["payments"] if row["order_id"].startswith("201")}
    parcels = {row["tracking_no"] for row in before["shipments"] if row["order_id"].startswith("201")}
    assert len(accounts) >= 2
    assert len(parcels) >= 4
    for trace in ("'lin'", "林志远", WORDS, "成都市武侯区", "送到单位前台", "the account was closed"):
        assert trace in str(before), trace
        assert trace not in told, trace
    for account in accounts:
        assert f"'{account}'" not in told
        assert f"•••• {account[-4:]}" not in told
    assert not any(parcel in told for parcel in parcels)
    assert counts["customers"] == 1
    assert counts["refunds"] >= 3
    assert counts["refund_requests"] == 4
    assert set(counts) == {
        "decisions",
        "customers",
        "orders",
        "payments",
        "shipments",
        "shipment_events",
        "refunds",
        "refund_requests",
    }


async def test_others_keep_what_is_theirs(refunded: Shop) -> None:
    shop = refunded
    before = await dump(shop)
    await erase_customer(shop, "lin")
    after = await dump(shop)
    mine = {row["id"] for row in before["orders"] if row["id"].startswith("201")}
    sent = {row["id"] for row in before["shipments"] if row["order_id"] in mine}
    for table in (orders, payments, shipments, shipment_events, refunds):
        others = [
            [
                row
                for row in tables[table.name]
                if row.get("order_id", row.get("id")) not in mine and row.get("shipment_id") not in sent
            ]
            for tables in (before, after)
        ]
        assert others[0] == others[1]
        assert others[0], table.name
    assert [row for row in after["customers"] if row["subject"] == "demo"] == [
        row for row in before["customers"] if row["subject"] == "demo"
    ]


async def test_a_decider_loses_the_name_and_the_decision_stays(refunded: Shop) -> None:
    before = (await dump(refunded))["refunds"]
    named = [row for row in before if "operator-zhou" in row["decided_by"]]
    assert len(named) >= 4
    assert await erase_customer(refunded, "operator-zhou") == {"decisions": len(named)}
    after = {row["request_id"]: row for row in (await dump(refunded))["refunds"]}
    for row in named:
        by = [NOBODY if one == "operator-zhou" else one for one in row["decided_by"]]
        assert after[row["request_id"]] == {**row, "decided_by": by}


@pytest.mark.parametrize("subject", ["operator", "zhou", "operator_zhou", "%", "lin%", '"', "\\", "", "l\0n"])
async def test_nobody_else_is_meant(refunded: Shop, subject: str) -> None:
    before = await dump(refunded)
    assert await erase_customer(refunded, subject) == {}
    assert await dump(refunded) == before


@pytest.mark.parametrize("subject", ["陈晓雨", 'o"brien\\', "%_"])
async def test_a_decider_with_an_odd_name(shop: Shop, subject: str) -> None:
    await asked(shop, "12345", "1.00", request_id="asked")
    decision = Decision("approve", (subject,), shop.clock())
    await apply_refund(shop, Instant(), "demo", "asked", decision)
    assert await erase_customer(shop, subject) == {"decisions": 1}
    [row] = [row for row in (await dump(shop))["refunds"] if row["request_id"] == "asked"]
    assert row["decided_by"] == [NOBODY]


async def test_a_name_that_ends_like_another(shop: Shop) -> None:
    await asked(shop, "12345", "1.00", request_id="asked")
    decision = Decision("approve", ('o"brien',), shop.clock())
    await apply_refund(shop, Instant(), "demo", "asked", decision)
    assert await erase_customer(shop, "brien") == {}


async def test_once_more_changes_nothing_and_a_new_customer_begins_anew(refunded: Shop) -> None:
    await erase_customer(refunded, "lin")
    before = await dump(refunded)
    assert await erase_customer(refunded, "lin") == {}
    assert await dump(refunded) == before
    assert await list_orders(refunded, "lin") == []
    await change(refunded, customers.insert().values(subject="lin", name="林志远"))
    assert (await erase_customer(refunded, "lin")) == {"customers": 1}


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_the_file_itself_holds_no_word_of_it(refunded: Shop, url: str) -> None:
    traces = [text.encode() for text in (WORDS, "林志远", "送到单位前台")]
    file = Path(str(make_url(url).database))

    def stored() -> bytes:
        with sqlite3.connect(file) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        return file.read_bytes()

    assert all(trace in stored() for trace in traces)
    await erase_customer(refunded, "lin")
    assert not any(trace in stored() for trace in traces)
