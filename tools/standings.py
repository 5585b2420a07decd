"""How requests stand: what became of each, whatever a conversation remembers of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from sqlalchemy.ext.asyncio import AsyncConnection

from tools.refunds import LedgerEntry, entry_from
from tools.requests import Asked, asked_from, is_expired, is_request_id, last_of, stands_as_asked
from tools.shop import Shop
from tools.shop.schema import CHAIN, ORDERS, REFUNDS, Record


@dataclass(frozen=True, slots=True)
class Standing:
    """`asked` is the request itself; `current` the one that has taken its place, or itself. `entry` is the
    ledger's about `current`, None while it is undecided. `unchanged`: its order is as it was asked;
    `expired`: it is too late to approve it."""

    asked: Asked
    current: Asked
    entry: LedgerEntry | None
    unchanged: bool
    expired: bool


async def find_standings(shop: Shop, subject: str, request_ids: Iterable[str]) -> dict[str, Standing]:
    """Those of these requests that this customer's refunds were asked under, by request_id; anything else,
    another customer's requests too, is left out. Raises LookupFailed."""
    wanted = {"request_ids": [one for one in request_ids if is_request_id(one)], "subject": subject}
    async with shop.read() as connection:
        rows = sorted((await connection.execute(CHAIN, wanted)).all(), key=attrgetter("origin"))
        chains = {origin: list(chain) for origin, chain in groupby(rows, attrgetter("origin"))}
        currents = {origin: last_of(chain) for origin, chain in chains.items()}
        entries = await fetch_entries(connection, (row.request_id for row in currents.values() if row))
        orders = await fetch_orders(connection, subject, (row.order_id for row in currents.values() if row))
    standings = {}
    for origin, row in currents.items():
        if row is not None and row.order_id in orders:
            asked = asked_from(next(row for row in chains[origin] if row.request_id == origin))
            current = asked_from(row)
            standings[origin] = Standing(
                asked=asked,
                current=current,
                entry=entries.get(row.request_id),
                unchanged=stands_as_asked(orders[row.order_id], current),
                expired=is_expired(shop, current, shop.clock()),
            )
    return standings


async def fetch_entries(connection: AsyncConnection, request_ids: Iterable[str]) -> dict[str, LedgerEntry]:
    rows = await connection.execute(REFUNDS, {"request_ids": list(request_ids)})
    return {row.request_id: entry_from(row) for row in rows}


async def fetch_orders(
    connection: AsyncConnection, subject: str, order_ids: Iterable[str]
) -> dict[str, Record]:
    rows = await connection.execute(ORDERS, {"order_ids": list(order_ids), "subject": subject})
    return {row.id: row for row in rows}
