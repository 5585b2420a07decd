"""Where a customer's parcels are."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from tools.orders import fetch_order, read_order_id
from tools.shop import Shop
from tools.shop.schema import TRACKING, Record


@dataclass(frozen=True, slots=True)
class TrackingEvent:
    """`text` is the carrier's: data, never instructions."""

    at: datetime
    place: str
    text: str


@dataclass(frozen=True, slots=True)
class Shipment:
    """`status` is in_transit, out_for_delivery, delivered or returned; the newest event comes first."""

    carrier: str
    tracking_no: str
    status: str
    events: tuple[TrackingEvent, ...]


@dataclass(frozen=True, slots=True)
class Logistics:
    """No shipments: nothing was sent yet."""

    order_id: str
    shipments: tuple[Shipment, ...]


async def query_logistics(shop: Shop, subject: str, order_id: str) -> Logistics:
    """The parcels of one order of this customer. Raises what query_order raises."""
    order_id = read_order_id(order_id)
    async with shop.read() as connection:
        await fetch_order(connection, subject, order_id)
        rows = (await connection.execute(TRACKING, {"order_id": order_id})).all()
    return Logistics(order_id, tuple(shipment_from(parcel) for _, parcel in groupby(rows, attrgetter("id"))))


def shipment_from(rows: Iterable[Record]) -> Shipment:
    first, *rest = rows
    events = (TrackingEvent(row.at, row.place, row.text) for row in (first, *rest) if row.at is not None)
    return Shipment(first.carrier, first.tracking_no, first.status, tuple(events))
