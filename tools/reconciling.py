"""Refunds of which nobody knows yet whether they were made: asked about again, with the same key."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from tools.payments import PaymentProvider
from tools.refunds import LedgerEntry, RefundStatus, entry_from, finish
from tools.shop import Shop
from tools.shop.schema import OPEN_REFUNDS, SET_TOLD, TO_TELL, TOUCH_REFUNDS, Record

AT_ONCE = 5
BATCH = 50
A_WHILE = timedelta(minutes=1)
NEWS_FOR = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class News:
    """How a refund ended, and the conversation that has not heard of it."""

    request_id: str
    status: RefundStatus
    thread_id: str


async def reconcile(
    shop: Shop, provider: PaymentProvider, limit: int = BATCH, *, older_than: timedelta = A_WHILE
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


async def list_news(shop: Shop, limit: int = BATCH) -> list[News]:
    """How refunds ended that were taken up here, as long as their conversations were not told: the oldest
    first, those of the last days. Raises LookupFailed."""
    wanted = {"count": limit, "since": shop.clock() - NEWS_FOR}
    async with shop.read() as connection:
        rows = (await connection.execute(TO_TELL, wanted)).all()
    return [News(row.request_id, RefundStatus(row.status), row.thread_id) for row in rows]


async def note_told(shop: Shop, request_id: str) -> None:
    """This refund's conversation has heard. Raises ShopUnavailable."""

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(SET_TOLD, {"key": request_id})

    await shop.write(work)
