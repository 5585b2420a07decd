"""No room left: said plainly, and no ledger is torn."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from tests.tools.asking import asked
from tests.tools.databases import Clock
from tests.tools.policies import LENIENT
from tests.tools.program import approved
from tests.tools.providers import Bank
from tests.tools.test_ledger_guards import order_of, run, sums
from tools.errors import ShopUnavailable
from tools.refunds import LedgerEntry, RefundStatus, apply_refund, list_refunds
from tools.shop import Shop

SMALL = 2 * 2**20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes, where this user may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, check=False, capture_output=True)
    except FileNotFoundError:
        pytest.skip("FULL DISK NOT TESTED: there is no mount here")
    if mounted.returncode:
        pytest.skip("FULL DISK NOT TESTED: only root may mount a small file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def refund_until_refused(shop: Shop, bank: Bank) -> None:
    number = 0
    while True:
        number += 1
        await asked(shop, "big", "0.01", request_id=f"r{number}", reason="x" * 2000)
        await apply_refund(shop, bank, "demo", f"r{number}", approved(shop))


async def check_whole(shop: Shop, bank: Bank) -> list[LedgerEntry]:
    """Every row is a whole one, what moved is in the ledger, and the sums agree."""
    entries = await list_refunds(shop, "demo", "big")
    paid, refunded, held = await sums(shop, "big")
    assert refunded == held == len(entries) <= paid
    assert set(bank.moved) <= {entry.request_id for entry in entries}
    settled = {entry.request_id for entry in entries if entry.status is RefundStatus.SETTLED}
    assert settled <= set(bank.moved)
    return entries


async def test_a_disk_that_fills_up(small_disk: Path) -> None:
    clock, bank = Clock(), Bank()
    async with Shop.open(f"sqlite:///{small_disk / 'shop.db'}", clock=clock, policy=LENIENT) as shop:
        await shop.migrate()
        await shop.seed()
        await run(shop, *order_of(shop, "big", 1_000_000))
        with pytest.raises(ShopUnavailable):
            await refund_until_refused(shop, bank)
        entries = await check_whole(shop, bank)
        assert len(entries) > 3
    async with Shop.open(f"sqlite:///{small_disk / 'shop.db'}", clock=clock, policy=LENIENT) as shop:
        assert await check_whole(shop, bank) == entries


async def test_a_database_that_may_not_grow(tmp_path: Path) -> None:
    """The same where no file system can be mounted; when there is room again it goes on."""
    bank, url = Bank(), f"sqlite:///{tmp_path / 'shop.db'}"
    async with Shop.open(url, clock=Clock(), policy=LENIENT) as shop:
        await shop.migrate()
        await shop.seed()
        await run(shop, *order_of(shop, "big", 1_000_000))
    async with Shop.open(url, clock=Clock(), policy=LENIENT) as shop:
        event.listen(shop._engine.sync_engine, "connect", stay_small)
        with pytest.raises(ShopUnavailable):
            await refund_until_refused(shop, bank)
        before = await check_whole(shop, bank)
        assert len(before) > 3
    async with Shop.open(url, clock=Clock(), policy=LENIENT) as shop:
        assert await check_whole(shop, bank) == before
        for entry in before:
            await apply_refund(shop, bank, "demo", entry.request_id, approved(shop))
        await asked(shop, "big", "0.01", request_id="when there is room")
        entry = await apply_refund(shop, bank, "demo", "when there is room", approved(shop))
        assert entry.status is RefundStatus.SETTLED
        after = await check_whole(shop, bank)
        assert {entry.status for entry in after} == {RefundStatus.SETTLED}


def stay_small(connection: Any, record: object) -> None:
    pages = os.path.getsize(connection.execute("PRAGMA database_list").fetchone()[2]) // 4096
    connection.execute(f"PRAGMA max_page_count = {pages + 24}")
