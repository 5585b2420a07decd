"""Refunds that people are asked about: written down when they are asked, never changed afterward.

A request is what a person decides on. Nobody but this table says what was asked: a conversation remembers
only ids. A request whose figures moved, or that is wished otherwise, is superseded by another one; a request
is decided or superseded, never both, and at most one takes its place.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from tools.errors import AmountInvalid, OrderNotFound, RequestDecided, RequestNotFound
from tools.money import Money
from tools.orders import OrderStatus, fetch_order
from tools.quotes import Piece, Quote, payee_hash_of, storable
from tools.shop import Shop
from tools.shop.schema import ADD_REQUEST, CHAIN, DECIDED, ORDER_LOCKED, REQUEST, Record

ID_LENGTH = 128


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it was asked, under the policy of this version. `whole`: all that was left was wished for.
    After `expires_at` it is too late to approve, or those decide whom the policy escalates to. `thread_id` is
    the conversation that hears what becomes of it."""

    request_id: str
    quote: Quote
    whole: bool
    language: str
    policy_version: int
    asked_at: datetime
    expires_at: datetime | None
    supersedes: str | None
    thread_id: str | None


async def ask_refund(
    shop: Shop,
    subject: str,
    request_id: str,
    quote: Quote,
    *,
    whole: bool = False,
    language: str = "en",
    supersedes: str | None = None,
    thread_id: str | None = None,
) -> Asked:
    """Write down a request for this quote: once a `request_id`, whose first facts stay, whatever comes later.

    `supersedes` names a request of the same order whose place it takes, or the place of what took its place
    already. Raises RequestDecided when that was decided meanwhile, RequestNotFound, OrderNotFound and
    ShopUnavailable.
    """
    values = request_values(shop, subject, request_id, quote)
    values |= {"whole": whole, "language": language, "supersedes": supersedes, "thread_id": thread_id}
    return asked_from(await shop.write(partial(add_request, subject, request_id, quote, values)))


async def add_request(
    subject: str, request_id: str, quote: Quote, values: dict[str, Any], connection: AsyncConnection
) -> Record:
    """The request's row, written now unless it was there."""
    if quote.amount.amount <= 0:
        raise AmountInvalid
    # Under the order's lock no request of it is decided or superseded meanwhile.
    await fetch_order(connection, subject, quote.order_id, ORDER_LOCKED)
    known = await fetch_request(connection, request_id)
    if known is None:
        place = values["supersedes"]
        if place is not None:
            place = await find_place(connection, subject, quote.order_id, place)
        await connection.execute(ADD_REQUEST, values | {"supersedes": place})
        known = await fetch_request(connection, request_id)
    if known is None or known.subject != subject:
        raise OrderNotFound(quote.order_id)
    return known


async def find_place(connection: AsyncConnection, subject: str, order_id: str, superseded: str) -> str:
    """The end of the chain in which `superseded` stands, where one that takes its place comes in."""
    asked = await require_request(connection, subject, superseded)
    if asked.order_id != order_id:
        raise RequestNotFound
    chain = {"request_ids": [superseded], "subject": subject}
    last = last_of((await connection.execute(CHAIN, chain)).all()) or asked
    if (await connection.execute(DECIDED, {"request_id": last.request_id})).first():
        raise RequestDecided
    return str(last.request_id)


async def fetch_request(connection: AsyncConnection, request_id: str) -> Record | None:
    return (await connection.execute(REQUEST, {"request_id": request_id})).one_or_none()


async def require_request(connection: AsyncConnection, subject: str, request_id: str) -> Record:
    """The row of a request of this customer; raises RequestNotFound."""
    row = await fetch_request(connection, request_id) if is_request_id(request_id) else None
    if row is None or row.subject != subject:
        raise RequestNotFound
    return row


def is_request_id(value: object) -> bool:
    """Whether it could be one: what it is read from may hold anything."""
    return isinstance(value, str) and 0 < len(value) <= ID_LENGTH and value.isprintable()


def last_of(chain: Iterable[Record]) -> Record | None:
    """Of requests that took each other's place, the one whose place nobody took."""
    rows = list(chain)
    superseded = {row.supersedes for row in rows}
    return next((row for row in rows if row.request_id not in superseded), None)


def stands_as_asked(order: Record, asked: Asked) -> bool:
    """Whether the order is still what it was when this was asked; where its goods are does not matter."""
    return (
        order.status != OrderStatus.CANCELLED
        and order.payment_reference is not None
        and order.version == asked.quote.order_version
        and order.currency == asked.quote.amount.currency
        and asked.quote.amount.amount <= order.paid - order.refunded
        and payee_hash_of(order) == asked.quote.payee_hash
    )


def is_expired(shop: Shop, asked: Asked, at: datetime) -> bool:
    """Whether it was too late at that time; what the policy escalates is not."""
    late = asked.expires_at is not None and at > asked.expires_at
    return late and not shop.policy.tier(asked.quote.tier).escalate_to


def request_values(shop: Shop, subject: str, request_id: str, quote: Quote) -> dict[str, Any]:
    now = shop.clock()
    return {
        "request_id": request_id,
        "subject": subject,
        "order_id": quote.order_id,
        "order_version": quote.order_version,
        "amount": quote.amount.amount,
        "paid": quote.paid.amount,
        "refunded": quote.refunded.amount,
        "currency": quote.amount.currency,
        "items": [storable(name) for name in quote.items],
        "reason": storable(quote.reason),
        "reason_code": quote.reason_code,
        "pieces": [[piece.sku, piece.quantity] for piece in quote.pieces] or None,
        "payee": quote.payee,
        "payee_hash": quote.payee_hash,
        "tier": quote.tier,
        "because": quote.because,
        "policy_version": shop.policy.version,
        "asked_at": now,
        "expires_at": now + shop.policy.tier(quote.tier).expires_after,
    }


def asked_from(row: Record) -> Asked:
    return Asked(
        request_id=row.request_id,
        quote=Quote(
            order_id=row.order_id,
            order_version=row.order_version,
            amount=Money(row.amount, row.currency),
            paid=Money(row.paid, row.currency),
            refunded=Money(row.refunded, row.currency),
            items=tuple(row.items),
            pieces=tuple(Piece(sku, quantity) for sku, quantity in row.pieces or ()),
            reason=row.reason,
            reason_code=row.reason_code,
            payee=row.payee,
            payee_hash=row.payee_hash,
            tier=row.tier,
            because=row.because,
        ),
        whole=row.whole,
        language=row.language,
        policy_version=row.policy_version,
        asked_at=row.asked_at,
        expires_at=row.expires_at,
        supersedes=row.supersedes,
        thread_id=row.thread_id,
    )
