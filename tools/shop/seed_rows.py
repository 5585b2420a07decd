"""The shape of the demo shop's tables. Every time is in days before the moment of seeding."""

from dataclasses import dataclass
from typing import Literal

CUSTOMERS = {
    "demo": "陈晓雨",
    "lin": "林志远",
    "wang": "王芳",
    "alice": "Alice Morgan",
    "bob": "Bob Fischer",
}

NOT_PAID = ("", "")


@dataclass(frozen=True, slots=True)
class Parcel:
    """`events` are (days ago, place, text), oldest first; the last of a delivered parcel is the delivery."""

    carrier: str
    tracking_no: str
    status: Literal["in_transit", "out_for_delivery", "delivered", "returned"]
    events: tuple[tuple[float, str, str], ...]

    @property
    def delivered(self) -> float | None:
        return self.events[-1][0] if self.status == "delivered" else None


@dataclass(frozen=True, slots=True)
class GivenBack:
    """A refund of the past, in minor units; `by` is who decided, the customer when empty."""

    amount: int
    days: float
    reason: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class Purchase:
    """`items` are (sku, name, quantity, price of one in minor units); `paid` is (method, account)."""

    id: str
    customer: str
    status: Literal["unpaid", "paid", "shipped", "delivered", "cancelled"]
    placed: float
    currency: str
    items: tuple[tuple[str, str, int, int], ...]
    paid: tuple[str, str] = NOT_PAID
    note: str = ""
    parcel: Parcel | None = None
    refunds: tuple[GivenBack, ...] = ()

    @property
    def total(self) -> int:
        return sum(quantity * price for _, _, quantity, price in self.items)
