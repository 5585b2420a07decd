"""Which payment provider makes the refunds."""

import asyncio
import atexit
import importlib
import logging
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from graph.demo.bank import DemoBank
from graph.settings import Settings
from tools.payments import PaymentProvider
from tools.payments.simulated import SimulatedProvider

log = logging.getLogger(__name__)

BANK_FILE = "bank.db"


async def connect_provider(settings: Settings, resources: AsyncExitStack) -> PaymentProvider:
    """The provider of these settings, built off the loop: clients read certificates."""
    if settings.payment_provider == "stripe":
        return await resources.enter_async_context(await asyncio.to_thread(_build_stripe, settings))
    if not settings.demo_shop:
        log.warning("Payments are simulated: no money moves. PAYMENT_PROVIDER=stripe makes real refunds.")
    bank = await resources.enter_async_context(DemoBank(await asyncio.to_thread(_bank_file, settings.data)))
    # A process that ends seldom closes what its graph works with.
    atexit.register(bank.close)
    resources.callback(atexit.unregister, bank.close)
    return await resources.enter_async_context(await asyncio.to_thread(SimulatedProvider, bank.url))


def _build_stripe(settings: Settings) -> Any:
    # Named here only: who has not chosen it need not have it, and does not wait for it to load.
    module = importlib.import_module("tools.payments.stripe")
    return module.StripeProvider(settings.stripe_api_key, api_base=settings.stripe_api_base)


def _bank_file(data: Path) -> Path:
    """In the data folder, or a passing one where that cannot be written to: it is no real money."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        (data / BANK_FILE).touch()
    except OSError:
        return Path(tempfile.mkdtemp(prefix="bank-")) / BANK_FILE
    return data / BANK_FILE
