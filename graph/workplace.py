"""What the agent works with (shop, payment provider, model), opened by the first run that needs it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graph.models import Connect, connect_model
from graph.payments import connect_provider
from graph.settings import SettingInvalid, Settings
from graph.technical import Ask, connect_technical
from tools.knowledge import Knowledge, KnowledgeInvalid, read_knowledge
from tools.payments import PaymentProvider
from tools.policy import SHIPPED_FILE, PolicyInvalid, read_policy
from tools.shop import Shop

NO_PAGES = Knowledge(())
SHIPPED_KNOWLEDGE = Path(__file__).parent / "knowledge"


@dataclass(frozen=True, slots=True)
class Workplace:
    settings: Settings
    shop: Shop
    provider: PaymentProvider
    connect: Connect
    """A model that may call these tools (their JSON specifications)."""
    resources: AsyncExitStack = field(default_factory=AsyncExitStack)
    technical: Ask | None = None
    knowledge: Knowledge = NO_PAGES


async def open_workplace() -> Workplace:
    """The workplace the environment describes. Raises SettingInvalid."""
    return await furnish(await asyncio.to_thread(Settings.read))


async def furnish(settings: Settings) -> Workplace:
    """Shop, provider and model of these settings. The demo shop is filled when it is empty; a database
    somebody named is brought up to date and otherwise left alone."""
    resources = AsyncExitStack()
    async with AsyncExitStack() as opening:
        shop = await opening.enter_async_context(await asyncio.to_thread(open_shop, settings))
        await prepare_shop(settings, shop)
        provider = await connect_provider(settings, opening)
        connect = await connect_model(settings, opening)
        technical = await connect_technical(settings, opening)
        knowledge = await asyncio.to_thread(open_knowledge, settings)
        resources = opening.pop_all()
    return Workplace(settings, shop, provider, connect, resources, technical, knowledge)


async def prepare_shop(settings: Settings, shop: Shop) -> None:
    await shop.migrate()
    if settings.demo_shop:
        await shop.seed()


def open_shop(settings: Settings) -> Shop:
    """The shop of these settings, with its policy. Raises SettingInvalid."""
    try:
        policy = read_policy(settings.refund_policy or SHIPPED_FILE)
    except PolicyInvalid as error:
        raise SettingInvalid(f"REFUND_POLICY: {error}") from error
    return Shop.open(settings.database_url, policy=policy)


def open_knowledge(settings: Settings) -> Knowledge:
    """The shop's pages as they are now. Raises SettingInvalid."""
    try:
        return read_knowledge(settings.knowledge_folder or SHIPPED_KNOWLEDGE)
    except KnowledgeInvalid as error:
        raise SettingInvalid(f"KNOWLEDGE_FOLDER: {error}") from error


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


DOORS = Doors()
"""The process's own workplace, of the environment: every graph of langgraph.json goes through here."""
