"""The shop that a scenario refunds in: its orders, its database, its bank, and who decides."""

import asyncio
import importlib.util
import os
import random
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal

import httpx
import psycopg
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from graph.demo.bank import DemoBank, Trouble
from holdfast.auth import DevAuthenticator
from tests.chaos.shop_graphs import BANK_TIMEOUT_S
from tests.chaos.sites import Site
from tests.servers import free_port, wait_ready
from tests.tools.databases import Postgres
from tools.payments.simulated import SimulatedProvider
from tools.shop import Shop
from tools.shop.schema import customers, order_items, orders, payments

OPERATORS = ("li", "mei", "zhou")
PLACED = timedelta(days=2)
TROUBLES: tuple[Literal["hang", "drop", "late", "twice", "garbage", "error"], ...] = (
    "hang", "hang", "drop", "late", "twice", "garbage", "error",
)  # fmt: skip
APIS = 2
AGAIN_S = 0.1
NOT_NOW = (429, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a customer asks for in one conversation; amounts are in minor units."""

    number: int
    paid: int
    amount: int
    of_order: int

    @property
    def subject(self) -> str:
        return f"customer-{self.of_order}"

    @property
    def order_id(self) -> str:
        return f"o{self.of_order}"

    @property
    def words(self) -> str:
        return f"{self.order_id} {self.amount // 100}.{self.amount % 100:02}"


def wishes(count: int) -> list[Wish]:
    """By the policy that comes along: of ten, six are for an operator, one for two of them, one for the
    customer, and two are of one order: whichever is decided second has to be asked anew."""
    made = []
    for number in range(count):
        match number % 10:
            case 0:
                made.append(Wish(number, 400_000, 400_000, number))
            case 1:
                made.append(Wish(number, 50_000, 50_000, number))
            case 2:
                made.append(Wish(number, 100_000, 60_000, number))
            case 3:
                made.append(Wish(number, 100_000, 40_000, number - 1))
            case _:
                made.append(Wish(number, 100_000, 100_000, number))
    return made


class Sql:
    """SQLite, or a Postgres that can be killed where there is one for this Python."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'shop.db'}"
        self._postgres: Postgres | None = None
        if importlib.util.find_spec("pgserver"):
            self._postgres = Postgres()
            self.url = self._postgres.start()

    async def kill(self) -> bool:
        """What kill -9 of a backend does: the server cuts all of them off, and starts again from its log."""
        if self._postgres is None:
            return False
        try:
            async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as connection:
                os.kill(connection.info.backend_pid, signal.SIGKILL)
        except psycopg.OperationalError:
            return False
        return True

    def delete(self) -> None:
        if self._postgres:
            self._postgres.delete()


@dataclass
class Market:
    """What a scenario's refunds go through; `clients` are one for each API process."""

    place: Site
    shop: Shop
    sql: Sql
    bank: DemoBank
    provider: SimulatedProvider
    clients: Sequence[httpx.AsyncClient]
    authenticator: DevAuthenticator
    _tokens: dict[str, str] = field(default_factory=dict)

    async def call(self, subject: str, method: str, path: str, **more: Any) -> httpx.Response:
        """Asks any replica, and again as long as it cannot answer."""
        while True:
            try:
                reply = await self.call_at(random.randrange(APIS), subject, method, path, **more)
            except httpx.TransportError:
                reply = None
            if reply is not None and reply.status_code not in NOT_NOW:
                return reply
            await asyncio.sleep(AGAIN_S)

    async def call_at(
        self, replica: int, subject: str, method: str, path: str, **more: Any
    ) -> httpx.Response:
        headers = {**self.headers(subject), **more.pop("headers", {})}
        return await self.clients[replica].request(method, path, headers=headers, **more)

    def headers(self, subject: str) -> dict[str, str]:
        if subject not in self._tokens:
            roles = ("operator",) if subject in OPERATORS else ()
            self._tokens[subject] = self.authenticator.sign(subject, roles)
        return {"Authorization": f"Bearer {self._tokens[subject]}"}

    def annoy(self) -> None:
        """Gives the bank a bad moment."""
        self.bank.trouble(Trouble(kind=random.choice(TROUBLES), times=random.randint(1, 3), delay_s=2))


@asynccontextmanager
async def market(place: Site, folder: Path, wanted: Sequence[Wish]) -> AsyncIterator[Market]:
    async with AsyncExitStack() as stack:
        sql = await asyncio.to_thread(Sql, folder)
        stack.push_async_callback(asyncio.to_thread, sql.delete)
        shop = await stack.enter_async_context(Shop.open(sql.url))
        await shop.migrate()
        await shop.write(partial(stock, wanted, shop.clock() - PLACED))
        bank = await stack.enter_async_context(DemoBank(folder / "bank.db", scripting=True))
        provider = await stack.enter_async_context(SimulatedProvider(bank.url, timeout_s=BANK_TIMEOUT_S))
        place.environment |= {"SHOP_DATABASE_URL": sql.url, "CHAOS_BANK": bank.url}
        clients = [await stack.enter_async_context(await open_replica(place)) for _ in range(APIS)]
        platform = place.platform
        signer = await DevAuthenticator.open(platform.settings, platform.client, platform.keys)
        yield Market(place, shop, sql, bank, provider, clients, signer)


async def open_replica(place: Site) -> httpx.AsyncClient:
    port = free_port()
    await place.serve(port)
    url = f"http://127.0.0.1:{port}"
    await wait_ready(url)
    # A server hangs up on idle connections after five seconds: none may be used so late.
    return httpx.AsyncClient(base_url=url, timeout=30, limits=httpx.Limits(keepalive_expiry=1))


async def stock(wanted: Sequence[Wish], placed: datetime, connection: AsyncConnection) -> None:
    """An order for each wish, or for two of them, of a customer of its own."""
    sold = {wish.of_order: wish for wish in wanted}.values()
    for table, row in (
        (customers, lambda wish: {"id": wish.of_order, "subject": wish.subject, "name": "somebody"}),
        (orders, lambda wish: order_of(wish, placed)),
        (order_items, item_of),
        (payments, lambda wish: payment_of(wish, placed)),
    ):
        await connection.execute(insert(table), [row(wish) for wish in sold])


def order_of(wish: Wish, placed: datetime) -> dict[str, Any]:
    return {
        "id": wish.order_id,
        "customer_id": wish.of_order,
        "status": "paid",
        "placed_at": placed,
        "currency": "USD",
        "paid": wish.paid,
    }


def item_of(wish: Wish) -> dict[str, Any]:
    return {
        "order_id": wish.order_id,
        "position": 0,
        "sku": "sku",
        "name": "thing",
        "quantity": 1,
        "price": wish.paid,
    }


def payment_of(wish: Wish, placed: datetime) -> dict[str, Any]:
    return {
        "order_id": wish.order_id,
        "reference": f"pay-{wish.order_id}",
        "method": "card",
        "account": f"4000{wish.of_order:08}",
        "paid_at": placed,
    }
