"""What became of refunds, by the shop's books and by the bank's, held against what was decided."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from sqlalchemy import select

from graph.demo.bank import Kept
from holdfast.core.platform import Platform
from holdfast.redis import approvals, audit
from tests.chaos.shops import Market, Wish
from tests.waiting import wait_until
from tools.errors import LookupFailed
from tools.reconciling import reconcile
from tools.refunds import UNFINISHED
from tools.shop.schema import Record, orders, refund_requests, refunds

AT_ONCE = 200
NOW = timedelta(seconds=-1)
OUTCOMES = {"approve": "settled", "reject": "rejected"}


@dataclass(frozen=True)
class Books:
    """The shop's and the bank's; `decisions` is how each request was decided that was."""

    requests: Sequence[Record]
    ledger: dict[str, Record]
    orders: Sequence[Record]
    bank: dict[str, Kept]
    decisions: dict[str, str]

    @property
    def settled(self) -> dict[str, Record]:
        return {key: entry for key, entry in self.ledger.items() if entry.status == "settled"}


async def read_books(market: Market) -> Books:
    """As they stand when the bank was asked about all that had been left open."""
    market.bank.trouble()
    await wait_until(partial(is_back, market), "the shop's database is back", 60)
    while any(
        entry.status not in UNFINISHED
        for entry in await reconcile(market.shop, market.provider, AT_ONCE, older_than=NOW)
    ):
        continue
    async with market.shop.read() as connection:
        asked = (await connection.execute(select(refund_requests))).all()
        entries = (await connection.execute(select(refunds))).all()
        bought = (await connection.execute(select(orders))).all()
    platform, decisions = market.place.platform, {}
    for row in asked:
        found = await approvals.read(platform.client, platform.keys, row.thread_id, row.request_id)
        if found and found.decision:
            decisions[row.request_id] = found.decision["value"]["decisions"][0]["type"]
    ledger = {entry.request_id: entry for entry in entries}
    return Books(asked, ledger, bought, {kept.key: kept for kept in market.bank.refunds}, decisions)


async def is_back(market: Market) -> bool:
    """Whether the shop's database answers: it may have been killed just now."""
    try:
        await market.shop.ping()
    except LookupFailed:
        return False
    return True


async def judge(market: Market, wanted: Sequence[Wish]) -> list[str]:
    """What was lost, doubled, or done without a decision."""
    books = await read_books(market)
    return [
        *misjudged(books),
        *unfulfilled(books, wanted),
        *overpaid(books),
        *await untold(market.place.platform, books),
    ]


def misjudged(books: Books) -> Iterator[str]:
    """A request whose decision was not carried out once, or that was carried out without one."""
    superseded = {row.supersedes for row in books.requests}
    for row in books.requests:
        decision, entry = books.decisions.get(row.request_id), books.ledger.get(row.request_id)
        if row.request_id in superseded:
            if entry is not None:
                yield f"{row.request_id} was superseded, and is {entry.status}"
        elif decision is None:
            yield f"{row.request_id} was not decided" + (f", and is {entry.status}" if entry else "")
        elif entry is None:
            yield f"{row.request_id} is lost: {decision}, and not in the ledger"
        elif entry.status != OUTCOMES[decision]:
            yield f"{row.request_id} is {entry.status}: {decision}"
    for key in books.ledger.keys() - {row.request_id for row in books.requests}:
        yield f"{key} was never asked for"


def unfulfilled(books: Books, wanted: Sequence[Wish]) -> Iterator[str]:
    """A customer whose wish did not come to one entry."""
    entries = Counter(entry.order_id for entry in books.ledger.values())
    for order_id, count in Counter(wish.order_id for wish in wanted).items():
        if entries[order_id] != count:
            yield f"{order_id} has {entries[order_id]} entries, not {count}"


def overpaid(books: Books) -> Iterator[str]:
    """Money that moved twice, or otherwise than the ledger says."""
    settled, moved = books.settled, defaultdict[str, int](int)
    for kept in books.bank.values():
        moved[kept.payment] += kept.amount
        if kept.key not in settled or settled[kept.key].amount != kept.amount:
            yield f"the bank made {kept}, and the ledger says otherwise"
    for key in settled.keys() - books.bank.keys():
        yield f"{key} is settled, and the bank knows nothing of it"
    for order in books.orders:
        given_back = moved[f"pay-{order.id}"]
        if not given_back == order.refunded <= order.paid:
            yield f"{order.id}: the bank gave back {given_back}, the shop {order.refunded} of {order.paid}"


async def untold(platform: Platform, books: Books) -> list[str]:
    """A trail that was broken, or that does not have the one decision of an entry."""
    try:
        trail = await read_trail(platform)
    except ValueError as broken:
        return [str(broken)]
    return [
        f"the trail has {times} decisions of {key}"
        for key in books.ledger
        if (times := trail[key, "decided"]) != 1
    ]


async def read_trail(platform: Platform) -> Counter[tuple[str, str]]:
    """How often what happened to each request. Raises ValueError where the chain of the trail is broken."""
    found = Counter[tuple[str, str]]()
    for lane in range(platform.keys.lanes):
        last = ""
        async for entry in audit.entries(platform.client, platform.keys, lane):
            last = audit.link(last, entry.text)
            if entry.link != last:
                raise ValueError(f"the trail is broken at {entry.id} of lane {lane}")
            said = entry.read()
            found[said["request"], said["kind"]] += 1
    return found
