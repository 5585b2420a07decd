"""Figures of the shop for those who run it, by day in UTC."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from tools.money import Money
from tools.shop import Shop
from tools.shop.schema import (
    CUSTOMERS,
    DAYS,
    OPEN_REQUESTS_BY_TIER,
    REFUNDED_BY_DAY,
    REFUNDS_BY_STATUS,
)

CUSTOMER_LIMIT = 20


@dataclass(frozen=True, slots=True)
class Figures:
    """`refunded` is what went back or is on its way, by day and currency, the oldest day first, days on which
    there was nothing too; `outcomes` are refunds of these days by their status in the ledger; `waiting` are
    requests that wait for a decision, by the policy's tier."""

    refunded: Mapping[date, list[Money]]
    outcomes: Mapping[str, int]
    waiting: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Customer:
    subject: str
    name: str


async def query_figures(shop: Shop) -> Figures:
    """Of the last two weeks. Raises LookupFailed."""
    now = shop.clock().astimezone(UTC)
    days = [now.date() - timedelta(days=back) for back in reversed(range(DAYS))]
    starts = {f"day_{number}": datetime.combine(day, time(), UTC) for number, day in enumerate(days)}
    async with shop.read() as connection:
        sums = (await connection.execute(REFUNDED_BY_DAY, starts)).all()
        outcomes = (await connection.execute(REFUNDS_BY_STATUS, {"day_0": starts["day_0"]})).all()
        waiting = (await connection.execute(OPEN_REQUESTS_BY_TIER, {"now": now})).all()
    currencies = sorted({row.currency for row in sums})
    given = {(row.day, row.currency): int(row.amount) for row in sums}
    return Figures(
        {
            day: [Money(given.get((number, currency), 0), currency) for currency in currencies]
            for number, day in enumerate(days)
        },
        {row.status: row.number for row in outcomes},
        {row.tier: row.number for row in waiting},
    )


async def list_customers(shop: Shop) -> list[Customer]:
    """The first customers of the shop. Raises LookupFailed."""
    async with shop.read() as connection:
        rows = await connection.execute(CUSTOMERS, {"count": CUSTOMER_LIMIT})
        return [Customer(row.subject, row.name) for row in rows]
