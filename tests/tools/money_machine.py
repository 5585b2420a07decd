"""What may happen to refunds, in any order, and what has to hold after each of it.

A machine for hypothesis: it draws the steps, and tells those that led to where a rule broke.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from sqlalchemy import select, update

from tests.tools.databases import Clock
from tests.tools.policies import SHIPPED
from tests.tools.test_ledger_guards import order_of, run
from tools.errors import DailyLimitReached, DecidersMissing, RefundRefused, RequestDecided, ShopError
from tools.money import Money
from tools.payments import PaymentRefused, PaymentUnknown, Settlement
from tools.policy import Figures, RefundPolicy, Repeats, Tier
from tools.quotes import Piece, quote_refund
from tools.reconciling import reconcile
from tools.refunds import Decision, LedgerEntry, apply_refund
from tools.requests import ask_refund
from tools.shop import Shop
from tools.shop.schema import order_items, orders, payments, refund_requests, refunds

T = TypeVar("T")
Answer = Literal["made", "refused", "made and not told", "not made and not told", "broken"]

ORDERS = {"one": 1000, "two": 1000, "three": 300}
PIECES = {"small": 100, "large": 400}
PEOPLE = ("demo", "li", "mei", "zhou")
CUSTOMER, OPERATOR, TWO = (replace(tier, expires_after=timedelta(days=3)) for tier in SHIPPED.tiers)
LAX = RefundPolicy(
    version=1,
    return_window=timedelta(days=365),
    reasons=SHIPPED.reasons,
    tiers=(CUSTOMER, OPERATOR, TWO),
    repeats=Repeats(of_order=3, of_customer=5, days=30),
    currencies={"CNY": Figures((150, 400), 900)},
)
STRICT = replace(LAX, version=2, currencies={"CNY": Figures((50, 100), 500)}, repeats=Repeats(1, 2, 30))
HOLDS = ("requested", "submitted", "unknown", "settled")


class Provider:
    """Remembers for good what it made and what it refused. How it answers next is drawn."""

    name = "machine"

    def __init__(self) -> None:
        self.next: Answer = "made"
        self.made: dict[str, Money] = {}
        self.refused: set[str] = set()
        self.asked: defaultdict[str, set[tuple[str, Money]]] = defaultdict(set)

    async def refund(self, key: str, payment_reference: str, amount: Money) -> Settlement:
        self.asked[key].add((payment_reference, amount))
        await asyncio.sleep(0)
        if self.next == "broken":
            raise ConnectionResetError
        if self.next == "not made and not told":
            raise PaymentUnknown
        if key in self.refused or (self.next == "refused" and key not in self.made):
            self.refused.add(key)
            raise PaymentRefused("no")
        self.made.setdefault(key, amount)
        if self.next == "made and not told":
            raise PaymentUnknown
        return Settlement(f"m-{key}")


@dataclass(frozen=True)
class Wanted:
    """Who the policy wants, worked out from the ledger's rows alone; `rank` None: nobody is enough."""

    rank: int | None

    def met_by(self, by: Iterable[str], asked: Tier) -> bool:
        if self.rank is None:
            return False
        different = set(by)
        if asked is CUSTOMER:
            return self.rank == 0 and "demo" in different
        return len(different - {"demo"}) >= (1 if self.rank < 2 else 2)


class MoneyMachine(RuleBasedStateMachine):
    """Whoever runs it says where the shop of each run of steps comes from."""

    requests = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = Clock()
        self.provider = Provider()
        self.shop = self.open_shop()
        self.numbers = 0
        self.wait(self._stock())

    def teardown(self) -> None:
        self.wait(self.shop.close())
        self.runner.close()
        self.close_shop()

    def open_shop(self) -> Shop:
        raise NotImplementedError

    def close_shop(self) -> None:
        """The shop of these steps is no longer needed."""

    def wait(self, work: Awaitable[T]) -> T:
        async def waited() -> T:
            return await work

        return self.runner.run(waited())

    async def _stock(self) -> None:
        for order_id, paid in ORDERS.items():
            await run(self.shop, *order_of(self.shop, order_id, paid))
            items = [
                {"order_id": order_id, "position": n, "sku": sku, "name": sku, "quantity": 2, "price": price}
                for n, (sku, price) in enumerate(PIECES.items(), start=1)
            ]
            await run(self.shop, order_items.insert().values(items))

    # What may happen

    @rule(
        target=requests,
        order_id=st.sampled_from(list(ORDERS)),
        minor=st.none() | st.integers(1, 700),
        pieces=st.lists(st.sampled_from([Piece(sku, n) for sku in PIECES for n in (1, 2)]), max_size=2),
    )
    def ask(self, order_id: str, minor: int | None, pieces: list[Piece]) -> str:
        return self._ask(order_id, None if pieces else minor, pieces, None)

    @rule(target=requests, old=requests, minor=st.none() | st.integers(1, 700))
    def ask_otherwise(self, old: str, minor: int | None) -> str:
        """Another request takes its place, as when the customer wants another amount."""
        row = self._requests().get(old)
        return old if row is None else self._ask(row.order_id, minor, [], old)

    def _ask(self, order_id: str, minor: int | None, pieces: list[Piece], old: str | None) -> str:
        self.numbers += 1
        request_id = f"request-{self.numbers}"
        amount = None if minor is None else str(Money(minor, "CNY"))

        async def ask() -> None:
            quote = await quote_refund(self.shop, "demo", order_id, amount=amount, pieces=pieces)
            whole = amount is None and not pieces
            with suppress(RequestDecided):
                await ask_refund(self.shop, "demo", request_id, quote, whole=whole, supersedes=old)

        with suppress(RefundRefused):
            self.wait(ask())
        return request_id

    @rule(
        request_id=requests,
        by=st.lists(st.sampled_from(PEOPLE), max_size=3),
        outcome=st.sampled_from(["approve", "approve", "approve", "reject"]),
        lower=st.none() | st.integers(1, 300),
        answer=st.sampled_from(
            ["made", "made", "refused", "made and not told", "not made and not told", "broken"]
        ),
    )
    def decide(self, request_id: str, by: list[str], outcome: Any, lower: int | None, answer: Answer) -> None:
        known, row, before = self._refunds(), self._requests().get(request_id), self._orders()
        amount = None if lower is None else Money(lower, "CNY")
        wanted = self._wanted(row, lower) if row else Wanted(None)
        self.provider.next = answer
        result = self.wait(self._apply(request_id, by, outcome, amount))
        if row is None or request_id in known or outcome == "reject":
            assert not isinstance(result, DecidersMissing | DailyLimitReached)
            return
        tier = self.shop.policy.tier(row.tier)
        if isinstance(result, DecidersMissing):
            assert wanted.rank is not None
            assert not wanted.met_by(by, tier)
        elif isinstance(result, DailyLimitReached):
            assert wanted.rank is None
        elif request_id in self._refunds():
            assert wanted.met_by(by, tier), f"{by} decided as {row.tier} what wants {wanted}"
            assert row.order_version == before[row.order_id].version, "decided for another state of the order"

    async def _apply(
        self, request_id: str, by: Iterable[str], outcome: Any, amount: Money | None = None
    ) -> LedgerEntry | ShopError | None:
        decision = Decision(outcome, tuple(by), self.clock())
        try:
            return await apply_refund(self.shop, self.provider, "demo", request_id, decision, amount=amount)
        except ConnectionResetError:
            return None
        except ShopError as refused:
            return refused

    @rule(
        chosen=st.lists(requests, min_size=2, max_size=4),
        by=st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=3, unique=True),
        outcomes=st.lists(st.sampled_from(["approve", "approve", "reject"]), min_size=4, max_size=4),
    )
    def decide_at_once(self, chosen: list[str], by: list[str], outcomes: list[str]) -> None:
        self.provider.next = "made"
        before, written = self._refunds(), self._requests()

        async def together() -> None:
            await asyncio.gather(
                *(self._apply(key, by, outcome) for key, outcome in zip(chosen, outcomes, strict=False))
            )

        self.wait(together())
        new = [row for key, row in self._refunds().items() if key not in before and row.status in HOLDS]
        if new:
            assert self._spent() <= self.shop.policy.currencies["CNY"].budget
        for row in new:
            least = Wanted(sum(row.amount > limit for limit in self.shop.policy.currencies["CNY"].limits))
            assert least.met_by(by, self.shop.policy.tier(written[row.request_id].tier))

    @rule(answer=st.sampled_from(["made", "refused", "not made and not told"]), times=st.integers(1, 2))
    def look_after(self, answer: Answer, times: int) -> None:
        self.provider.next = answer

        async def together() -> None:
            await asyncio.gather(
                *(
                    reconcile(self.shop, self.provider, 3, older_than=timedelta(minutes=5))
                    for _ in range(times)
                )
            )

        self.wait(together())

    @rule(order_id=st.sampled_from(list(ORDERS)), by=st.integers(-300, 300))
    def the_order_changes(self, order_id: str, by: int) -> None:
        row = self._orders()[order_id]
        paid = max(row.refunded, row.paid + by, 1)
        self.wait(run(self.shop, update(orders).where(orders.c.id == order_id).values(paid=paid)))

    @rule(order_id=st.sampled_from(list(ORDERS)), account=st.sampled_from(["1111", "2222"]))
    def the_account_changes(self, order_id: str, account: str) -> None:
        moved = update(payments).where(payments.c.order_id == order_id).values(account=account)
        self.wait(run(self.shop, moved))

    @rule(hours=st.sampled_from([0.2, 5, 30, 80]))
    def time_passes(self, hours: float) -> None:
        self.clock.forward(hours=hours)

    @rule(policy=st.sampled_from([LAX, STRICT]))
    def the_policy_changes(self, policy: RefundPolicy) -> None:
        self.shop.policy = policy

    # What holds

    @invariant()
    def no_order_gives_back_more_than_was_paid(self) -> None:
        held: Counter[str] = Counter()
        for row in self._refunds().values():
            held[row.order_id] += row.amount if row.status in HOLDS else 0
        for order_id, order in self._orders().items():
            if order_id in ORDERS:
                assert 0 <= order.refunded == held[order_id] <= order.paid

    @invariant()
    def the_ledger_and_the_provider_agree(self) -> None:
        rows = self._refunds()
        for key, asked in self.provider.asked.items():
            assert len(asked) == 1, "one key was asked for two refunds"
            assert rows[key].amount == next(iter(asked))[1].amount
        for key in self.provider.made:
            assert rows[key].status in ("submitted", "unknown", "settled")
        for key, row in rows.items():
            assert (row.status == "settled") <= (key in self.provider.made)
            assert (row.status == "failed") <= (key in self.provider.refused)
            assert (row.status == "rejected") <= (key not in self.provider.asked)

    @invariant()
    def a_row_is_of_its_request(self) -> None:
        asked = self._requests()
        superseded = {row.supersedes for row in asked.values() if row.supersedes}
        for key, row in self._refunds().items():
            assert (row.asked, row.order_id) == (key, asked[key].order_id)
            assert 0 < row.amount <= asked[key].amount
            assert key not in superseded, "decided and superseded"

    # What is looked at: the tables, and nothing of the code under test

    def _rows(self, statement: Any) -> list[Any]:
        async def read() -> list[Any]:
            async with self.shop.read() as connection:
                return list((await connection.execute(statement)).all())

        return self.wait(read())

    def _refunds(self) -> dict[str, Any]:
        return {row.request_id: row for row in self._rows(select(refunds)) if row.order_id in ORDERS}

    def _requests(self) -> dict[str, Any]:
        return {row.request_id: row for row in self._rows(select(refund_requests))}

    def _orders(self) -> dict[str, Any]:
        return {row.id: row for row in self._rows(select(orders))}

    def _holding(self, since: datetime) -> list[Any]:
        """The customer's rows, those that the shop was seeded with too."""
        mine = (
            select(refunds).join(orders, refunds.c.order_id == orders.c.id).where(orders.c.customer_id == 1)
        )
        return [row for row in self._rows(mine) if row.status in HOLDS and row.created_at > since]

    def _spent(self) -> int:
        return sum(row.amount for row in self._holding(self.clock.now - timedelta(days=1)))

    def _wanted(self, request: Any, lower: int | None) -> Wanted:
        policy = self.shop.policy
        figures, amount = policy.currencies["CNY"], lower or request.amount
        if self._spent() + amount > figures.budget:
            return Wanted(None)
        lately = self._holding(self.clock.now - timedelta(days=policy.repeats.days))
        of_order = sum(row.order_id == request.order_id for row in lately)
        repeated = of_order >= policy.repeats.of_order or len(lately) >= policy.repeats.of_customer
        return Wanted(min(sum(amount > limit for limit in figures.limits) + repeated, 2))
