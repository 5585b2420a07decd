"""The simulated provider and its bank: one key is one refund, whatever becomes of the answer."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from graph.demo.bank import DemoBank, Trouble
from graph.payments import connect_provider
from graph.settings import Settings
from graph.workplace import furnish
from tests.servers import free_port
from tests.waiting import wait_until
from tools.money import Money
from tools.payments import PaymentRefused, PaymentUnknown, Settlement
from tools.payments.simulated import SimulatedProvider

TEN = Money(1000, "CNY")
ROOT = Path(__file__).parents[2]


async def test_one_key_is_one_refund(bank: DemoBank, provider: SimulatedProvider) -> None:
    settlements = await asyncio.gather(*(provider.refund("r1", "pay-1", TEN) for _ in range(20)))
    assert len(set(settlements)) == 1
    other = await provider.refund("r2", "pay-1", TEN)
    assert other not in settlements
    assert [(kept.key, kept.amount, kept.asked) for kept in bank.refunds] == [
        ("r1", 1000, 20),
        ("r2", 1000, 1),
    ]


AFTER_IT_WAS_MADE = [
    Trouble(kind="hang"),
    Trouble(kind="late", delay_s=1.5),
    Trouble(kind="drop"),
    Trouble(kind="garbage"),
]


@pytest.mark.parametrize("trouble", AFTER_IT_WAS_MADE, ids=lambda trouble: trouble.kind)
async def test_made_and_not_heard_of(bank: DemoBank, provider: SimulatedProvider, trouble: Trouble) -> None:
    bank.trouble(trouble)
    with pytest.raises(PaymentUnknown):
        await provider.refund("r1", "pay-1", TEN)
    (made,) = bank.refunds
    assert await provider.refund("r1", "pay-1", TEN) == Settlement(str(made.reference))
    assert [(kept.key, kept.asked) for kept in bank.refunds] == [("r1", 2)]


async def test_a_bank_out_of_order_has_made_nothing(bank: DemoBank, provider: SimulatedProvider) -> None:
    bank.trouble(Trouble(kind="error"))
    with pytest.raises(PaymentUnknown):
        await provider.refund("r1", "pay-1", TEN)
    assert bank.refunds == []
    assert await provider.refund("r1", "pay-1", TEN)


async def test_a_refusal_stays_one(bank: DemoBank, provider: SimulatedProvider) -> None:
    bank.trouble(Trouble(kind="fail"))
    for _ in range(2):
        with pytest.raises(PaymentRefused, match="the account was closed"):
            await provider.refund("r1", "pay-1", TEN)


async def test_two_answers_to_one_refund_are_not_one_to_the_next(
    bank: DemoBank, provider: SimulatedProvider
) -> None:
    bank.trouble(Trouble(kind="twice", times=3))
    settlements = [await provider.refund(f"r{number}", "pay-1", TEN) for number in range(6)]
    assert [settlement.reference for settlement in settlements] == [kept.reference for kept in bank.refunds]


@pytest.mark.parametrize(
    ("payment", "amount"), [("pay-1", Money(999, "CNY")), ("pay-2", TEN), ("pay-1", Money(1000, "USD"))]
)
async def test_a_key_that_was_used_for_another_refund_tells_nothing(
    bank: DemoBank, provider: SimulatedProvider, payment: str, amount: Money
) -> None:
    await provider.refund("r1", "pay-1", TEN)
    with pytest.raises(PaymentUnknown):
        await provider.refund("r1", payment, amount)
    assert len(bank.refunds) == 1


async def test_nobody_at_the_bank() -> None:
    async with SimulatedProvider("http://127.0.0.1:9") as provider:
        with pytest.raises(PaymentUnknown):
            await provider.refund("r1", "pay-1", TEN)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"key": "r1"}', b'{"key": "r1", "payment": "p", "amount": 0, "currency": "CNY"}']
)
async def test_what_the_bank_does_not_understand(bank: DemoBank, body: bytes) -> None:
    async with httpx.AsyncClient(base_url=bank.url, trust_env=False) as http:
        assert (await http.post("/refunds", content=body)).status_code == 422
        assert (await http.post("/demo/troubles", content=body)).status_code == 422
    assert bank.refunds == []


async def start_bank(path: Path, port: int) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "graph.demo.bank", str(path), "--port", str(port), "--scripting"]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert (await asyncio.wait_for(process.stdout.readline(), 30)).startswith(b"http://127.0.0.1:")
    return process


async def test_who_hangs_up_before_he_has_said_what_he_wants_is_no_fault(
    bank: DemoBank, provider: SimulatedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    address = httpx.URL(bank.url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    head = b"POST /refunds HTTP/1.1\r\nhost: bank\r\ncontent-length: 100\r\nexpect: 100-continue\r\n\r\n"
    writer.write(head)
    assert b"100" in await reader.readline()  # it reads what is to come
    writer.close()
    await writer.wait_closed()
    await provider.refund("r1", "pay-1", TEN)
    assert [kept.key for kept in bank.refunds] == ["r1"]
    assert caplog.messages == []


async def test_a_bank_that_is_killed_forgets_nothing(tmp_path: Path) -> None:
    port, path = free_port(), tmp_path / "bank.db"
    first = await start_bank(path, port)
    try:
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            steps = {"steps": [{"kind": "hang"}]}
            assert (await http.post("/demo/troubles", json=steps)).status_code == 204
        async with SimulatedProvider(url, timeout_s=30) as provider:
            asking = asyncio.create_task(provider.refund("r1", "pay-1", TEN))
            await wait_until(kept_in(path, "r1"), "the bank has made the refund")
            os.kill(first.pid, signal.SIGKILL)
            with pytest.raises(PaymentUnknown):
                await asking
            await first.wait()
            second = await start_bank(path, port)
            try:
                settlement = await provider.refund("r1", "pay-1", TEN)
            finally:
                second.kill()
                await second.wait()
    finally:
        if first.returncode is None:
            first.kill()
    (kept,) = DemoBank(path).refunds
    assert (kept.reference, kept.asked) == (settlement.reference, 2)


def kept_in(path: Path, key: str) -> Callable[[], Awaitable[bool]]:
    async def kept() -> bool:
        return any(one.key == key for one in DemoBank(path).refunds)

    return kept


async def test_two_banks_of_one_file_are_one(tmp_path: Path) -> None:
    """As two workers of one machine have them."""
    async with DemoBank(tmp_path / "bank.db") as one, DemoBank(tmp_path / "bank.db") as other:
        async with SimulatedProvider(one.url) as first, SimulatedProvider(other.url) as second:
            settlements = await asyncio.gather(
                *(provider.refund("r1", "pay-1", TEN) for provider in (first, second) for _ in range(5))
            )
        assert len(set(settlements)) == 1
        assert len(one.refunds) == 1


async def test_the_default_provider_is_the_bank_in_the_data_folder(tmp_path: Path) -> None:
    workplace = await furnish(Settings(data=tmp_path))
    async with workplace.resources:
        assert await workplace.provider.refund("r1", "pay-1", TEN)
    assert [kept.key for kept in DemoBank(tmp_path / "bank.db").refunds] == ["r1"]


async def test_where_the_data_folder_cannot_be_written_to(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    settings = Settings(data=tmp_path / "file", shop_database_url="postgresql://somewhere/shop")
    async with AsyncExitStack() as resources:
        provider = await connect_provider(settings, resources)
        assert await provider.refund("r1", "pay-1", TEN)
    assert "no money moves" in caplog.text
