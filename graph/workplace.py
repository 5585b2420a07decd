"""What the agent works with (shop, payment provider, model), opened by the first run that needs it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool

from graph.models import connect_model
from graph.settings import Settings
from tools.payments import PaymentProvider, SimulatedProvider
from tools.shop import Shop

Model = Runnable[LanguageModelInput, AIMessage]


@dataclass(frozen=True, slots=True)
class Workplace:
    settings: Settings
    shop: Shop
    provider: PaymentProvider
    connect: Callable[[Sequence[BaseTool]], Model]
    """A model that may call these tools."""
    resources: AsyncExitStack = field(default_factory=AsyncExitStack)


async def open_workplace(settings: Settings | None = None) -> Workplace:
    """The workplace the environment describes. The demo shop is migrated and, when empty, filled; a database
    somebody named is migrated only."""
    settings = settings or await asyncio.to_thread(Settings.read)
    async with AsyncExitStack() as resources:
        shop = await resources.enter_async_context(await asyncio.to_thread(Shop.open, settings.database_url))
        await shop.migrate()
        if settings.demo_shop:
            await shop.seed()
        connect = await connect_model(settings, resources)
        return Workplace(settings, shop, SimulatedProvider(), connect, resources.pop_all())
    raise AssertionError("unreachable")


class Doors:
    """One workplace for each event loop: database pools and HTTP clients live and die with theirs."""

    def __init__(self, opening: Callable[[], Awaitable[Workplace]] = open_workplace) -> None:
        self._opening = opening
        self._open: dict[asyncio.AbstractEventLoop, asyncio.Future[Workplace]] = {}

    async def enter(self) -> Workplace:
        """The open workplace; a first try that failed is tried again by the next caller."""
        loop = asyncio.get_running_loop()
        opened = self._open.get(loop)
        if opened is None or (opened.done() and (opened.cancelled() or opened.exception())):
            self._open = {other: place for other, place in self._open.items() if not other.is_closed()}
            opened = self._open[loop] = asyncio.ensure_future(self._opening())
        return await asyncio.shield(opened)

    async def close(self) -> None:
        """Close what was opened on this loop."""
        opened: Any = self._open.pop(asyncio.get_running_loop(), None)
        if opened is not None:
            await (await opened).resources.aclose()
