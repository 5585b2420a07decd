import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import psycopg
import pytest

from tests.tools.asking import asked
from tests.tools.program import CRASHED, PART, approved, drain
from tests.tools.providers import Bank
from tools.errors import OrderChanged
from tools.money import parse_amount
from tools.orders import list_orders, query_order
from tools.refunds import RefundStatus, apply_refund, find_refunds, list_refunds
from tools.shop import Shop
from tools.shop.engine import SETUP_LOCK
from tools.shop.seed import PURCHASES

ROOT = Path(__file__).parents[2]
ENOUGH = "12347"  # 498.00 CNY, five parts of 97.00 and a rest


async def start(*words: str) -> asyncio.subprocess.Process:
    command = [sys.executable, "-W", "error", "-m", "tests.tools.program", *words]
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)


async def outcome(process: asyncio.subprocess.Process) -> tuple[int, str]:
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode is not None
    return process.returncode, output.decode().strip()


async def test_of_requests_for_the_same_figures_one_is_applied(shop: Shop) -> None:
    bank = Bank()
    requests = [await asked(shop, "12345", "100") for _ in range(50)]
    results = await asyncio.gather(
        *(apply_refund(shop, bank, "demo", one.request_id, approved(shop)) for one in requests),
        return_exceptions=True,
    )
    assert sum(isinstance(result, OrderChanged) for result in results) == 49
    assert len(bank.moved) == 1
    assert (await query_order(shop, "demo", "12345")).refunded == requests[0].quote.amount


async def test_a_hundred_tasks_never_take_more_than_was_paid(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    await asyncio.gather(*(drain(shop, ENOUGH) for _ in range(100)))
    got = [int(line) for line in capsys.readouterr().out.split()]
    assert sum(got) == 5
    await check_drained(shop)


async def test_two_programs_never_take_more_than_was_paid(url: str, shop: Shop) -> None:
    programs = [await start("drain", url, ENOUGH) for _ in range(2)]
    results = [await outcome(program) for program in programs]
    assert [code for code, _ in results] == [0, 0]
    assert sum(int(got) for _, got in results) == 5
    await check_drained(shop)


async def check_drained(shop: Shop) -> None:
    order = await query_order(shop, "demo", ENOUGH)
    entries = await list_refunds(shop, "demo", ENOUGH)
    assert [entry.status for entry in entries] == [RefundStatus.SETTLED] * 5
    assert order.refunded.amount == 5 * parse_amount(PART, "CNY").amount
    assert order.version == 6


async def test_a_program_that_died_at_the_provider(url: str, shop: Shop) -> None:
    part = parse_amount(PART, "CNY")
    assert await outcome(await start("crash", url, "12345")) == (CRASHED, "")
    assert (await find_refunds(shop, ["crashed"]))["crashed"].status is RefundStatus.SUBMITTED
    bank = Bank()
    entry = await apply_refund(shop, bank, "demo", "crashed", approved(shop))
    assert (entry.status, entry.amount) == (RefundStatus.SETTLED, part)
    assert bank.moved == {"crashed": part}
    assert len(await list_refunds(shop, "demo", "12345")) == 1


async def test_a_program_killed_in_its_transaction_has_written_nothing(url: str, shop: Shop) -> None:
    program = await start("hold", url, "12345")
    assert program.stdout is not None
    assert await asyncio.wait_for(program.stdout.readline(), 30) == b"written\n"
    program.kill()
    await program.wait()
    assert await list_refunds(shop, "demo", "12345") == []
    entry = await apply_refund(shop, Bank(), "demo", "held", approved(shop))
    assert (entry.status, entry.amount) == (RefundStatus.SETTLED, parse_amount(PART, "CNY"))


async def test_programs_that_set_up_one_empty_database_at_once(empty_url: str) -> None:
    programs = [await start("set-up", empty_url) for _ in range(2)]
    results = [await outcome(program) for program in programs]
    assert sorted(results) == [(0, "False"), (0, "True")]
    async with Shop.open(empty_url) as shop:
        of_demo = [purchase for purchase in PURCHASES if purchase.customer == "demo"]
        assert len(await list_orders(shop, "demo", limit=50)) == len(of_demo)


async def test_tasks_that_set_up_one_empty_database_at_once(empty_url: str) -> None:
    async with Shop.open(empty_url) as one, Shop.open(empty_url) as other:
        await asyncio.gather(one.migrate(), other.migrate(), one.migrate())
        assert sorted(await asyncio.gather(one.seed(), other.seed(), one.seed())) == [False, False, True]


@pytest.mark.parametrize("dialect", ["postgres"], indirect=True)
async def test_a_set_up_waits_for_the_one_before(empty_url: str) -> None:
    async with Shop.open(empty_url) as shop, await psycopg.AsyncConnection.connect(empty_url) as other:
        await other.execute("SELECT pg_advisory_xact_lock(%s)", [SETUP_LOCK])
        waiting = asyncio.create_task(shop.migrate())
        try:
            waiters = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            await wait_until("the set-up waits for the lock", other, waiters)
            assert not waiting.done()
        finally:
            await other.commit()
            await waiting


async def wait_until(description: str, connection: psycopg.AsyncConnection, statement: str) -> None:
    """Until the statement finds a row."""
    try:
        async with asyncio.timeout(10):
            while True:
                if await (await connection.execute(statement.encode())).fetchone():
                    return
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"not in 10 s: {description}")


async def test_shops_set_up_at_once_in_one_program(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        shops = [Shop.open(f"sqlite:///{tmp_path / str(number)}.db") for number in range(4)]
        for shop in shops:
            await stack.enter_async_context(shop)
        await asyncio.gather(*(shop.migrate() for shop in shops))
        assert await asyncio.gather(*(shop.seed() for shop in shops)) == [True] * 4
