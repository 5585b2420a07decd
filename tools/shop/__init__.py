"""The shop's database: one engine, and the only place that knows SQL."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Self, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tools.errors import LookupFailed, ShopUnavailable
from tools.policy import RefundPolicy, read_policy
from tools.shop.engine import (
    create_blocking_engine,
    create_engine,
    is_retryable,
    is_unavailable,
    lock_set_up,
)
from tools.shop.schema import ANSWER, ANY_CUSTOMER
from tools.shop.seed import plant
from tools.shop.upgrade import upgrade

T = TypeVar("T")

WRITE_ATTEMPTS = 10
RETRY_WAIT_S = 0.02


def utc_now() -> datetime:
    return datetime.now(UTC)


class Shop:
    """An open shop. Share one between all tasks of an event loop and close it as a context manager.

    `clock` says what time it is, for return windows and for the times the shop writes; `policy` what it
    refunds.
    """

    def __init__(self, engine: AsyncEngine, clock: Callable[[], datetime], policy: RefundPolicy) -> None:
        self.clock = clock
        self.policy = policy
        self._engine = engine
        self._writers = engine.execution_options(writes=True)

    @classmethod
    def open(
        cls, url: str, *, clock: Callable[[], datetime] = utc_now, policy: RefundPolicy | None = None
    ) -> Self:
        """No connection is made yet. `url` is sqlite:///path or postgresql://…, with or without our driver's
        name; raises ValueError for any other database. Without a policy it is the one that comes along."""
        return cls(create_engine(url), clock, policy or read_policy())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._engine.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection to look things up on; raises LookupFailed when the database cannot be reached."""
        try:
            async with self._engine.connect() as connection:
                yield connection
        except (DBAPIError, PoolExhausted) as error:
            if is_unavailable(error):
                raise LookupFailed from error
            raise

    async def ping(self) -> None:
        """Raises LookupFailed when the database does not answer."""
        async with self.read() as connection:
            await connection.execute(ANSWER)

    async def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run `work` in one transaction, from the start again after a deadlock or a serialization failure.

        Raises ShopUnavailable when the database cannot be reached. After a connection that broke in the very
        commit nobody knows whether it was written: work done twice must end like work done once.
        """
        attempt = 1
        while True:
            try:
                async with self._writers.begin() as connection:
                    return await work(connection)
            except (DBAPIError, PoolExhausted) as error:
                if is_retryable(error) and attempt < WRITE_ATTEMPTS:
                    # Those who met in a deadlock would meet again, were they to come back at the same time.
                    await asyncio.sleep(random.uniform(0, RETRY_WAIT_S * attempt))  # noqa: S311
                    attempt += 1
                    continue
                if is_unavailable(error):
                    raise ShopUnavailable from error
                raise

    async def migrate(self) -> None:
        """Bring the tables up to date. Programs that start together wait for each other."""
        try:
            await asyncio.to_thread(upgrade, create_blocking_engine(self._engine.url))
        except DBAPIError as error:
            if is_unavailable(error):
                raise ShopUnavailable from error
            raise

    async def seed(self) -> bool:
        """Fill an empty database with the demo shop; False, and nothing done, when there is a customer."""
        return await self.write(self._plant_if_empty)

    async def _plant_if_empty(self, connection: AsyncConnection) -> bool:
        await connection.run_sync(lock_set_up)
        if (await connection.execute(ANY_CUSTOMER)).first() is not None:
            return False
        await plant(connection, self.clock())
        return True
