"""A program of its own on a shop others use too: python -m tests.tools.program VERB URL [ORDER]."""

import asyncio
import os
import sys

from tests.tools.asking import asked
from tests.tools.databases import Clock
from tests.tools.policies import LENIENT
from tools.errors import AlreadyRefunded, AmountTooHigh, OrderChanged
from tools.money import Money
from tools.payments import Settlement, SimulatedProvider
from tools.refunds import Decision, apply_refund
from tools.shop import Shop

PART = "97.00"
CRASHED = 9


class Dying(SimulatedProvider):
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
            await apply_refund(shop, SimulatedProvider(), "demo", request_id, approved(shop))
            got += 1
        except OrderChanged:
            continue
        except (AmountTooHigh, AlreadyRefunded):
            break
    print(got)  # noqa: T201


async def crash(shop: Shop, order_id: str) -> None:
    await asked(shop, order_id, PART, request_id="crashed")
    await apply_refund(shop, Dying(), "demo", "crashed", approved(shop))


def approved(shop: Shop) -> Decision:
    return Decision("approve", ("demo",), shop.clock())


async def main(verb: str, url: str, order_id: str = "") -> None:
    async with Shop.open(url, clock=Clock(), policy=LENIENT) as shop:
        match verb:
            case "set-up":
                await set_up(shop)
            case "drain":
                await drain(shop, order_id)
            case "crash":
                await crash(shop, order_id)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
