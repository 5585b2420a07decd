"""Figures of the shop, on SQLite and on Postgres."""

from collections import Counter
from datetime import timedelta

from tests.tools.asking import asked
from tests.tools.databases import Clock
from tests.tools.providers import Instant
from tools.figures import list_customers, query_figures
from tools.refunds import Decision, apply_refund
from tools.shop import Shop
from tools.shop.schema import DAYS
from tools.shop.seed import PURCHASES
from tools.shop.seed_rows import CUSTOMERS

APPROVED = Decision("approve", ("demo",), Clock().now)
REJECTED = Decision("reject", ("demo",), Clock().now)


def seeded() -> Counter[tuple[str, str]]:
    """What the demo shop has paid back in these days, by day and currency."""
    now, found = Clock().now, Counter[tuple[str, str]]()
    for purchase in PURCHASES:
        for given in purchase.refunds:
            day = (now - timedelta(days=given.days)).date()
            if day > now.date() - timedelta(days=DAYS):
                found[day.isoformat(), purchase.currency] += given.amount
    return found


async def refunded(shop: Shop) -> Counter[tuple[str, str]]:
    figures = await query_figures(shop)
    return Counter(
        {
            (day.isoformat(), money.currency): money.amount
            for day, sums in figures.refunded.items()
            for money in sums
            if money.amount
        }
    )


async def test_what_was_paid_back_is_told_by_day_and_currency(shop: Shop, clock: Clock) -> None:
    assert await refunded(shop) == seeded()
    assert seeded(), "the demo shop has nothing to show"
    days = list((await query_figures(shop)).refunded)
    assert (len(days), days[-1]) == (DAYS, clock.now.date())


async def test_the_day_ends_at_midnight_in_utc(shop: Shop, clock: Clock) -> None:
    before = await refunded(shop)
    today = clock.now.date()
    clock.now = clock.now.replace(hour=23, minute=59, second=59, microsecond=999_999)
    request = await asked(shop, "12345", "1.00")
    await apply_refund(shop, Instant(), "demo", request.request_id, APPROVED)
    clock.forward(seconds=0.000_001)
    request = await asked(shop, "12346", "2.00")
    await apply_refund(shop, Instant(), "demo", request.request_id, APPROVED)
    gained = (await refunded(shop)) - before
    assert gained[today.isoformat(), "CNY"] == 100
    assert gained[(today + timedelta(days=1)).isoformat(), "CNY"] == 200


async def test_only_requests_that_somebody_can_still_decide_wait(shop: Shop) -> None:
    assert (await query_figures(shop)).waiting == {}
    first = await asked(shop, "12345", "1.00")
    second = await asked(shop, "12345", "2.00", supersedes=first.request_id)
    third = await asked(shop, "12346", "3.00")
    assert sum((await query_figures(shop)).waiting.values()) == 2
    await apply_refund(shop, Instant(), "demo", third.request_id, REJECTED)
    figures = await query_figures(shop)
    assert figures.waiting == {second.quote.tier: 1}
    assert figures.outcomes["rejected"] == 1


async def test_a_request_waits_no_longer_than_it_may_be_decided(strict_shop: Shop, clock: Clock) -> None:
    request = await asked(strict_shop, "12345", "1.00")
    assert (await query_figures(strict_shop)).waiting == {request.quote.tier: 1}
    clock.forward(days=60)
    assert (await query_figures(strict_shop)).waiting == {}


async def test_what_was_rejected_or_failed_was_not_paid_back(shop: Shop) -> None:
    before = await refunded(shop)
    request = await asked(shop, "12345", "1.00")
    await apply_refund(shop, Instant(), "demo", request.request_id, REJECTED)
    assert await refunded(shop) == before


async def test_customers_are_told_in_their_order(shop: Shop) -> None:
    assert {one.subject: one.name for one in await list_customers(shop)} == CUSTOMERS
