"""What became of refunds that nobody heard of: asked again with the same key, by whoever comes first."""

import asyncio
import os
import signal
from datetime import timedelta

from graph.demo.bank import DemoBank, Trouble
from tests.tools.asking import asked
from tests.tools.databases import Clock
from tests.tools.program import approved
from tests.tools.providers import Bank, Refusing, Silent, Slow
from tests.tools.test_shop_races import start
from tests.waiting import wait_until
from tools.money import Money
from tools.orders import query_order
from tools.payments import PaymentUnknown, Settlement
from tools.payments.simulated import SimulatedProvider
from tools.reconciling import A_WHILE, NEWS_FOR, News, list_news, note_told, reconcile
from tools.refunds import RefundStatus, apply_refund, find_refunds
from tools.shop import Shop


async def left_open(shop: Shop, count: int) -> list[str]:
    """Refunds of which the provider was asked and nobody heard."""
    keys = [f"r{number}" for number in range(count)]
    for key in keys:
        await asked(shop, "12345", "1", request_id=key)
        await apply_refund(shop, Silent(), "demo", key, approved(shop))
    return keys


async def test_a_bank_that_made_it_and_hung(
    shop: Shop, clock: Clock, bank: DemoBank, provider: SimulatedProvider
) -> None:
    """Two at once ask about it; it is settled once, and the bank has one refund under one key."""
    bank.trouble(Trouble(kind="hang"))
    await asked(shop, "12345", "100", request_id="r1")
    entry = await apply_refund(shop, provider, "demo", "r1", approved(shop))
    assert entry.status is RefundStatus.UNKNOWN
    clock.forward(minutes=2)
    both = await asyncio.gather(reconcile(shop, provider), reconcile(shop, provider))
    assert sorted(len(entries) for entries in both) == [0, 1]
    settled = (await find_refunds(shop, ["r1"]))["r1"]
    (made,) = bank.refunds
    assert (settled.status, settled.provider_reference) == (RefundStatus.SETTLED, made.reference)
    assert (made.key, made.asked) == ("r1", 2)
    assert (await query_order(shop, "demo", "12345")).refunded == Money(10000, "CNY")
    clock.forward(minutes=2)
    assert await reconcile(shop, provider) == []


async def test_only_what_is_open_and_old_enough(shop: Shop, clock: Clock) -> None:
    bank = Bank()
    await left_open(shop, 1)
    await asked(shop, "12346", "1", request_id="settled")
    await apply_refund(shop, Bank(), "demo", "settled", approved(shop))
    await asked(shop, "12346", "1", request_id="failed")
    await apply_refund(shop, Refusing(), "demo", "failed", approved(shop))
    assert await reconcile(shop, bank) == []
    clock.now += A_WHILE
    assert await reconcile(shop, bank) == []
    clock.forward(seconds=1)
    assert [entry.request_id for entry in await reconcile(shop, bank)] == ["r0"]
    assert bank.asked == {"r0": 1}


async def test_at_most_so_many_and_the_oldest_first(shop: Shop, clock: Clock) -> None:
    for number in range(5):
        await asked(shop, "12345", "1", request_id=f"r{number}")
        await apply_refund(shop, Silent(), "demo", f"r{number}", approved(shop))
        clock.forward(seconds=1)
    clock.forward(minutes=5)
    bank = Bank()
    assert [entry.request_id for entry in await reconcile(shop, bank, 2)] == ["r0", "r1"]
    assert [entry.request_id for entry in await reconcile(shop, bank, 9)] == ["r2", "r3", "r4"]


async def test_one_that_stays_unknown_does_not_keep_the_others_waiting(shop: Shop, clock: Clock) -> None:
    keys = await left_open(shop, 3)
    clock.forward(minutes=5)
    for key in keys:
        (entry,) = await reconcile(shop, Silent(), 1)
        assert (entry.request_id, entry.status) == (key, RefundStatus.UNKNOWN)
    assert await reconcile(shop, Silent(), 1) == []
    clock.forward(minutes=5)
    assert len(await reconcile(shop, Bank())) == 3


async def test_a_refusal_frees_the_money(shop: Shop, clock: Clock) -> None:
    await left_open(shop, 1)
    clock.forward(minutes=5)
    (entry,) = await reconcile(shop, Refusing())
    assert (entry.status, entry.message) == (RefundStatus.FAILED, "the account was closed")
    assert (await query_order(shop, "demo", "12345")).refunded == Money(0, "CNY")


async def test_many_at_once_ask_about_each_once(shop: Shop, clock: Clock) -> None:
    keys = await left_open(shop, 12)
    clock.forward(minutes=5)
    bank = Bank()
    results = await asyncio.gather(*(reconcile(shop, bank, 5) for _ in range(8)))
    assert sorted(entry.request_id for entries in results for entry in entries) == sorted(keys)
    assert bank.asked == dict.fromkeys(keys, 1)


async def test_no_more_than_a_few_are_asked_about_at_once(shop: Shop, clock: Clock) -> None:
    busy = Busy()
    await left_open(shop, 12)
    clock.forward(minutes=5)
    assert len(await reconcile(shop, busy)) == 12
    assert 1 < busy.most <= 5


class Busy(Bank):
    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0

    async def refund(self, key: str, payment_reference: str, amount: Money) -> Settlement:
        self.now += 1
        self.most = max(self.most, self.now)
        for _ in range(20):
            await asyncio.sleep(0)
        self.now -= 1
        return await super().refund(key, payment_reference, amount)


async def test_a_late_answer_beside_it(shop: Shop, clock: Clock) -> None:
    """The first call hears after all, when the refund was settled by the second."""
    slow = Slow(trouble=PaymentUnknown("too late"))
    await asked(shop, "12345", request_id="r1")
    first = asyncio.create_task(apply_refund(shop, slow, "demo", "r1", approved(shop)))
    await slow.called.wait()
    clock.forward(minutes=5)
    (settled,) = await reconcile(shop, Bank())
    assert settled.status is RefundStatus.SETTLED
    slow.allowed.set()
    assert await first == settled


async def test_a_program_killed_while_the_bank_hangs(
    url: str, shop: Shop, clock: Clock, bank: DemoBank, provider: SimulatedProvider
) -> None:
    bank.trouble(Trouble(kind="hang"))
    program = await start("pay", url, "12345", bank.url)

    async def made() -> bool:
        return len(bank.refunds) == 1

    await wait_until(made, "the bank has made the refund", 30)
    os.kill(program.pid, signal.SIGKILL)
    await program.wait()
    entry = (await find_refunds(shop, ["paid"]))["paid"]
    assert entry.status is RefundStatus.SUBMITTED
    clock.forward(minutes=5)
    (settled,) = await reconcile(shop, provider, older_than=timedelta(minutes=1))
    (kept,) = bank.refunds
    assert (settled.status, settled.provider_reference) == (RefundStatus.SETTLED, kept.reference)
    assert (kept.key, kept.asked, kept.amount) == ("paid", 2, settled.amount.amount)


async def test_how_it_ended_is_news_until_its_conversation_was_told(shop: Shop, clock: Clock) -> None:
    for key in ("r1", "r2"):
        await asked(shop, "12345", "1", request_id=key, thread_id=f"thread-of-{key}")
        await apply_refund(shop, Silent(), "demo", key, approved(shop))
    assert await list_news(shop) == [], "they hear of that by themselves"
    clock.forward(minutes=2)
    await reconcile(shop, Silent())
    assert await list_news(shop) == [], "nothing is known yet"
    clock.forward(minutes=2)
    await reconcile(shop, Bank(), 1)
    clock.forward(minutes=2)
    await reconcile(shop, Refusing())
    settled = News("r1", RefundStatus.SETTLED, "thread-of-r1")
    failed = News("r2", RefundStatus.FAILED, "thread-of-r2")
    assert await list_news(shop) == [settled, failed]
    assert await list_news(shop, 1) == [settled]
    await note_told(shop, "r1")
    assert await list_news(shop) == [failed]
    clock.now += NEWS_FOR
    assert await list_news(shop) == []


async def test_what_nobody_took_up_or_no_conversation_asked_for_is_no_news(shop: Shop, clock: Clock) -> None:
    await asked(shop, "12345", "1", request_id="by itself", thread_id="t")
    await apply_refund(shop, Bank(), "demo", "by itself", approved(shop))
    await left_open(shop, 1)
    clock.forward(minutes=2)
    await reconcile(shop, Bank())
    assert await list_news(shop) == []
