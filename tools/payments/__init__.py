"""Who moves the money: the protocol every payment provider follows, and the simulated one."""

import hashlib
from dataclasses import dataclass
from typing import Protocol

from tools.money import Money


class PaymentRefused(Exception):
    """The provider will not make this refund, now or later; the text is the provider's reason."""


class PaymentUnknown(Exception):
    """The provider did not answer: the money may have moved. Ask again with the same key, never a new one."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """`reference` is the provider's own number of the refund."""

    reference: str


class PaymentProvider(Protocol):
    """`name` is written into the ledger beside the provider's reference."""

    name: str

    async def refund(self, key: str, payment_reference: str, amount: Money) -> Settlement:
        """Give `amount` of a payment back, once a `key` however often it is called.

        Raises PaymentRefused, or PaymentUnknown when the outcome cannot be told.
        """
        ...


class SimulatedProvider:
    """Settles at once and remembers nothing: one key always gives one reference, so repeats are harmless."""

    name = "simulated"

    async def refund(self, key: str, payment_reference: str, amount: Money) -> Settlement:
        return Settlement(f"sim-{hashlib.sha256(key.encode()).hexdigest()[:20]}")
