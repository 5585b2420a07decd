"""Who moves the money: the protocol that every payment provider follows.

`simulated` and `stripe` beside this are the two there are; neither is loaded before it is chosen.
"""

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

        Answers in bounded time. Raises PaymentRefused, or PaymentUnknown when the outcome cannot be told.
        """
        ...
