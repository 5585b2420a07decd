"""What people were asked is written down once, and is what is refunded."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.sql import Executable

from tests.tools.asking import asked
from tests.tools.databases import Clock
from tests.tools.policies import LENIENT
from tests.tools.providers import Instant
from tests.tools.test_ledger_guards import row_of, run
from tools.errors import (
    AmountInvalid,
    OrderChanged,
    OrderNotFound,
    RequestDecided,
    RequestNotFound,
    RequestSuperseded,
)
from tools.money import Money
from tools.quotes import quote_refund
from tools.refunds import Decision, RefundStatus, apply_refund, list_refunds
from tools.requests import Asked, ask_refund
from tools.shop import Shop
from tools.shop.engine import create_blocking_engine, read_url
from tools.shop.schema import orders, refund_requests, refunds
from tools.shop.seed import plant
from tools.shop.upgrade import upgrade
from tools.standings import Standing, find_standings

APPROVED = Decision("approve", ("demo",), Clock().now)
REJECTED = Decision("reject", ("demo",), Clock().now)
PROVIDER = Instant()


async def stands(shop: Shop, request_id: str, subject: str = "demo") -> Standing:
    return (await find_standings(shop, subject, [request_id]))[request_id]


async def count(shop: Shop) -> int:
    async with shop.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(refund_requests))).scalar_one())


async def test_what_was_asked_is_found_as_it_was_asked(shop: Shop, clock: Clock) -> None:
    quote = await quote_refund(shop, "demo", "12346", amount="100", reason="scratched\x00")
    request = await ask_refund(shop, "demo", "r1", quote, language="zh", thread_id="t1")
    until = clock.now + timedelta(days=365)
    assert request == Asked("r1", quote, False, "zh", LENIENT.version, clock.now, until, None, "t1")
    assert await stands(shop, "r1") == Standing(request, request, None, unchanged=True, expired=False)


async def test_asked_again_under_its_id_the_first_facts_stay(shop: Shop) -> None:
    first = await asked(shop, "12345", "100", request_id="r1", reason="scratched")
    await refund_a_part(shop)
    for amount in ("50", None):
        assert await asked(shop, "12345", amount, request_id="r1") == first
    assert await asked(shop, "12346", request_id="r1") == first
    assert await count(shop) == 2


async def test_asked_at_once_under_one_id_it_is_one_request(shop: Shop) -> None:
    requests = await asyncio.gather(*(asked(shop, "12345", str(1 + n), request_id="r1") for n in range(20)))
    assert len(set(requests)) == 1
    assert await count(shop) == 1


async def test_nobody_asks_about_anothers_order_or_request(shop: Shop) -> None:
    mine = await asked(shop, "12345", request_id="r1")
    foreign = await quote_refund(shop, "lin", "20101")
    with pytest.raises(OrderNotFound):
        await ask_refund(shop, "demo", "r2", foreign)
    with pytest.raises(OrderNotFound):
        await ask_refund(shop, "lin", "r1", foreign)
    with pytest.raises(RequestNotFound):
        await ask_refund(shop, "lin", "r2", foreign, supersedes="r1")
    assert await find_standings(shop, "lin", ["r1", "r2"]) == {}
    assert (await stands(shop, "r1")).current == mine


@pytest.mark.parametrize("minor", [0, -1])
async def test_a_request_for_nothing(shop: Shop, minor: int) -> None:
    quote = replace(await quote_refund(shop, "demo", "12345"), amount=Money(minor, "CNY"))
    with pytest.raises(AmountInvalid):
        await ask_refund(shop, "demo", "r1", quote)


async def test_ids_that_no_request_can_have(shop: Shop) -> None:
    await asked(shop, "12345", request_id="r1")
    wrong = ["", "r\x001", "\ud800", "r" * 129, "r1' OR '1'='1"]
    assert list(await find_standings(shop, "demo", [*wrong, "r1"])) == ["r1"]
    assert await find_standings(shop, "demo", []) == {}


async def test_one_request_takes_the_place_of_another(shop: Shop) -> None:
    bank = PROVIDER
    first = await asked(shop, "12345", "100", request_id="r1")
    second = await asked(shop, "12345", "50", request_id="r2", supersedes="r1")
    assert await stands(shop, "r1") == Standing(first, second, None, unchanged=True, expired=False)
    for decision in (APPROVED, REJECTED):
        with pytest.raises(RequestSuperseded):
            await apply_refund(shop, bank, "demo", "r1", decision)
    entry = await apply_refund(shop, bank, "demo", "r2", APPROVED)
    assert entry.amount == Money(5000, "CNY")
    assert (await stands(shop, "r1")).entry == entry


async def test_the_place_of_the_last_is_taken(shop: Shop) -> None:
    """Two conversations may each remember the first only."""
    await asked(shop, "12345", "100", request_id="r1")
    for number in range(2, 9):
        await asked(shop, "12345", str(number), request_id=f"r{number}", supersedes="r1")
    chain = [(await stands(shop, f"r{number}")).asked.supersedes for number in range(2, 9)]
    assert chain == [f"r{number}" for number in range(1, 8)]
    assert {(await stands(shop, f"r{number}")).current.request_id for number in range(1, 9)} == {"r8"}


async def test_at_once_no_place_is_taken_twice(shop: Shop) -> None:
    await asked(shop, "12345", "100", request_id="r1")
    await asyncio.gather(*(asked(shop, "12345", str(1 + n), supersedes="r1") for n in range(20)))
    async with shop.read() as connection:
        places = list(await connection.scalars(select(refund_requests.c.supersedes)))
    assert len(set(places)) == len(places) == 21


async def test_a_decided_request_keeps_its_place(shop: Shop) -> None:
    await asked(shop, "12345", "100", request_id="r1")
    await apply_refund(shop, PROVIDER, "demo", "r1", REJECTED)
    with pytest.raises(RequestDecided):
        await asked(shop, "12345", "50", request_id="r2", supersedes="r1")
    with pytest.raises(RequestNotFound):
        await asked(shop, "12345", "50", request_id="r2", supersedes="never asked")
    with pytest.raises(RequestNotFound):
        await asked(shop, "12346", "50", request_id="r2", supersedes="r1")
    assert await count(shop) == 1


async def test_decided_and_superseded_at_once_it_is_one_of_them(shop: Shop) -> None:
    for number in range(10):
        old, new = f"old-{number}", f"new-{number}"
        await asked(shop, "12345", "1", request_id=old)
        results = await asyncio.gather(
            apply_refund(shop, PROVIDER, "demo", old, REJECTED),
            asked(shop, "12345", "2", request_id=new, supersedes=old),
            return_exceptions=True,
        )
        kinds = [type(result) for result in results if isinstance(result, BaseException)]
        assert kinds in ([RequestSuperseded], [RequestDecided])
        standing = await stands(shop, old)
        assert (standing.entry is None) is (kinds == [RequestSuperseded])


async def refund_a_part(shop: Shop) -> None:
    await asked(shop, "12345", "1", request_id="part")
    await apply_refund(shop, PROVIDER, "demo", "part", APPROVED)


async def cancel(shop: Shop) -> None:
    await run(shop, update(orders).where(orders.c.id == "12345").values(status="cancelled"))


@pytest.mark.parametrize("change", [refund_a_part, cancel])
async def test_whether_the_order_moved_is_seen(shop: Shop, change: Callable[[Shop], object]) -> None:
    await asked(shop, "12345", "100", request_id="r1")
    await change(shop)  # type: ignore[misc]
    assert not (await stands(shop, "r1")).unchanged
    with pytest.raises(OrderChanged):
        await apply_refund(shop, PROVIDER, "demo", "r1", APPROVED)


WRONG: dict[str, Executable] = {
    "amount": update(refund_requests).values(amount=1),
    "payee": update(refund_requests).values(payee_hash="another"),
    "order": update(refund_requests).values(order_version=2),
    "tier": update(refund_requests).values(tier="nobody"),
    "why": update(refund_requests).values(because="nothing"),
    "reason": update(refund_requests).values(reason_code="late"),
    "policy": update(refund_requests).values(policy_version=8),
    "when": update(refund_requests).values(asked_at=text("NULL")),
    "until": update(refund_requests).values(expires_at=refund_requests.c.asked_at),
    "place": update(refund_requests).values(supersedes="r1"),
    "delete": delete(refund_requests),
}


@pytest.mark.parametrize("statement", WRONG.values(), ids=WRONG.keys())
async def test_what_was_asked_cannot_be_bent(shop: Shop, statement: Executable) -> None:
    request = await asked(shop, "12345", "100", request_id="r1")
    with pytest.raises(DBAPIError):
        await run(shop, statement)
    assert (await stands(shop, "r1")).asked == request


@pytest.mark.parametrize(
    "values",
    [
        {"amount": 10001},
        {"order_id": "12346"},
        {"currency": "USD"},
        {"order_version": 2},
        {"payee_hash": "another"},
        {"asked": "never asked", "request_id": "never asked"},
        {"request_id": "another"},
    ],
    ids=str,
)
async def test_the_ledger_takes_no_row_that_was_not_asked(shop: Shop, values: dict[str, object]) -> None:
    request = await asked(shop, "12345", "100", request_id="r1")
    facts = {"request_id": "r1", "asked": "r1", "amount": 10000, "payee_hash": request.quote.payee_hash}
    with pytest.raises(IntegrityError):
        await run(shop, row_of(shop, **{**facts, **values}))
    await run(shop, row_of(shop, **facts))
    assert len(await list_refunds(shop, "demo", "12345")) == 1


async def test_more_than_was_left_is_not_asked(shop: Shop) -> None:
    request = await asked(shop, "12345", "100", request_id="r1")
    copied = refund_requests.select().where(refund_requests.c.request_id == "r1")
    async with shop.read() as connection:
        row = (await connection.execute(copied)).one()._asdict()
    for wrong in ({"amount": request.quote.paid.amount + 1}, {"amount": 0}, {"refunded": 599901}):
        with pytest.raises(IntegrityError, match="request_amount"):
            await run(shop, insert(refund_requests).values({**row, "request_id": "r2", **wrong}))


async def test_a_shop_of_the_version_before_goes_on(empty_url: str, clock: Clock) -> None:
    """Its rows stay, and its programs may still write theirs beside ours."""
    await asyncio.to_thread(upgrade, create_blocking_engine(read_url(empty_url)), "0001")
    async with Shop.open(empty_url, clock=clock, policy=LENIENT) as shop:
        await shop.write(lambda connection: plant(connection, clock.now))
        await shop.migrate()
        assert [entry.status for entry in await list_refunds(shop, "demo", "12354")] == [RefundStatus.SETTLED]
        await run(shop, row_of(shop, request_id="by the old program", amount=100))
        entry = await apply_refund(
            shop, PROVIDER, "demo", (await asked(shop, "12345", "50")).request_id, APPROVED
        )
        assert entry.status is RefundStatus.SETTLED
        async with shop.read() as connection:
            named = await connection.scalars(select(refunds.c.asked).where(refunds.c.order_id == "12345"))
            assert set(named) == {None, entry.request_id}
