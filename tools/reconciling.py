"""Refunds of which nobody knows yet whether they were made: asked about again, with the same key."""

import asyncio
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from tools.payments import PaymentProvider
from tools.refunds import LedgerEntry, entry_from, finish
from tools.shop import Shop
from tools.shop.schema import OPEN_REFUNDS, TOUCH_REFUNDS, Record

AT_ONCE = 5
A_WHILE = timedelta(minutes=1)


async def reconcile(
    shop: Shop, provider: PaymentProvider, limit: int = 50, *, older_than: timedelta = A_WHILE
) -> list[LedgerEntry]:
    """Ask the provider about the oldest refunds that were submitted, or whose outcome was unknown, that long
    ago or longer: at most `limit` of them, with the key of each.

    Returns them as they stand afterward. Safe to run twice at once: who comes second leaves alone what the
    first has taken up, and asks again only when that too is `older_than` ago. Raises ShopUnavailable.
    """
    rows = await shop.write(partial(take_up, shop.clock(), shop.clock() - older_than, limit))
    free = asyncio.Semaphore(AT_ONCE)

    async def ask(row: Record) -> LedgerEntry:
        async with free:
            return entry_from(await finish(shop, provider, row))

    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(ask(row)) for row in rows]
    return [task.result() for task in asking]


async def take_up(now: datetime, before: datetime, limit: int, connection: AsyncConnection) -> list[Record]:
    """The rows to ask about, marked as looked at now."""
    rows = list((await connection.execute(OPEN_REFUNDS, {"before": before, "count": limit})).all())
    if rows:
        await connection.execute(TOUCH_REFUNDS, {"now": now, "keys": [row.request_id for row in rows]})
    return rows
