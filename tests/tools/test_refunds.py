import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import update

from tests.tools.asking import asked
from tests.tools.databases import Clock
from tests.tools.providers import Bank, Instant, Refusing, Silent, Slow, Stopping
from tools.errors import (
    AlreadyRefunded,
    AmountInvalid,
    AmountTooHigh,
    CurrencyMismatch,
    NotPaid,
    OrderCancelled,
    OrderChanged,
    OrderNotFound,
    OutsideReturnWindow,
    RequestNotFound,
)
from tools.money import Money
from tools.orders import OrderStatus, query_order
from tools.payments import PaymentUnknown
from tools.quotes import quote_refund
from tools.refunds import Decision, RefundStatus, apply_refund, find_refunds, list_refunds
from tools.shop import Shop
from tools.shop.schema import orders, payments, refunds

APPROVED = Decision("approve", ("demo", "operator-zhou"), Clock().now, "fine")
REJECTED = Decision("reject", ("operator-zhou",), Clock().now, "not this one")
PROVIDER = Instant()


async def figures(shop: Shop, order_id: str = "12345") -> tuple[int, int]:
    order = await query_order(shop, "demo", order_id)
    return order.refunded.amount, order.version


async def test_a_quote_says_all_and_writes_nothing(shop: Shop) -> None:
    before = await query_order(shop, "demo", "12346")
    quote = await quote_refund(shop, "demo", "#12346", reason="doesn't fit\x00\ud800")
    assert (quote.order_id, quote.order_version) == ("12346", 1)
    assert quote.amount == quote.paid == Money(239800, "CNY")
    assert quote.refunded == Money(0, "CNY")
    assert quote.items == tuple(item.name for item in before.items)
    assert quote.reason == "doesn't fit?"
    assert quote.payee == "WeChat Pay •••• 6789"
    assert await query_order(shop, "demo", "12346") == before
    assert await list_refunds(shop, "demo", "12346") == []


@pytest.mark.parametrize(
    ("order_id", "amount", "refusal"),
    [
        ("12350", None, NotPaid),
        ("12355", None, OrderCancelled),
        ("12354", None, AlreadyRefunded),
        ("12349", None, OutsideReturnWindow),
        ("12345", "5999.01", AmountTooHigh),
        ("12353", "258.01", AmountTooHigh),
        ("12345", "0", AmountInvalid),
        ("12345", "-5", AmountInvalid),
        ("12345", "1e309", AmountInvalid),
        ("12345", "0.001", AmountInvalid),
        ("12345", "\uff15", AmountInvalid),
        ("12345", "10 USD", CurrencyMismatch),
        ("20101", None, OrderNotFound),
        ("99999", None, OrderNotFound),
    ],
)
async def test_a_quote_is_refused(
    shop: Shop, order_id: str, amount: str | None, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        await quote_refund(shop, "demo", order_id, amount=amount)


async def test_what_is_left_is_named(shop: Shop) -> None:
    with pytest.raises(AmountTooHigh) as refused:
        await quote_refund(shop, "demo", "12353", amount="300")
    assert refused.value.refundable == Money(25800, "CNY")
    assert "258.00 CNY" in refused.value.sentence("zh")


async def test_paid_but_not_delivered_can_be_refunded(shop: Shop) -> None:
    for order_id in ("12351", "12352"):
        assert (await quote_refund(shop, "demo", order_id)).amount.amount > 0


async def test_an_approved_refund(shop: Shop, clock: Clock) -> None:
    bank = Bank()
    await asked(shop, "12345", "100", request_id="r1", reason="scratched")
    entry = await apply_refund(shop, bank, "demo", "r1", APPROVED)
    assert (entry.request_id, entry.order_id, entry.amount) == ("r1", "12345", Money(10000, "CNY"))
    assert (entry.status, entry.message) == (RefundStatus.SETTLED, "fine")
    assert (entry.decided_by, entry.decided_at) == (APPROVED.by, APPROVED.at)
    assert entry.provider_reference == (await PROVIDER.refund("r1", "", entry.amount)).reference
    assert entry.created_at == clock.now
    assert bank.moved == {"r1": Money(10000, "CNY")}
    order = await query_order(shop, "demo", "12345")
    assert (order.status, order.refunded, order.version) == (OrderStatus.PARTLY_REFUNDED, entry.amount, 2)
    assert await find_refunds(shop, ["r1", "r2"]) == {"r1": entry}
    assert await list_refunds(shop, "demo", "12345") == [entry]


async def test_the_ledger_keeps_the_facts_approved(shop: Shop) -> None:
    quote = (await asked(shop, "12345", request_id="r1", reason="scratched")).quote
    await apply_refund(shop, PROVIDER, "demo", "r1", APPROVED)
    async with shop.read() as connection:
        row = (await connection.execute(refunds.select().where(refunds.c.request_id == "r1"))).one()
    assert (row.order_version, row.payee, row.payee_hash) == (1, quote.payee, quote.payee_hash)
    assert (row.reason, row.provider, row.decided_by) == ("scratched", "instant", list(APPROVED.by))
    assert row.asked == "r1"


async def test_a_rejected_refund_is_kept_too(shop: Shop) -> None:
    bank = Bank()
    await asked(shop, "12345", request_id="r1")
    entry = await apply_refund(shop, bank, "demo", "r1", REJECTED)
    assert (entry.status, entry.message, entry.provider_reference) == (
        RefundStatus.REJECTED,
        "not this one",
        None,
    )
    assert await figures(shop) == (0, 1)
    assert await apply_refund(shop, bank, "demo", "r1", APPROVED) == entry
    assert not bank.asked


async def test_a_repeat_returns_the_first_entry(shop: Shop) -> None:
    bank = Bank()
    await asked(shop, "12345", "100", request_id="r1")
    first = await apply_refund(shop, bank, "demo", "r1", APPROVED)
    for amount, decision in ((None, APPROVED), (None, REJECTED), (Money(500, "CNY"), APPROVED)):
        assert await apply_refund(shop, bank, "demo", "r1", decision, amount=amount) == first
    assert bank.asked == {"r1": 1}
    assert await figures(shop) == (10000, 2)


async def test_the_same_request_at_once_is_one_row(shop: Shop) -> None:
    bank = Bank()
    await asked(shop, "12345", "100", request_id="r1")
    entries = await asyncio.gather(*(apply_refund(shop, bank, "demo", "r1", APPROVED) for _ in range(20)))
    assert len(set(entries)) == 1
    assert list(bank.moved) == ["r1"]
    assert await figures(shop) == (10000, 2)


async def test_a_lower_amount_than_was_asked(shop: Shop) -> None:
    await asked(shop, "12345", "100", request_id="r1")
    entry = await apply_refund(shop, PROVIDER, "demo", "r1", APPROVED, amount=Money(2500, "CNY"))
    assert (entry.status, entry.amount) == (RefundStatus.SETTLED, Money(2500, "CNY"))
    assert await figures(shop) == (2500, 2)


async def test_what_nobody_asked_for_is_not_refunded(shop: Shop) -> None:
    bank = Bank()
    for request_id in ("never asked", "", "r\x001", "r" * 129):
        with pytest.raises(RequestNotFound):
            await apply_refund(shop, bank, "demo", request_id, APPROVED)
    assert not bank.asked


async def test_a_request_of_somebody_else_is_not_told(shop: Shop) -> None:
    await asked(shop, "20101", "100", subject="lin", request_id="r1")
    for _ in range(2):
        with pytest.raises(RequestNotFound):
            await apply_refund(shop, PROVIDER, "demo", "r1", APPROVED)
        await apply_refund(shop, PROVIDER, "lin", "r1", APPROVED)
    assert len(await list_refunds(shop, "lin", "20101")) == 1


async def change_paid(shop: Shop) -> None:
    await shop.write(lambda c: c.execute(update(orders).where(orders.c.id == "12345").values(paid=700000)))


async def change_account(shop: Shop) -> None:
    moved = update(payments).where(payments.c.order_id == "12345").values(account="wxp_other1111")
    await shop.write(lambda c: c.execute(moved))


async def cancel(shop: Shop) -> None:
    cancelled = update(orders).where(orders.c.id == "12345").values(status="cancelled")
    await shop.write(lambda c: c.execute(cancelled))


async def refund_a_part(shop: Shop) -> None:
    await asked(shop, "12345", "1", request_id="between")
    await apply_refund(shop, PROVIDER, "demo", "between", APPROVED)


@pytest.mark.parametrize("change", [change_paid, change_account, cancel, refund_a_part])
async def test_an_order_that_changed_is_not_refunded(shop: Shop, change: object) -> None:
    bank = Bank()
    await asked(shop, "12345", "100", request_id="r1")
    await change(shop)  # type: ignore[operator]
    with pytest.raises(OrderChanged):
        await apply_refund(shop, bank, "demo", "r1", APPROVED)
    assert not bank.asked
    assert await find_refunds(shop, ["r1"]) == {}


@pytest.mark.parametrize("minor", [0, -1, 599901, 10**12])
async def test_a_forged_amount_is_not_refunded(shop: Shop, minor: int) -> None:
    await asked(shop, "12345", request_id="r1")
    with pytest.raises(AmountInvalid):
        await apply_refund(shop, PROVIDER, "demo", "r1", APPROVED, amount=Money(minor, "CNY"))
    assert await figures(shop) == (0, 1)


async def test_a_forged_currency_is_not_refunded(shop: Shop) -> None:
    await asked(shop, "12345", request_id="r1")
    with pytest.raises(AmountInvalid):
        await apply_refund(shop, PROVIDER, "demo", "r1", APPROVED, amount=Money(100, "USD"))


async def test_the_window_is_kept_by_asking_in_time(shop: Shop, clock: Clock) -> None:
    await asked(shop, "12345", request_id="r1")
    clock.forward(days=5)
    with pytest.raises(OutsideReturnWindow):
        await quote_refund(shop, "demo", "12345")
    entry = await apply_refund(shop, PROVIDER, "demo", "r1", APPROVED)
    assert entry.status is RefundStatus.SETTLED
    assert entry.created_at == APPROVED.at + timedelta(days=5)


async def test_a_delivery_between_quote_and_decision_does_not_matter(shop: Shop) -> None:
    await asked(shop, "12351", request_id="r1")
    arrived = (
        update(orders).where(orders.c.id == "12351").values(status="delivered", delivered_at=shop.clock())
    )
    await shop.write(lambda c: c.execute(arrived))
    entry = await apply_refund(shop, PROVIDER, "demo", "r1", APPROVED)
    assert entry.status is RefundStatus.SETTLED


async def test_a_refusal_of_the_provider_frees_the_money(shop: Shop) -> None:
    await asked(shop, "12345", request_id="r1")
    entry = await apply_refund(shop, Refusing(), "demo", "r1", APPROVED)
    assert (entry.status, entry.message) == (RefundStatus.FAILED, "the account was closed")
    assert await figures(shop) == (0, 3)
    bank = Bank()
    assert await apply_refund(shop, bank, "demo", "r1", APPROVED) == entry
    assert not bank.asked


async def test_an_unknown_outcome_is_asked_again_with_the_same_key(shop: Shop) -> None:
    bank = Bank(trouble=PaymentUnknown("no answer"))
    await asked(shop, "12345", request_id="r1")
    for _ in range(2):
        entry = await apply_refund(shop, bank, "demo", "r1", APPROVED)
        assert (entry.status, entry.provider_reference) == (RefundStatus.UNKNOWN, None)
        assert await figures(shop) == (599900, 2)
    with pytest.raises(AlreadyRefunded):
        await quote_refund(shop, "demo", "12345")
    bank.trouble = None
    entry = await apply_refund(shop, bank, "demo", "r1", REJECTED)
    assert entry.status is RefundStatus.SETTLED
    assert (bank.asked, len(bank.moved)) == ({"r1": 3}, 1)


async def test_a_provider_that_breaks_leaves_a_row_to_finish(shop: Shop) -> None:
    bank = Bank(trouble=ConnectionResetError("broken in the middle"))
    await asked(shop, "12345", "100", request_id="r1")
    with pytest.raises(ConnectionResetError):
        await apply_refund(shop, bank, "demo", "r1", APPROVED)
    assert (await find_refunds(shop, ["r1"]))["r1"].status is RefundStatus.SUBMITTED
    bank.trouble = None
    entry = await apply_refund(shop, bank, "demo", "r1", APPROVED)
    assert entry.status is RefundStatus.SETTLED
    assert (bank.asked, len(bank.moved)) == ({"r1": 2}, 1)
    assert await figures(shop) == (10000, 2)


async def test_a_slower_repeat_does_not_take_the_outcome_back(shop: Shop) -> None:
    slow = Slow()
    await asked(shop, "12345", request_id="r1")
    first = asyncio.create_task(apply_refund(shop, slow, "demo", "r1", APPROVED))
    await slow.called.wait()
    other = await apply_refund(shop, Silent(), "demo", "r1", APPROVED)
    assert other.status is RefundStatus.UNKNOWN
    slow.allowed.set()
    settled = await first
    assert settled.status is RefundStatus.SETTLED
    assert await apply_refund(shop, Silent(), "demo", "r1", APPROVED) == settled


async def test_a_slower_unknown_does_not_undo_a_settlement(shop: Shop) -> None:
    slow = Slow(trouble=PaymentUnknown("no answer"))
    await asked(shop, "12345", request_id="r1")
    first = asyncio.create_task(apply_refund(shop, slow, "demo", "r1", APPROVED))
    await slow.called.wait()
    settled = await apply_refund(shop, PROVIDER, "demo", "r1", APPROVED)
    slow.allowed.set()
    assert await first == settled
    assert settled.status is RefundStatus.SETTLED


async def test_an_answer_once_heard_is_kept_by_a_program_told_to_stop(shop: Shop) -> None:
    await asked(shop, "12345", request_id="r1")
    task = asyncio.create_task(apply_refund(shop, Stopping(), "demo", "r1", APPROVED))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await find_refunds(shop, ["r1"]))["r1"].status is RefundStatus.SETTLED


async def test_refunds_of_an_order_come_oldest_first(shop: Shop, clock: Clock) -> None:
    for number in range(3):
        clock.forward(minutes=1)
        await asked(shop, "12345", "10", request_id=f"z{9 - number}")
        await apply_refund(shop, PROVIDER, "demo", f"z{9 - number}", APPROVED)
    entries = await list_refunds(shop, "demo", "#12345")
    assert [entry.request_id for entry in entries] == ["z9", "z8", "z7"]
    assert await find_refunds(shop, []) == {}
