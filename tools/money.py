"""Money as integers of the smallest unit, never a float."""

import re
from dataclasses import dataclass

from tools.errors import AmountInvalid, CurrencyMismatch

# ISO 4217; every other currency has two decimals.
EXPONENTS = {
    "CLP": 0,
    "ISK": 0,
    "JPY": 0,
    "KRW": 0,
    "VND": 0,
    "BHD": 3,
    "JOD": 3,
    "KWD": 3,
    "OMR": 3,
    "TND": 3,
}
LIMIT = 10**12

AMOUNT = re.compile(r"(?P<whole>[0-9]{1,13})(\.(?P<part>[0-9]{1,3}))?( ?(?P<currency>[A-Z]{3}))?", re.ASCII)
CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Money:
    """`amount` counts minor units (cents, fen); `currency` is the ISO 4217 code."""

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if not CURRENCY.fullmatch(self.currency):
            raise ValueError(f"not a currency code: {self.currency!r}")

    def __str__(self) -> str:
        exponent = exponent_of(self.currency)
        whole, part = divmod(abs(self.amount), 10**exponent)
        sign = "-" if self.amount < 0 else ""
        decimals = f".{part:0{exponent}}" if exponent else ""
        return f"{sign}{whole}{decimals} {self.currency}"


def exponent_of(currency: str) -> int:
    return EXPONENTS.get(currency, 2)


def parse_amount(text: str | int, currency: str) -> Money:
    """Read an amount in major units, "79.99" or "79.99 CNY", as a customer or a model writes it.

    Raises AmountInvalid for anything but a positive plain decimal in ASCII digits, of no more decimals than
    the currency has and at most 10**12 minor units; CurrencyMismatch when it names another currency.
    """
    if isinstance(text, bool) or not isinstance(text, str | int):
        raise AmountInvalid
    # The length is bounded before str(): a huge int takes Python itself to a ValueError.
    if isinstance(text, int) and abs(text) > LIMIT:
        raise AmountInvalid
    match = AMOUNT.fullmatch(str(text).strip(" "))
    if match is None:
        raise AmountInvalid
    if match["currency"] not in (None, currency):
        raise CurrencyMismatch(currency)
    return Money(minor_units(match["whole"], match["part"] or "", exponent_of(currency)), currency)


def minor_units(whole: str, part: str, exponent: int) -> int:
    if len(part) > exponent:
        raise AmountInvalid
    amount = int(whole + part.ljust(exponent, "0"))
    if not 0 < amount <= LIMIT:
        raise AmountInvalid
    return amount
