"""Plants the demo shop; the orders themselves are tables of literals in seed_demo and seed_others."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tools.payee import describe_payee, hash_payee
from tools.shop.schema import customers, order_items, orders, payments, refunds, shipment_events, shipments
from tools.shop.seed_demo import DEMO_ORDERS
from tools.shop.seed_others import OTHER_ORDERS
from tools.shop.seed_rows import CUSTOMERS, NOT_PAID, GivenBack, Parcel, Purchase

Values = dict[str, Any]

PURCHASES = (*DEMO_ORDERS, *OTHER_ORDERS)


async def plant(connection: AsyncConnection, now: datetime) -> None:
    """Write every customer and order, as old at `now` as the tables say. The ledger rows come after their
    orders: only they move an order's refunded sum."""
    numbers = {subject: number for number, subject in enumerate(CUSTOMERS, start=1)}
    parcels = list(enumerate((p for p in PURCHASES if p.parcel), start=1))
    for table, rows in (
        (
            customers,
            [
                {"id": numbers[subject], "subject": subject, "name": name}
                for subject, name in CUSTOMERS.items()
            ],
        ),
        (orders, [order_values(p, numbers[p.customer], now) for p in PURCHASES]),
        (order_items, [item for p in PURCHASES for item in item_values(p)]),
        (payments, [payment_values(p, now) for p in PURCHASES if p.paid != NOT_PAID]),
        (shipments, [parcel_values(number, p, p.parcel) for number, p in parcels if p.parcel]),
        (
            shipment_events,
            [e for number, p in parcels if p.parcel for e in event_values(number, p.parcel, now)],
        ),
        (refunds, [row for p in PURCHASES for row in refund_values(p, now)]),
    ):
        await connection.execute(insert(table), rows)


def order_values(purchase: Purchase, customer_id: int, now: datetime) -> Values:
    delivered = purchase.parcel.delivered if purchase.parcel else None
    return {
        "id": purchase.id,
        "customer_id": customer_id,
        "status": purchase.status,
        "placed_at": now - timedelta(days=purchase.placed),
        "delivered_at": None if delivered is None else now - timedelta(days=delivered),
        "currency": purchase.currency,
        "paid": 0 if purchase.paid == NOT_PAID else purchase.total,
        "note": purchase.note,
    }


def item_values(purchase: Purchase) -> Iterator[Values]:
    for position, (sku, name, quantity, price) in enumerate(purchase.items):
        yield {
            "order_id": purchase.id,
            "position": position,
            "sku": sku,
            "name": name,
            "quantity": quantity,
            "price": price,
        }


def payment_values(purchase: Purchase, now: datetime) -> Values:
    method, account = purchase.paid
    return {
        "order_id": purchase.id,
        "reference": reference_of(purchase),
        "method": method,
        "account": account,
        "paid_at": now - timedelta(days=purchase.placed) + timedelta(minutes=2),
    }


def reference_of(purchase: Purchase) -> str:
    return f"pay-{purchase.id}"


def parcel_values(number: int, purchase: Purchase, parcel: Parcel) -> Values:
    return {
        "id": number,
        "order_id": purchase.id,
        "carrier": parcel.carrier,
        "tracking_no": parcel.tracking_no,
        "status": parcel.status,
    }


def event_values(number: int, parcel: Parcel, now: datetime) -> Iterator[Values]:
    for days, place, text in parcel.events:
        yield {"shipment_id": number, "at": now - timedelta(days=days), "place": place, "text": text}


def refund_values(purchase: Purchase, now: datetime) -> Iterator[Values]:
    for number, given in enumerate(purchase.refunds, start=1):
        yield refund_row(f"seed-{purchase.id}-{number}", purchase, given, number, now)


def refund_row(request_id: str, purchase: Purchase, given: GivenBack, number: int, now: datetime) -> Values:
    method, account = purchase.paid
    moment = now - timedelta(days=given.days)
    return {
        "request_id": request_id,
        "order_id": purchase.id,
        "amount": given.amount,
        "currency": purchase.currency,
        "status": "settled",
        "reason": given.reason,
        "order_version": number,
        "payee": describe_payee(method, account),
        "payee_hash": hash_payee(method, account, reference_of(purchase)),
        "decided_by": [given.by or purchase.customer],
        "decided_at": moment,
        "message": "",
        "provider": "simulated",
        "provider_reference": f"rf-{request_id}",
        "created_at": moment,
        "updated_at": moment,
    }
