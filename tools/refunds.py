"""Refunds: quoted without effect, decided by people, then made exactly once.

A request's way through the ledger: `submitted` is committed before the provider is called with the
request_id as its key, and becomes settled, failed or unknown afterward. Whatever dies in between, the same
call made again finds the row and goes on from there.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, Literal

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from tools.errors import AmountInvalid, AmountTooHigh, NotPaid, OrderChanged, OrderNotFound, ShopUnavailable
from tools.money import Money, parse_amount
from tools.orders import OrderStatus, fetch_items, fetch_order, read_order_id, refusal_of
from tools.payee import describe_payee, hash_payee
from tools.payments import PaymentProvider, PaymentRefused, PaymentUnknown
from tools.shop import Shop
from tools.shop.schema import (
    ADD_REFUND,
    ORDER_LOCKED,
    REFUND,
    REFUNDS,
    REFUNDS_OF_ORDER,
    SET_OUTCOME,
    Record,
)

TEXT_LIMIT = 2_000


class RefundStatus(StrEnum):
    REQUESTED = "requested"  # the money is set aside, the provider was not called
    SUBMITTED = "submitted"  # the provider is being called, or a crash came before its answer was kept
    SETTLED = "settled"  # the provider made it
    FAILED = "failed"  # the provider refused; the money set aside is free again
    UNKNOWN = "unknown"  # the provider did not answer; only the same key may ask again
    REJECTED = "rejected"  # a person said no; no money was set aside


UNFINISHED = frozenset({RefundStatus.SUBMITTED, RefundStatus.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Quote:
    """What a refund would be, for people to decide on and for apply_refund to hold the order against.

    `items` are names; `payee` is masked, `payee_hash` tells whether it is still the same.
    """

    order_id: str
    order_version: int
    amount: Money
    paid: Money
    refunded: Money
    items: tuple[str, ...]
    reason: str
    payee: str
    payee_hash: str


@dataclass(frozen=True, slots=True)
class Decision:
    """`by` are the subjects of those who decided; `message` is what they said about it."""

    outcome: Literal["approve", "reject"]
    by: tuple[str, ...]
    at: datetime
    message: str = ""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A decided request. `message` is the provider's reason when it failed, else that of the decision."""

    request_id: str
    order_id: str
    amount: Money
    status: RefundStatus
    decided_by: tuple[str, ...]
    decided_at: datetime
    provider_reference: str | None
    message: str
    created_at: datetime


async def quote_refund(
    shop: Shop, subject: str, order_id: str, *, amount: str | None = None, reason: str = ""
) -> Quote:
    """What refunding `amount` (major units, None for all that is left) would mean now; writes nothing.

    Raises OrderNotFound, a RefundRefused that says why not, or LookupFailed.
    """
    order_id = read_order_id(order_id)
    async with shop.read() as connection:
        order = await fetch_order(connection, subject, order_id)
        items = await fetch_items(connection, [order_id])
    check_policy(order, shop.clock())
    left = Money(order.paid - order.refunded, order.currency)
    wanted = left if amount is None else parse_amount(amount, order.currency)
    if wanted.amount > left.amount:
        raise AmountTooHigh(left)
    return Quote(
        order_id=order_id,
        order_version=order.version,
        amount=wanted,
        paid=Money(order.paid, order.currency),
        refunded=Money(order.refunded, order.currency),
        items=tuple(item.name for item in items[order_id]),
        reason=storable(reason),
        payee=describe_payee(order.method, order.account),
        payee_hash=payee_hash_of(order),
    )


async def apply_refund(
    shop: Shop,
    provider: PaymentProvider,
    subject: str,
    request_id: str,
    quote: Quote,
    decision: Decision,
) -> LedgerEntry:
    """Make a decided refund, or note that it was rejected: once a `request_id`, for ever.

    A repeat returns the first entry whatever it says itself, after finishing what a crash or a silent
    provider left open. Raises OrderChanged, with nothing written, when the order is no longer as quoted;
    OrderNotFound; ShopUnavailable, after which the same call is safe to make again.
    """
    row = await shop.write(partial(open_entry, shop.clock(), subject, request_id, quote, decision))
    if row.status in UNFINISHED:
        row = await finish(shop, provider, row)
    return entry_from(row)


async def find_refunds(shop: Shop, request_ids: Iterable[str]) -> dict[str, LedgerEntry]:
    """The entries of those requests that were decided, by request_id. Raises LookupFailed."""
    async with shop.read() as connection:
        rows = await connection.execute(REFUNDS, {"request_ids": list(request_ids)})
        return {row.request_id: entry_from(row) for row in rows}


async def list_refunds(shop: Shop, subject: str, order_id: str) -> list[LedgerEntry]:
    """All decided requests of one order, rejected ones too, oldest first. Raises what query_order raises."""
    order_id = read_order_id(order_id)
    async with shop.read() as connection:
        await fetch_order(connection, subject, order_id)
        rows = await connection.execute(REFUNDS_OF_ORDER, {"order_id": order_id})
        return [entry_from(row) for row in rows]


async def open_entry(
    now: datetime,
    subject: str,
    request_id: str,
    quote: Quote,
    decision: Decision,
    connection: AsyncConnection,
) -> Record:
    """The request's row, written now unless it was there: the step that happens once."""
    if quote.amount.amount <= 0:
        raise AmountInvalid
    # The lock comes before the look at the ledger: of two with one request_id the second must see the first.
    order = await fetch_order(connection, subject, quote.order_id, ORDER_LOCKED)
    known = await fetch_entry(connection, request_id)
    if known is None:
        check_unchanged(order, quote, rejected=decision.outcome == "reject")
        await add_entry(connection, entry_values(now, request_id, quote, decision))
        known = await fetch_entry(connection, request_id)
    if known is None or known.subject != subject:
        raise OrderNotFound(quote.order_id)
    return known


def check_policy(order: Record, now: datetime) -> None:
    refusal = refusal_of(order, now)
    if refusal is not None:
        raise refusal
    if order.payment_reference is None:
        raise NotPaid


def check_unchanged(order: Record, quote: Quote, *, rejected: bool) -> None:
    """A rejection needs no more than the order's currency. The return window is not looked at again: it is
    kept by asking in time, not by deciding in time."""
    if quote.amount.currency != order.currency:
        raise OrderChanged
    if rejected:
        return
    same = (
        order.status != OrderStatus.CANCELLED
        and order.payment_reference is not None
        and order.version == quote.order_version
        and quote.amount.amount <= order.paid - order.refunded
        and payee_hash_of(order) == quote.payee_hash
    )
    if not same:
        raise OrderChanged


async def add_entry(connection: AsyncConnection, values: dict[str, Any]) -> None:
    try:
        await connection.execute(ADD_REFUND, values)
    except IntegrityError as error:
        # Checked already, under the lock: this is the database's own word, should the check ever be wrong.
        if "refunded_within_paid" in str(error.orig):
            raise OrderChanged from error
        raise


async def fetch_entry(connection: AsyncConnection, request_id: str) -> Record | None:
    return (await connection.execute(REFUND, {"request_id": request_id})).one_or_none()


async def finish(shop: Shop, provider: PaymentProvider, row: Record) -> Record:
    """Ask the provider, under the key it may have been asked with before, and keep what it says."""
    amount = Money(row.amount, row.currency)
    outcome: dict[str, Any] = {"key": row.request_id, "by": provider.name, "reference": None, "why": None}
    try:
        settlement = await provider.refund(row.request_id, row.payment_reference, amount)
        outcome |= {"outcome": RefundStatus.SETTLED, "reference": settlement.reference}
    except PaymentRefused as refusal:
        outcome |= {"outcome": RefundStatus.FAILED, "why": storable(str(refusal))}
    except PaymentUnknown:
        outcome |= {"outcome": RefundStatus.UNKNOWN}
    saving = asyncio.ensure_future(shop.write(partial(set_outcome, outcome | {"now": shop.clock()})))
    try:
        return await asyncio.shield(saving)
    except asyncio.CancelledError:
        # An answer once heard is kept, even by a program that is told to stop.
        with suppress(ShopUnavailable):
            await saving
        raise


async def set_outcome(outcome: dict[str, Any], connection: AsyncConnection) -> Record:
    await connection.execute(SET_OUTCOME, outcome)
    return (await connection.execute(REFUND, {"request_id": outcome["key"]})).one()


def entry_values(now: datetime, request_id: str, quote: Quote, decision: Decision) -> dict[str, Any]:
    approved = decision.outcome == "approve"
    return {
        "request_id": request_id,
        "order_id": quote.order_id,
        "amount": quote.amount.amount,
        "currency": quote.amount.currency,
        "status": RefundStatus.SUBMITTED if approved else RefundStatus.REJECTED,
        "reason": storable(quote.reason),
        "order_version": quote.order_version,
        "payee": quote.payee,
        "payee_hash": quote.payee_hash,
        "decided_by": list(decision.by),
        "decided_at": decision.at,
        "message": storable(decision.message),
        "created_at": now,
        "updated_at": now,
    }


def entry_from(row: Record) -> LedgerEntry:
    return LedgerEntry(
        request_id=row.request_id,
        order_id=row.order_id,
        amount=Money(row.amount, row.currency),
        status=RefundStatus(row.status),
        decided_by=tuple(row.decided_by),
        decided_at=row.decided_at,
        provider_reference=row.provider_reference,
        message=row.failure or row.message,
        created_at=row.created_at,
    )


def payee_hash_of(order: Record) -> str:
    return hash_payee(order.method, order.account, order.payment_reference)


def storable(text: str) -> str:
    """People's and models' text as both databases take it: no NUL, no lone surrogates, not without end."""
    return text.encode(errors="replace").decode().replace("\0", "")[:TEXT_LIMIT]
