"""Who has to agree, checked where the money is: in the transaction that would make the refund."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, update

from tests.tools.asking import asked
from tests.tools.databases import Clock
from tests.tools.policies import LENIENT, SHIPPED
from tests.tools.providers import Bank, Refusing
from tests.tools.test_ledger_guards import order_of, run
from tools.errors import (
    AlreadyRefunded,
    AmountTooHigh,
    CurrencyNotRefunded,
    DailyLimitReached,
    DecidersMissing,
    ItemsInvalid,
    OrderChanged,
    ReasonNotAllowed,
    RequestExpired,
    ShopError,
)
from tools.money import Money
from tools.orders import query_order
from tools.policy import Figures, RefundPolicy
from tools.quotes import Piece, quote_refund
from tools.refunds import Decision, LedgerEntry, RefundStatus, apply_refund, list_refunds
from tools.requests import Asked, ask_refund
from tools.shop import Shop
from tools.shop.schema import orders

CUSTOMERS_OWN, OPERATORS, TWO_OPERATORS = "12345", "12357", "12358"


async def decide(
    shop: Shop, request: Asked, *by: str, amount: Money | None = None, bank: Bank | None = None
) -> LedgerEntry:
    decision = Decision("approve", by, shop.clock())
    return await apply_refund(shop, bank or Bank(), "demo", request.request_id, decision, amount=amount)


def with_policy(shop: Shop, policy: RefundPolicy) -> Shop:
    """The same shop after new figures came into force."""
    return Shop(shop._engine, shop.clock, policy)


@pytest.mark.parametrize(
    ("order_id", "tier", "why"),
    [
        (CUSTOMERS_OWN, "customer", "customer_confirms"),
        (OPERATORS, "operator", "above_customer_limit"),
        (TWO_OPERATORS, "two_operators", "above_operator_limit"),
    ],
)
async def test_a_request_is_asked_of_its_tier(
    strict_shop: Shop, clock: Clock, order_id: str, tier: str, why: str
) -> None:
    request = await asked(strict_shop, order_id)
    assert (request.quote.tier, request.quote.because) == (tier, why)
    assert request.policy_version == SHIPPED.version
    assert request.expires_at == clock.now + SHIPPED.tier(tier).expires_after


@pytest.mark.parametrize(
    ("order_id", "by"),
    [
        (CUSTOMERS_OWN, []),
        (CUSTOMERS_OWN, ["li"]),
        (OPERATORS, []),
        (OPERATORS, ["demo"]),
        (TWO_OPERATORS, ["li"]),
        (TWO_OPERATORS, ["li", "li"]),
        (TWO_OPERATORS, ["li", "demo"]),
    ],
    ids=str,
)
async def test_fewer_or_others_than_the_tier_wants(strict_shop: Shop, order_id: str, by: list[str]) -> None:
    request, bank = await asked(strict_shop, order_id), Bank()
    with pytest.raises(DecidersMissing) as missing:
        await decide(strict_shop, request, *by, bank=bank)
    assert missing.value.tier == request.quote.tier
    assert await list_refunds(strict_shop, "demo", order_id) == []
    assert not bank.asked


@pytest.mark.parametrize(
    ("order_id", "by"),
    [
        (CUSTOMERS_OWN, ["demo"]),
        (OPERATORS, ["li"]),
        (TWO_OPERATORS, ["li", "mei"]),
        (TWO_OPERATORS, ["demo", "li", "mei"]),
    ],
    ids=str,
)
async def test_those_whom_the_tier_wants(strict_shop: Shop, order_id: str, by: list[str]) -> None:
    entry = await decide(strict_shop, await asked(strict_shop, order_id), *by)
    assert (entry.status, entry.decided_by) == (RefundStatus.SETTLED, tuple(by))


async def test_one_no_is_enough(strict_shop: Shop) -> None:
    request = await asked(strict_shop, TWO_OPERATORS)
    decision = Decision("reject", ("li",), strict_shop.clock())
    entry = await apply_refund(strict_shop, Bank(), "demo", request.request_id, decision)
    assert entry.status is RefundStatus.REJECTED


async def test_a_lower_amount_needs_the_people_of_the_lower_amount(strict_shop: Shop) -> None:
    request = await asked(strict_shop, TWO_OPERATORS)
    with pytest.raises(DecidersMissing):
        await decide(strict_shop, request, "li", amount=Money(2_000_001, "CNY"))
    entry = await decide(strict_shop, request, "li", amount=Money(2_000_000, "CNY"))
    assert entry.amount == Money(2_000_000, "CNY")


async def test_the_policy_counts_that_holds_when_it_is_decided(strict_shop: Shop) -> None:
    request = await asked(strict_shop, CUSTOMERS_OWN)
    figures = {**SHIPPED.currencies, "CNY": Figures((1_000, 2_000), 10**9)}
    stricter = with_policy(strict_shop, replace(SHIPPED, version=3, currencies=figures))
    with pytest.raises(DecidersMissing) as missing:
        await decide(stricter, request, "demo")
    assert (missing.value.tier, missing.value.reason) == ("two_operators", "above_operator_limit")
    assert (await decide(strict_shop, request, "demo")).status is RefundStatus.SETTLED


async def test_refunds_made_meanwhile_raise_the_tier(strict_shop: Shop) -> None:
    """The seed has refunded the customer twice; the tenth within 30 days is the last he confirms himself."""
    await run(strict_shop, *(row for n in range(9) for row in order_of(strict_shop, f"small-{n}", 100)))
    requests = [await asked(strict_shop, f"small-{n}") for n in range(9)]
    assert {request.quote.tier for request in requests} == {"customer"}
    for request in requests[:8]:
        await decide(strict_shop, request, "demo")
    with pytest.raises(DecidersMissing) as missing:
        await decide(strict_shop, requests[8], "demo")
    assert (missing.value.tier, missing.value.reason) == ("operator", "repeated_refunds")
    assert (await asked(strict_shop, "12345")).quote.because == "repeated_refunds"


async def test_one_order_refunded_often_goes_up_too(strict_shop: Shop, clock: Clock) -> None:
    for _ in range(3):
        await decide(strict_shop, await asked(strict_shop, "12345", "1"), "demo")
    assert (await asked(strict_shop, "12345", "1")).quote.tier == "operator"
    assert (await asked(strict_shop, "12346", "1")).quote.tier == "customer"
    await run(strict_shop, update(orders).where(orders.c.id == "12345").values(delivered_at=None))
    clock.forward(days=30)
    assert (await asked(strict_shop, "12345", "1")).quote.tier == "customer"


async def test_what_was_rejected_or_failed_does_not_count(strict_shop: Shop) -> None:
    for _ in range(12):
        request = await asked(strict_shop, "12345", "5999.00")
        decision = Decision("reject", ("demo",), strict_shop.clock())
        await apply_refund(strict_shop, Bank(), "demo", request.request_id, decision)
        request = await asked(strict_shop, "12345", "5999.00")
        decision = replace(decision, outcome="approve")
        await apply_refund(strict_shop, Refusing(), "demo", request.request_id, decision)
    assert (await asked(strict_shop, "12345")).quote.tier == "customer"


async def expensive(shop: Shop, count: int) -> list[Asked]:
    """Requests for 20,000.00 each, of orders of their own."""
    await run(shop, *(row for n in range(count) for row in order_of(shop, f"dear-{n}", 2_000_000)))
    return [await asked(shop, f"dear-{n}") for n in range(count)]


async def test_no_more_than_the_daily_limit_though_all_agree(strict_shop: Shop, clock: Clock) -> None:
    first, second, third, fourth = await expensive(strict_shop, 4)
    for request in (first, second):
        await decide(strict_shop, request, "li")
    with pytest.raises(DailyLimitReached) as reached:
        await decide(strict_shop, third, "li", "mei")
    assert reached.value.left == Money(1_000_000, "CNY")
    with pytest.raises(DailyLimitReached):
        await quote_refund(strict_shop, "demo", "dear-3")
    await decide(strict_shop, third, "li", amount=Money(1_000_000, "CNY"))
    clock.forward(days=1)
    assert (await decide(strict_shop, fourth, "li")).status is RefundStatus.SETTLED


async def test_the_limit_of_one_currency_or_customer_is_not_anothers(strict_shop: Shop) -> None:
    requests = await expensive(strict_shop, 3)
    for request, amount in zip(requests, (2_000_000, 2_000_000, 1_000_000), strict=True):
        await decide(strict_shop, request, "li", amount=Money(amount, "CNY"))
    await decide(strict_shop, await asked(strict_shop, "12348"), "demo")
    foreign = await asked(strict_shop, "20101", "1", subject="lin")
    decision = Decision("approve", ("lin",), strict_shop.clock())
    assert await apply_refund(strict_shop, Bank(), "lin", foreign.request_id, decision)


async def test_at_once_they_keep_the_daily_limit_together(strict_shop: Shop) -> None:
    """Each is of an order of its own: only the customer's lock makes them see each other."""
    requests = await expensive(strict_shop, 10)
    results = await asyncio.gather(
        *(decide(strict_shop, request, "li") for request in requests), return_exceptions=True
    )
    outcomes = Counter(type(result) for result in results)
    assert outcomes == {LedgerEntry: 2, DailyLimitReached: 8}


async def test_at_once_they_keep_the_count_of_repeats_together(strict_shop: Shop) -> None:
    await run(strict_shop, *(row for n in range(20) for row in order_of(strict_shop, f"small-{n}", 100)))
    requests = [await asked(strict_shop, f"small-{n}") for n in range(20)]
    results = await asyncio.gather(
        *(decide(strict_shop, request, "demo") for request in requests), return_exceptions=True
    )
    assert Counter(type(result) for result in results) == {LedgerEntry: 8, DecidersMissing: 12}


async def test_it_can_be_too_late_to_approve(strict_shop: Shop, clock: Clock) -> None:
    customer, operator = await asked(strict_shop, CUSTOMERS_OWN), await asked(strict_shop, OPERATORS)
    clock.forward(days=14)
    assert (await decide(strict_shop, customer, "demo", amount=Money(1, "CNY"))).status == "settled"
    customer = await asked(strict_shop, "12351")
    clock.forward(days=14, seconds=1)
    with pytest.raises(RequestExpired):
        await decide(strict_shop, customer, "demo")
    decision = Decision("reject", (), strict_shop.clock(), "nobody answered")
    entry = await apply_refund(strict_shop, Bank(), "demo", customer.request_id, decision)
    assert (entry.status, entry.decided_by) == (RefundStatus.REJECTED, ())
    # What the policy hands on to others is not over.
    assert (await decide(strict_shop, operator, "the supervisor")).status is RefundStatus.SETTLED


async def test_a_currency_without_figures(strict_shop: Shop) -> None:
    pound = order_of(strict_shop, "pounds", 1000)
    pound[0] = pound[0].values(currency="GBP")  # type: ignore[attr-defined]
    await run(strict_shop, *pound)
    with pytest.raises(CurrencyNotRefunded, match="GBP"):
        await quote_refund(strict_shop, "demo", "pounds")
    assert (await query_order(strict_shop, "demo", "pounds")).refundable == Money(0, "GBP")
    lenient = {**LENIENT.currencies, "GBP": Figures((), 10**9)}
    before = with_policy(strict_shop, replace(LENIENT, currencies=lenient))
    request = await asked(before, "pounds")
    with pytest.raises(CurrencyNotRefunded):
        await decide(strict_shop, request, "demo", "li", "mei")


@pytest.mark.parametrize("code", ["", "used_up", "UNSTATED", "damaged ", "\x00", "损坏"])
async def test_reasons_that_the_policy_does_not_know(strict_shop: Shop, code: str) -> None:
    with pytest.raises(ReasonNotAllowed, match="wrong_item"):
        await quote_refund(strict_shop, "demo", "12345", reason_code=code)
    assert (await quote_refund(strict_shop, "demo", "12345", reason_code="late")).reason_code == "late"


PHONE, CASE = "SNY-WH1000XM5-S", "SNY-CASE-XM5"


async def of_pieces(shop: Shop, order_id: str, *pieces: tuple[str, int]) -> Asked:
    quote = await quote_refund(shop, "demo", order_id, pieces=[Piece(*piece) for piece in pieces])
    return await ask_refund(shop, "demo", f"{order_id}-{pieces}", quote)


async def test_a_refund_of_pieces(strict_shop: Shop) -> None:
    request = await of_pieces(strict_shop, "12346", (CASE, 1))
    assert request.quote.amount == Money(9900, "CNY")
    assert request.quote.items == ("耳机收纳包 × 1",)
    assert request.quote.pieces == (Piece(CASE, 1),)
    assert (await decide(strict_shop, request, "demo")).amount == Money(9900, "CNY")
    assert (await of_pieces(strict_shop, "12346", (PHONE, 1))).quote.amount == Money(229900, "CNY")


async def test_no_piece_is_refunded_twice(strict_shop: Shop) -> None:
    cup = "LOC-MUG-450"  # of three, one was refunded by amount, which is nobody's piece
    await of_pieces(strict_shop, "12353", (cup, 2))
    with pytest.raises(AmountTooHigh):
        await of_pieces(strict_shop, "12353", (cup, 3))
    await decide(strict_shop, await of_pieces(strict_shop, "12353", (cup, 1)), "demo")
    with pytest.raises(AmountTooHigh):
        await of_pieces(strict_shop, "12353", (cup, 2))
    await decide(strict_shop, await asked(strict_shop, "12347", "1"), "demo")
    await decide(strict_shop, await of_pieces(strict_shop, "12347", ("XM-BAND9-BK", 1)), "demo")
    with pytest.raises(ItemsInvalid):
        await of_pieces(strict_shop, "12347", ("XM-BAND9-BK", 2))


async def test_two_requests_for_one_piece(strict_shop: Shop) -> None:
    quote = await quote_refund(strict_shop, "demo", "12346", pieces=[Piece(CASE, 1)])
    first, second = [await ask_refund(strict_shop, "demo", name, quote) for name in ("r1", "r2")]
    await decide(strict_shop, first, "demo")
    with pytest.raises(OrderChanged):
        await decide(strict_shop, second, "demo")
    with pytest.raises(ItemsInvalid):
        await quote_refund(strict_shop, "demo", "12346", pieces=[Piece(CASE, 1)])


async def test_pieces_of_a_refund_that_failed_are_free_again(strict_shop: Shop) -> None:
    request = await of_pieces(strict_shop, "12346", (CASE, 1))
    decision = Decision("approve", ("demo",), strict_shop.clock())
    await apply_refund(strict_shop, Refusing(), "demo", request.request_id, decision)
    assert (await quote_refund(strict_shop, "demo", "12346", pieces=[Piece(CASE, 1)])).amount.amount == 9900


@pytest.mark.parametrize(
    "pieces",
    [
        [(CASE, 2)],
        [(CASE, 1), (CASE, 1)],
        [(CASE, 0)],
        [(CASE, -1), (PHONE, 1)],
        [("no such item", 1)],
        [(CASE.lower(), 1)],
        [("LOC-MUG-450", 1)],
        [(CASE, 10**30)],
        [("\ud800", 1)],
    ],
    ids=str,
)
async def test_pieces_that_are_not_the_orders(strict_shop: Shop, pieces: list[tuple[str, int]]) -> None:
    with pytest.raises(ItemsInvalid):
        await of_pieces(strict_shop, "12346", *pieces)


async def test_pieces_or_an_amount_not_both(strict_shop: Shop) -> None:
    with pytest.raises(ItemsInvalid):
        await quote_refund(strict_shop, "demo", "12346", amount="1", pieces=[Piece(CASE, 1)])


async def everything_else_is_refunded(shop: Shop) -> None:
    await decide(shop, await asked(shop, "12346"), "demo")


async def most_is_refunded(shop: Shop) -> None:
    await decide(shop, await asked(shop, "12346", "2350"), "demo")


async def a_gift_is_in_it(shop: Shop) -> None:
    gift: dict[str, Any] = {"order_id": "12346", "position": 9, "sku": CASE + "-GIFT", "name": "x"}
    await run(shop, insert(orders.metadata.tables["order_items"]).values(**gift, quantity=1, price=0))


@pytest.mark.parametrize(
    ("before", "sku", "refusal"),
    [
        (everything_else_is_refunded, CASE, AlreadyRefunded),
        (most_is_refunded, CASE, AmountTooHigh),
        (a_gift_is_in_it, CASE + "-GIFT", ItemsInvalid),
    ],
)
async def test_pieces_for_which_nothing_is_left(
    strict_shop: Shop, before: Callable[[Shop], Any], sku: str, refusal: type[ShopError]
) -> None:
    await before(strict_shop)
    with pytest.raises(refusal):
        await of_pieces(strict_shop, "12346", (sku, 1))
