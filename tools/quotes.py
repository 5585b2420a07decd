"""What a refund would be and who would have to agree, worked out without effect."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from tools.errors import AmountTooHigh, ItemsInvalid, NotPaid
from tools.money import Money, parse_amount
from tools.orders import OrderStatus, fetch_items, fetch_order, read_order_id, refusal_of
from tools.payee import describe_payee, hash_payee
from tools.policy import Case, Refused, Verdict, judge
from tools.policy.rules import A_DAY
from tools.shop import Shop
from tools.shop.schema import HISTORY, PIECES, Record

TEXT_LIMIT = 2_000
CODE_LIMIT = 32
UNSTATED = "unstated"


@dataclass(frozen=True, slots=True)
class Piece:
    """So many of one item of an order."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Quote:
    """What a refund would be, for people to decide on and for apply_refund to hold the order against.

    `items` are names; `pieces` what of them was asked for, empty for a refund by amount. `payee` is masked,
    `payee_hash` tells whether it is still the same. `tier` is whose it is to decide, `because` why.
    """

    order_id: str
    order_version: int
    amount: Money
    paid: Money
    refunded: Money
    items: tuple[str, ...]
    pieces: tuple[Piece, ...]
    reason: str
    reason_code: str
    payee: str
    payee_hash: str
    tier: str
    because: str


@dataclass(frozen=True, slots=True)
class History:
    """What a customer was refunded before, as the policy counts it."""

    spent: int
    of_order: int
    of_customer: int


async def quote_refund(
    shop: Shop,
    subject: str,
    order_id: str,
    *,
    amount: str | None = None,
    pieces: Sequence[Piece] = (),
    reason: str = "",
    reason_code: str = UNSTATED,
) -> Quote:
    """What refunding `amount` (major units), or these pieces, or else all that is left, would mean now;
    writes nothing. `reason` is the customer's words, `reason_code` one of the policy's.

    Raises OrderNotFound, a RefundRefused that says why not, or LookupFailed.
    """
    order_id = read_order_id(order_id)
    async with shop.read() as connection:
        order = await fetch_order(connection, subject, order_id)
        items = (await fetch_items(connection, [order_id]))[order_id]
        gone = await fetch_gone(connection, order_id) if pieces else Counter[str]()
        history = await fetch_history(connection, shop, subject, order)
    check_order(shop, order)
    wanted = wanted_amount(order, amount, price_of(items, pieces, gone, order.currency))
    verdict = verdict_of(shop, order, wanted, reason_code, history)
    return Quote(
        order_id=order_id,
        order_version=order.version,
        amount=wanted,
        paid=Money(order.paid, order.currency),
        refunded=Money(order.refunded, order.currency),
        items=tuple(names_of(items, pieces)),
        pieces=tuple(pieces),
        reason=storable(reason),
        reason_code=reason_code,
        payee=describe_payee(order.method, order.account),
        payee_hash=payee_hash_of(order),
        tier=verdict.tier.name,
        because=verdict.reason,
    )


def check_order(shop: Shop, order: Record) -> None:
    refusal = refusal_of(shop, order)
    if refusal is not None:
        raise refusal
    if order.payment_reference is None:
        raise NotPaid


def wanted_amount(order: Record, amount: str | None, price: Money | None) -> Money:
    if amount is not None and price is not None:
        raise ItemsInvalid
    left = Money(order.paid - order.refunded, order.currency)
    wanted = price or (left if amount is None else parse_amount(amount, order.currency))
    if wanted.amount > left.amount:
        raise AmountTooHigh(left)
    return wanted


def price_of(
    items: Iterable[Record], pieces: Sequence[Piece], gone: Counter[str], currency: str
) -> Money | None:
    """What these pieces cost; None where none are asked for."""
    if not pieces:
        return None
    bought = Counter[str]()
    prices: dict[str, int] = {}
    for item in items:
        bought[item.sku] += item.quantity
        prices[item.sku] = item.price
    wanted = Counter[str]()
    for piece in pieces:
        wanted[piece.sku] += piece.quantity
    if any(piece.quantity < 1 for piece in pieces) or not wanted <= bought - gone:
        raise ItemsInvalid
    price = sum(prices[sku] * quantity for sku, quantity in wanted.items())
    if price == 0:
        raise ItemsInvalid
    return Money(price, currency)


def names_of(items: Iterable[Record], pieces: Sequence[Piece]) -> Iterable[str]:
    """Of all items, or of the pieces asked for, with how many of them."""
    if not pieces:
        return [item.name for item in items]
    names = {item.sku: item.name for item in items}
    return [f"{names[piece.sku]} × {piece.quantity}" for piece in pieces]


def verdict_of(shop: Shop, order: Record, amount: Money, reason_code: str, history: History) -> Verdict:
    """Raises the policy's refusal."""
    verdict = judge(
        shop.policy,
        Case(
            cancelled=order.status == OrderStatus.CANCELLED,
            paid=order.paid,
            refunded=order.refunded,
            delivered_at=order.delivered_at,
            now=shop.clock(),
            amount=amount,
            reason=reason_code,
            spent=history.spent,
            of_order=history.of_order,
            of_customer=history.of_customer,
        ),
    )
    if isinstance(verdict, Refused):
        raise verdict.why
    return verdict


async def fetch_history(connection: AsyncConnection, shop: Shop, subject: str, order: Record) -> History:
    now = shop.clock()
    found = await connection.execute(
        HISTORY,
        {
            "subject": subject,
            "order_id": order.id,
            "currency": order.currency,
            "day_since": now - A_DAY,
            "repeats_since": now - timedelta(days=shop.policy.repeats.days),
        },
    )
    row = found.one()
    return History(int(row.spent), int(row.of_order), int(row.of_customer))


async def fetch_gone(connection: AsyncConnection, order_id: str) -> Counter[str]:
    """How many of each item were refunded by piece before."""
    gone = Counter[str]()
    for pieces in await connection.scalars(PIECES, {"order_id": order_id}):
        for sku, quantity in pieces:
            gone[sku] += quantity
    return gone


def payee_hash_of(order: Record) -> str:
    return hash_payee(order.method, order.account, order.payment_reference)


def storable(text: str, limit: int = TEXT_LIMIT) -> str:
    """People's and models' text as both databases take it: no NUL, no lone surrogates, not without end."""
    return text.encode(errors="replace").decode().replace("\0", "")[:limit]
