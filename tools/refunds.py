"""Refunds: decided by people, then made exactly once.

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

from tools.errors import (
    AmountInvalid,
    DecidersMissing,
    OrderChanged,
    OrderNotFound,
    RequestExpired,
    RequestSuperseded,
    ShopUnavailable,
)
from tools.money import Money
from tools.orders import fetch_order, read_order_id
from tools.payments import PaymentProvider, PaymentRefused, PaymentUnknown
from tools.policy import Refused, are_enough, find_tier
from tools.quotes import History, fetch_history, storable
from tools.requests import Asked, asked_from, is_expired, require_request, stands_as_asked
from tools.shop import Shop
from tools.shop.schema import (
    ADD_REFUND,
    CUSTOMER_LOCKED,
    ORDER_LOCKED,
    REFUND,
    REFUNDS,
    REFUNDS_OF_ORDER,
    SET_OUTCOME,
    SUPERSEDED,
    Record,
)


class RefundStatus(StrEnum):
    REQUESTED = "requested"  # the money is set aside, the provider was not called
    SUBMITTED = "submitted"  # the provider is being called, or a crash came before its answer was kept
    SETTLED = "settled"  # the provider made it
    FAILED = "failed"  # the provider refused; the money set aside is free again
    UNKNOWN = "unknown"  # the provider did not answer; only the same key may ask again
    REJECTED = "rejected"  # a person said no; no money was set aside


UNFINISHED = frozenset({RefundStatus.SUBMITTED, RefundStatus.UNKNOWN})


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


async def apply_refund(
    shop: Shop,
    provider: PaymentProvider,
    subject: str,
    request_id: str,
    decision: Decision,
    *,
    amount: Money | None = None,
) -> LedgerEntry:
    """Make a refund that was asked for and decided, of all that was asked or of a lower `amount`; or note
    that it was rejected: once a `request_id`, for ever.

    What is refunded is what was written down when it was asked. A repeat returns the first entry whatever it
    says itself, after finishing what a crash or a silent provider left open. Raises, with nothing written:
    RequestNotFound; RequestSuperseded; RequestExpired; OrderChanged, when the order is no longer as it was
    asked; DecidersMissing, when by the policy as it is now others or more people have to decide, and what
    else it refuses; OrderNotFound; ShopUnavailable, after which the same call is safe to make again.
    """
    row = await shop.write(partial(open_entry, shop, subject, request_id, amount, decision))
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
    shop: Shop,
    subject: str,
    request_id: str,
    amount: Money | None,
    decision: Decision,
    connection: AsyncConnection,
) -> Record:
    """The request's row, written now unless it was there: the step that happens once."""
    asked = asked_from(await require_request(connection, subject, request_id))
    # The locks come before the look at the ledger: of two with one request_id the second must see the first.
    await connection.execute(CUSTOMER_LOCKED, {"subject": subject})
    order = await fetch_order(connection, subject, asked.quote.order_id, ORDER_LOCKED)
    known = await fetch_entry(connection, request_id)
    if known is None:
        if (await connection.execute(SUPERSEDED, {"request_id": request_id})).first():
            raise RequestSuperseded
        if decision.outcome == "reject" or amount is None:
            amount = asked.quote.amount
        if decision.outcome == "approve":
            check_unchanged(order, asked, amount)
            history = await fetch_history(connection, shop, subject, order)
            check_deciders(shop, subject, asked, amount, decision, history)
        await add_entry(connection, entry_values(shop.clock(), asked, amount, decision))
        known = await fetch_entry(connection, request_id)
    if known is None or known.subject != subject:
        raise OrderNotFound(asked.quote.order_id)
    return known


def check_unchanged(order: Record, asked: Asked, amount: Money) -> None:
    """The return window is not looked at again: it is kept by asking in time, not by deciding in time."""
    most = asked.quote.amount
    if amount.currency != most.currency or not 0 < amount.amount <= most.amount:
        raise AmountInvalid
    if not stands_as_asked(order, asked):
        raise OrderChanged


def check_deciders(
    shop: Shop, subject: str, asked: Asked, amount: Money, decision: Decision, history: History
) -> None:
    """By the policy as it is now, for this amount and what was refunded since it was asked for."""
    if is_expired(shop, asked, decision.at):
        raise RequestExpired
    verdict = find_tier(shop.policy, amount, history.spent, history.of_order, history.of_customer)
    if isinstance(verdict, Refused):
        raise verdict.why
    if not are_enough(decision.by, subject, shop.policy.tier(asked.quote.tier), verdict.tier):
        raise DecidersMissing(verdict.tier.deciders, verdict.tier.name, verdict.reason)


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


def entry_values(now: datetime, asked: Asked, amount: Money, decision: Decision) -> dict[str, Any]:
    approved = decision.outcome == "approve"
    return {
        "request_id": asked.request_id,
        "asked": asked.request_id,
        "order_id": asked.quote.order_id,
        "amount": amount.amount,
        "currency": amount.currency,
        "status": RefundStatus.SUBMITTED if approved else RefundStatus.REJECTED,
        "reason": asked.quote.reason,
        "order_version": asked.quote.order_version,
        "payee": asked.quote.payee,
        "payee_hash": asked.quote.payee_hash,
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
