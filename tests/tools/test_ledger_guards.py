"""What the database itself refuses, asked with plain SQL as a wrong program would."""

import asyncio
import uuid
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.sql import Executable

from tests.tools.asking import asked
from tests.tools.providers import Instant, Refusing, Silent
from tools.errors import RefundRefused
from tools.money import Money
from tools.orders import query_order
from tools.payments import PaymentProvider
from tools.refunds import Decision, apply_refund
from tools.shop import Shop
from tools.shop.schema import order_items, orders, payments, refunds


async def run(shop: Shop, *statements: Executable) -> None:
    async def work(connection: Any) -> None:
        for statement in statements:
            await connection.execute(statement)

    await shop.write(work)


def row_of(shop: Shop, **values: object) -> Executable:
    facts = {
        "order_id": "12345",
        "currency": "CNY",
        "status": "submitted",
        "reason": "",
        "order_version": 1,
        "payee": "",
        "payee_hash": "",
        "decided_by": ["demo"],
        "decided_at": shop.clock(),
        "message": "",
        "created_at": shop.clock(),
        "updated_at": shop.clock(),
    }
    return insert(refunds).values(facts | values)


async def sums(shop: Shop, order_id: str) -> tuple[int, int, int]:
    """paid, refunded, and what the ledger says."""
    async with shop.read() as connection:
        order = (await connection.execute(select(orders).where(orders.c.id == order_id))).one()
        rows = await connection.execute(select(refunds).where(refunds.c.order_id == order_id))
        held = sum(row.amount for row in rows if row.status not in ("failed", "rejected"))
    return order.paid, order.refunded, held


async def test_the_ledger_moves_the_order(shop: Shop) -> None:
    taken = row_of(shop, request_id="a", amount=1000)
    await run(shop, taken, row_of(shop, request_id="b", amount=500, status="rejected"))
    assert await sums(shop, "12345") == (599900, 1000, 1000)
    await run(shop, update(refunds).where(refunds.c.request_id == "a").values(status="failed"))
    assert await sums(shop, "12345") == (599900, 0, 0)
    assert (await query_order(shop, "demo", "12345")).version == 3


@pytest.mark.parametrize(
    "values",
    [
        {"amount": 599901},
        {"amount": 0},
        {"amount": -5},
        {"currency": "USD"},
        {"order_id": "99999"},
        {"status": "done"},
        {"request_id": "seed-12354-1"},
        {"order_id": "12350"},
    ],
    ids=str,
)
async def test_a_wrong_row_is_refused(shop: Shop, values: dict[str, object]) -> None:
    with pytest.raises(IntegrityError):
        await run(shop, row_of(shop, **{"request_id": "a", "amount": 1000, **values}))
    assert await sums(shop, "12345") == (599900, 0, 0)


async def test_two_rows_that_are_too_much_together(shop: Shop) -> None:
    await run(shop, row_of(shop, request_id="a", amount=599900))
    with pytest.raises(IntegrityError, match="refunded_within_paid"):
        await run(shop, row_of(shop, request_id="b", amount=1))


async def test_a_hundred_writers_that_check_nothing_keep_it_together(shop: Shop) -> None:
    """Plain rows, no lock taken first: the database itself lets no more through than was paid."""
    results = await asyncio.gather(
        *(run(shop, row_of(shop, request_id=f"r{number}", amount=50_000)) for number in range(100)),
        return_exceptions=True,
    )
    refused = [result for result in results if result is not None]
    assert len(refused) == 100 - 599_900 // 50_000
    assert all(isinstance(result, IntegrityError) for result in refused)
    assert await sums(shop, "12345") == (599_900, 550_000, 550_000)


async def test_a_hundred_rows_of_one_request_are_one(shop: Shop) -> None:
    results = await asyncio.gather(
        *(run(shop, row_of(shop, request_id="r", amount=1)) for _ in range(100)), return_exceptions=True
    )
    assert sum(result is None for result in results) == 1
    assert await sums(shop, "12345") == (599_900, 1, 1)


WRONG: dict[str, Executable] = {
    "amount": update(refunds).values(amount=refunds.c.amount - 1),
    "order": update(refunds).where(refunds.c.order_id == "12354").values(order_id="12346"),
    "request": update(refunds).where(refunds.c.order_id == "12354").values(request_id="other"),
    "decided_at": update(refunds).values(decided_at=refunds.c.created_at, created_at=text("NULL")),
    "settled is final": update(refunds).values(status="unknown"),
    "delete": delete(refunds),
    "refunded": update(orders).where(orders.c.id == "12345").values(refunded=1),
    "refunded less": update(orders).where(orders.c.id == "12354").values(refunded=0),
    "paid below refunded": update(orders).where(orders.c.id == "12354").values(paid=1),
    "order goes": delete(orders).where(orders.c.id == "12354"),
    "born refunded": insert(orders).from_select(
        ["id", "customer_id", "status", "placed_at", "currency", "paid", "refunded"],
        select(
            text("'born', customer_id, status, placed_at, currency, paid, 1"),
        ).select_from(orders).where(orders.c.id == "12345"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("statement", WRONG.values(), ids=WRONG.keys())
async def test_facts_and_sums_cannot_be_bent(shop: Shop, statement: Executable) -> None:
    with pytest.raises(DBAPIError):
        await run(shop, statement)
    assert await sums(shop, "12354") == (89900, 89900, 89900)


async def test_the_version_counts_figures_only(shop: Shop) -> None:
    order = update(orders).where(orders.c.id == "12345")
    await run(shop, order.values(note="x"), order.values(status="shipped"), order.values(paid=599900))
    assert (await query_order(shop, "demo", "12345")).version == 1
    await run(shop, order.values(paid=599901), order.values(paid=599900))
    assert (await query_order(shop, "demo", "12345")).version == 3


STEPS = st.lists(
    st.tuples(
        st.integers(1, 700),
        st.sampled_from([Instant(), Refusing(), Silent()]),
        st.sampled_from(["approve", "approve", "approve", "reject", "forge", "plain SQL"]),
    ),
    max_size=12,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(paid=st.integers(1, 1500), steps=STEPS)
async def test_no_row_of_refunds_ever_exceeds_what_was_paid(
    shop: Shop, paid: int, steps: list[tuple[int, PaymentProvider, str]]
) -> None:
    order_id = f"h-{uuid.uuid4().hex[:20]}"
    await run(shop, *order_of(shop, order_id, paid))
    for amount, provider, way in steps:
        with suppress(RefundRefused, IntegrityError):
            await refund_somehow(shop, order_id, amount, provider, way)
        _, refunded, held = await sums(shop, order_id)
        assert 0 <= refunded == held <= paid


def order_of(shop: Shop, order_id: str, paid: int) -> list[Executable]:
    now = shop.clock()
    order = {"id": order_id, "customer_id": 1, "status": "paid", "placed_at": now}
    item = {"order_id": order_id, "position": 0, "sku": "x", "name": "x", "quantity": 1, "price": paid}
    payment = {"order_id": order_id, "reference": order_id, "method": "Visa", "account": "4242"}
    return [
        insert(orders).values(**order, currency="CNY", paid=paid),
        insert(order_items).values(item),
        insert(payments).values(**payment, paid_at=now),
    ]


async def refund_somehow(shop: Shop, order_id: str, amount: int, provider: PaymentProvider, way: str) -> None:
    request_id = uuid.uuid4().hex
    if way == "plain SQL":
        return await run(shop, row_of(shop, request_id=request_id, amount=amount, order_id=order_id))
    await asked(shop, order_id, str(Money(amount, "CNY")), request_id=request_id)
    if way == "forge":
        await run(shop, row_of(shop, request_id=request_id + "f", amount=1, order_id=order_id))
    decision = Decision("reject" if way == "reject" else "approve", ("demo",), shop.clock())
    await apply_refund(shop, provider, "demo", request_id, decision)
    return None
