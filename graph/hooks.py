"""What the platform asks of the business: to forget a person, whether it can work, and its pages.

Named in langgraph.json under `holdfast`; each opens what it needs, so that no run has to have been.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from graph.models import check_model
from graph.pages import shared_pages
from graph.settings import Settings
from graph.workplace import open_knowledge
from tools.erasure import erase_customer
from tools.errors import ShopUnavailable
from tools.shop import Shop


async def erase(subject: str) -> dict[str, int]:
    """Takes a subject's personal text out of the shop; says how many rows of each kind that changed."""
    async with opened_shop() as shop:
        await shop.migrate()
        return await erase_customer(shop, subject)


async def check() -> None:
    """Raises RuntimeError, with a sentence for operators, while orders and refunds cannot be worked on, or
    the model lets nobody in."""
    try:
        async with opened_shop() as shop:
            await shop.ping()
    except ShopUnavailable:
        raise RuntimeError("The shop's database does not answer: see to SHOP_DATABASE_URL.") from None
    await check_model(await asyncio.to_thread(Settings.read))


async def share() -> dict[tuple[str, ...], dict[str, dict[str, Any]]]:
    """The shop's pages, for the store to embed. Raises SettingInvalid."""
    settings = await asyncio.to_thread(Settings.read)
    return shared_pages(await asyncio.to_thread(open_knowledge, settings))


@asynccontextmanager
async def opened_shop() -> AsyncIterator[Shop]:
    settings = await asyncio.to_thread(Settings.read)
    async with await asyncio.to_thread(Shop.open, settings.database_url) as shop:
        yield shop
