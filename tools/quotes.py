"""What a refund would be, worked out without effect."""

from dataclasses import dataclass
from datetime import datetime

from tools.errors import AmountTooHigh, NotPaid
from tools.money import Money, parse_amount
from tools.orders import fetch_items, fetch_order, read_order_id, refusal_of
from tools.payee import describe_payee, hash_payee
from tools.shop import Shop
from tools.shop.schema import Record

TEXT_LIMIT = 2_000


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


def check_policy(order: Record, now: datetime) -> None:
    refusal = refusal_of(order, now)
    if refusal is not None:
        raise refusal
    if order.payment_reference is None:
        raise NotPaid


def payee_hash_of(order: Record) -> str:
    return hash_payee(order.method, order.account, order.payment_reference)


def storable(text: str) -> str:
    """People's and models' text as both databases take it: no NUL, no lone surrogates, not without end."""
    return text.encode(errors="replace").decode().replace("\0", "")[:TEXT_LIMIT]
