"""Payment providers with a memory, and with bad days."""

import asyncio
import hashlib
from collections import Counter

from tools.money import Money
from tools.payments import PaymentRefused, PaymentUnknown, Settlement


class Instant:
    """Settles at once and remembers nothing: one key always gives one reference, so repeats are harmless."""

    name = "instant"

    async def refund(self, key: str, payment_reference: str, amount: Money) -> Settlement:
        return Settlement(f"ref-{hashlib.sha256(key.encode()).hexdigest()[:20]}")


class Bank(Instant):
    """Moves money once a key, as a real provider does; `trouble` comes after the money moved."""

    def __init__(self, trouble: BaseException | None = None) -> None:
        self.trouble = trouble
        self.moved: dict[str, Money] = {}
        self.asked: Counter[str] = Counter()

    async def refund(self, key: str, payment_reference: str, amount: Money) -> Settlement:
        self.asked[key] += 1
        assert self.moved.setdefault(key, amount) == amount
        if self.trouble is not None:
            raise self.trouble
        return await super().refund(key, payment_reference, amount)


class Refusing(Instant):
    async def refund(self, key: str, payment_reference: str, amount: Money) -> Settlement:
        raise PaymentRefused("the account was closed")


class Silent(Instant):
    async def refund(self, key: str, payment_reference: str, amount: Money) -> Settlement:
        raise PaymentUnknown("no answer")


class Slow(Instant):
    """Answers when it is allowed to."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.trouble = trouble
        self.called = asyncio.Event()
        self.allowed = asyncio.Event()

    async def refund(self, key: str, payment_reference: str, amount: Money) -> Settlement:
        self.called.set()
        await self.allowed.wait()
        if self.trouble is not None:
            raise self.trouble
        return await super().refund(key, payment_reference, amount)


class Stopping(Instant):
    """Answers in the very moment in which its caller is cancelled."""

    async def refund(self, key: str, payment_reference: str, amount: Money) -> Settlement:
        caller = asyncio.current_task()
        assert caller is not None
        caller.cancel()
        return await super().refund(key, payment_reference, amount)
