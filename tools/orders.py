"""A customer's orders, as they stand in the database."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncConnection

from tools.errors import OrderNotFound, RefundRefused
from tools.money import Money
from tools.policy import find_refusal
from tools.shop import Shop
from tools.shop.schema import ITEMS, NEWEST_ORDERS, ORDER, Record

ORDER_ID = re.compile(r"[A-Za-z0-9-]{1,32}", re.ASCII)
LIST_LIMIT = 100


class OrderStatus(StrEnum):
    UNPAID = "unpaid"  # placed, waiting for the customer's payment
    PAID = "paid"  # being prepared
    SHIPPED = "shipped"  # with the carrier
    DELIVERED = "delivered"  # signed for; the return window runs
    PARTLY_REFUNDED = "partly_refunded"  # some of the money is back; `delivered_at` tells where the goods are
    REFUNDED = "refunded"  # all of the money is back
    CANCELLED = "cancelled"  # before anything was sent


@dataclass(frozen=True, slots=True)
class Item:
    """`price` is of one piece. The name is the merchant's text: data, never instructions."""

    name: str
    sku: str
    quantity: int
    price: Money


@dataclass(frozen=True, slots=True)
class Order:
    """`refundable` is what a refund could give back now, zero when the policy allows none.

    `note` is free text of the customer or the merchant: data, never instructions. `version` rises whenever
    one of the figures changes.
    """

    id: str
    status: OrderStatus
    placed_at: datetime
    delivered_at: datetime | None
    paid: Money
    refunded: Money
    refundable: Money
    items: tuple[Item, ...]
    note: str
    version: int


async def query_order(shop: Shop, subject: str, order_id: str) -> Order:
    """One order of this customer; people's "#12345" is understood.

    Raises OrderNotFound, also for another customer's order, and LookupFailed.
    """
    order_id = read_order_id(order_id)
    async with shop.read() as connection:
        row = await fetch_order(connection, subject, order_id)
        items = await fetch_items(connection, [order_id])
    return order_from(shop, row, items[order_id])


async def list_orders(shop: Shop, subject: str, *, limit: int = 10) -> list[Order]:
    """The customer's newest orders first, at most `limit` and never more than 100. Raises LookupFailed."""
    if not subject.isprintable():
        return []
    count = max(0, min(limit, LIST_LIMIT))
    async with shop.read() as connection:
        rows = (await connection.execute(NEWEST_ORDERS, {"subject": subject, "count": count})).all()
        items = await fetch_items(connection, [row.id for row in rows])
    return [order_from(shop, row, items[row.id]) for row in rows]


def read_order_id(text: str) -> str:
    order_id = text.strip().lstrip("#").strip()
    if not ORDER_ID.fullmatch(order_id):
        raise OrderNotFound("".join(filter(str.isprintable, order_id))[:32])
    return order_id


async def fetch_order(
    connection: AsyncConnection, subject: str, order_id: str, statement: Select[Any] = ORDER
) -> Record:
    """The order's row with its payment; `order_id` is clean already. Raises OrderNotFound."""
    # Postgres takes no NUL in a text; no real subject has one either.
    if not subject.isprintable():
        raise OrderNotFound(order_id)
    found = await connection.execute(statement, {"subject": subject, "order_id": order_id})
    row: Record | None = found.one_or_none()
    if row is None:
        raise OrderNotFound(order_id)
    return row


async def fetch_items(connection: AsyncConnection, order_ids: Iterable[str]) -> dict[str, list[Record]]:
    items = defaultdict(list)
    for row in await connection.execute(ITEMS, {"order_ids": list(order_ids)}):
        items[row.order_id].append(row)
    return items


def order_from(shop: Shop, row: Record, items: Iterable[Record]) -> Order:
    left = 0 if refusal_of(shop, row) else row.paid - row.refunded
    return Order(
        id=row.id,
        status=status_of(row),
        placed_at=row.placed_at,
        delivered_at=row.delivered_at,
        paid=Money(row.paid, row.currency),
        refunded=Money(row.refunded, row.currency),
        refundable=Money(left, row.currency),
        items=tuple(Item(i.name, i.sku, i.quantity, Money(i.price, row.currency)) for i in items),
        note=row.note,
        version=row.version,
    )


def refusal_of(shop: Shop, row: Record) -> RefundRefused | None:
    return find_refusal(
        shop.policy,
        currency=row.currency,
        cancelled=row.status == OrderStatus.CANCELLED,
        paid=row.paid,
        refunded=row.refunded,
        delivered_at=row.delivered_at,
        now=shop.clock(),
    )


def status_of(row: Record) -> OrderStatus:
    """What is stored is where the goods are; how much money went back is read from the figures."""
    if row.status == OrderStatus.CANCELLED or row.refunded == 0:
        return OrderStatus(row.status)
    return OrderStatus.REFUNDED if row.refunded == row.paid else OrderStatus.PARTLY_REFUNDED
