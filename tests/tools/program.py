"""A program of its own on a shop others use too: python -m tests.tools.program VERB URL [ORDER [BANK]]."""

import asyncio
import os
import sys

from sqlalchemy.ext.asyncio import AsyncConnection

from tests.tools.asking import asked
from tests.tools.databases import Clock
from tests.tools.policies import LENIENT
from tests.tools.providers import Instant
from tools.errors import AlreadyRefunded, AmountTooHigh, OrderChanged, ShopUnavailable
from tools.money import Money
from tools.payments import Settlement
from tools.payments.simulated import SimulatedProvider
from tools.refunds import Decision, apply_refund, open_entry
from tools.shop import Shop

PART = "97.00"
CRASHED = 9


class Dying(Instant):
    async def refund(self, key: str, payment_reference: str, amount: Money) -> Settlement:
        os._exit(CRASHED)


async def set_up(shop: Shop) -> None:
    await shop.migrate()
    print(await shop.seed())  # noqa: T201


async def drain(shop: Shop, order_id: str) -> None:
    """Take parts of the order until nothing of that size is left; print how many it got."""
    got = 0
    while True:
        try:
            request_id = (await asked(shop, order_id, PART)).request_id
            await apply_refund(shop, Instant(), "demo", request_id, approved(shop))
            got += 1
        except (OrderChanged, ShopUnavailable):  # a busy machine may keep SQLite's lock from one for too long
            continue
        except (AmountTooHigh, AlreadyRefunded):
            break
    print(got)  # noqa: T201


async def crash(shop: Shop, order_id: str) -> None:
    await asked(shop, order_id, PART, request_id="crashed")
    await apply_refund(shop, Dying(), "demo", "crashed", approved(shop))


async def hold(shop: Shop, order_id: str) -> None:
    """Write the ledger's row, and wait in the middle of the transaction."""
    request_id = (await asked(shop, order_id, PART, request_id="held")).request_id

    async def work(connection: AsyncConnection) -> None:
        await open_entry(shop, "demo", request_id, None, approved(shop), connection)
        print("written", flush=True)  # noqa: T201
        await asyncio.Event().wait()

    await shop.write(work)


async def pay(shop: Shop, order_id: str, bank_url: str) -> None:
    async with SimulatedProvider(bank_url, timeout_s=60) as provider:
        await asked(shop, order_id, PART, request_id="paid")
        await apply_refund(shop, provider, "demo", "paid", approved(shop))


def approved(shop: Shop) -> Decision:
    return Decision("approve", ("demo",), shop.clock())


async def main(verb: str, url: str, order_id: str = "", bank_url: str = "") -> None:
    async with Shop.open(url, clock=Clock(), policy=LENIENT) as shop:
        match verb:
            case "set-up":
                await set_up(shop)
            case "drain":
                await drain(shop, order_id)
            case "crash":
                await crash(shop, order_id)
            case "hold":
                await hold(shop, order_id)
            case "pay":
                await pay(shop, order_id, bank_url)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
