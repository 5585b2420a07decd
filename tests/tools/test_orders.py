from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.tools.databases import Clock
from tools.errors import OrderNotFound
from tools.logistics import query_logistics
from tools.money import Money
from tools.orders import OrderStatus, list_orders, query_order
from tools.refunds import RefundStatus, list_refunds
from tools.shop import Shop
from tools.shop.seed import PURCHASES
from tools.shop.seed_rows import CUSTOMERS

NASTY_IDS = ["", "#", "12345 or 1=1", "12345'; --", "12345\x00", "\ud800", "1" * 33, "../12345", "12345%"]


async def test_the_iphone(shop: Shop, clock: Clock) -> None:
    order = await query_order(shop, "demo", " #12345 ")
    assert (order.id, order.status, order.version) == ("12345", OrderStatus.DELIVERED, 1)
    assert order.delivered_at == clock.now - timedelta(days=3)
    assert order.paid == order.refundable == Money(599900, "CNY")
    assert order.refunded == Money(0, "CNY")
    (item,) = order.items
    assert "iPhone 16" in item.name
    assert (item.quantity, item.price) == (1, order.paid)


async def test_the_iphones_way(shop: Shop, clock: Clock) -> None:
    logistics = await query_logistics(shop, "demo", "#12345")
    (shipment,) = logistics.shipments
    assert (logistics.order_id, shipment.carrier, shipment.status) == ("12345", "顺丰速运", "delivered")
    moments = [event.at for event in shipment.events]
    assert len(moments) >= 5
    assert moments == sorted(moments, reverse=True)
    assert moments[0] == clock.now - timedelta(days=3)
    assert "已签收" in shipment.events[0].text


async def test_nothing_was_sent_yet(shop: Shop) -> None:
    assert (await query_logistics(shop, "demo", "12352")).shipments == ()


@pytest.mark.parametrize("ask", [query_order, query_logistics, list_refunds])
async def test_a_foreign_order_reads_like_a_missing_one(shop: Shop, ask: object) -> None:
    refusals = []
    for subject, order_id in (("lin", "12345"), ("nobody", "12345"), ("d\x00emo", "12345")):
        with pytest.raises(OrderNotFound) as refused:
            await ask(shop, subject, order_id)  # type: ignore[operator]
        refusals.append(refused.value)
    with pytest.raises(OrderNotFound) as missing:
        await ask(shop, "demo", "99999")  # type: ignore[operator]
    expected = {**vars(missing.value), "order_id": "12345"}
    assert all(vars(refusal) == expected for refusal in refusals)
    assert {str(refusal) for refusal in refusals} == {str(missing.value).replace("99999", "12345")}


@pytest.mark.parametrize("order_id", NASTY_IDS)
async def test_ids_that_no_order_can_have(shop: Shop, order_id: str) -> None:
    with pytest.raises(OrderNotFound) as refused:
        await query_order(shop, "demo", order_id)
    assert len(refused.value.order_id) <= 32
    assert refused.value.order_id.isprintable()


async def test_newest_orders_first(shop: Shop) -> None:
    orders = await list_orders(shop, "demo", limit=50)
    placed = [order.placed_at for order in orders]
    assert placed == sorted(placed, reverse=True)
    assert len(orders) == sum(purchase.customer == "demo" for purchase in PURCHASES)
    assert await list_orders(shop, "demo", limit=3) == orders[:3]
    assert orders[0] == await query_order(shop, "demo", orders[0].id)


async def test_no_orders(shop: Shop) -> None:
    assert await list_orders(shop, "nobody") == []
    assert await list_orders(shop, "d\x00emo") == []
    assert await list_orders(shop, "demo", limit=-1) == []


async def test_refundable_follows_the_return_window(shop: Shop, clock: Clock) -> None:
    inside = await query_order(shop, "demo", "12345")
    clock.forward(days=4)
    assert await query_order(shop, "demo", "12345") == inside
    clock.forward(seconds=1)
    assert await query_order(shop, "demo", "12345") == replace(inside, refundable=Money(0, "CNY"))


async def test_the_seed_has_every_state(shop: Shop, clock: Clock) -> None:
    seen: Counter[tuple[OrderStatus, bool]] = Counter()
    languages: Counter[bool] = Counter()
    window = shop.policy.return_window
    for subject in CUSTOMERS:
        for order in await list_orders(shop, subject, limit=50):
            late = order.delivered_at is not None and clock.now - order.delivered_at > window
            seen[order.status, late] += 1
            languages[order.items[0].name.isascii()] += 1
    assert seen.total() >= 30
    assert {status for status, _ in seen} == set(OrderStatus)
    assert seen[OrderStatus.DELIVERED, True] >= 3
    assert seen[OrderStatus.DELIVERED, False] >= 6
    assert min(languages.values()) >= 10


async def test_the_seeds_sums_agree_with_its_ledger(shop: Shop) -> None:
    for purchase in PURCHASES:
        order = await query_order(shop, purchase.customer, purchase.id)
        entries = await list_refunds(shop, purchase.customer, purchase.id)
        assert order.refunded.amount == sum(entry.amount.amount for entry in entries)
        assert {entry.status for entry in entries} <= {RefundStatus.SETTLED}
        assert order.version == 1 + len(entries)
        assert order.placed_at < min((entry.created_at for entry in entries), default=shop.clock())


async def test_the_demo_customer_has_one_of_each(shop: Shop) -> None:
    orders = {order.id: order for order in await list_orders(shop, "demo", limit=50)}
    for order_id in ("12345", "12346", "12347", "12348"):
        assert orders[order_id].refundable == orders[order_id].paid
    assert orders["12348"].paid.currency == "USD"
    assert orders["12349"].refundable.amount == 0
    assert orders["12350"].status == OrderStatus.UNPAID
    assert orders["12351"].status == OrderStatus.SHIPPED
