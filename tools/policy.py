"""What the shop refunds: every number of it in one place."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tools.errors import AlreadyRefunded, NotPaid, OrderCancelled, OutsideReturnWindow, RefundRefused

CUSTOMER_CONFIRMS = "customer"  # the tier in which the customer's own yes is enough


@dataclass(frozen=True, slots=True)
class RefundPolicy:
    """`return_window` counts from delivery; what has not been delivered yet is inside it."""

    return_window: timedelta = timedelta(days=7)


POLICY = RefundPolicy()


def find_refusal(
    *, cancelled: bool, paid: int, refunded: int, delivered_at: datetime | None, now: datetime
) -> RefundRefused | None:
    """Why an order with these figures (minor units) gets no refund at `now`, or None when it may."""
    if cancelled:
        return OrderCancelled()
    if paid == 0:
        return NotPaid()
    if refunded >= paid:
        return AlreadyRefunded()
    if delivered_at is not None and now - delivered_at > POLICY.return_window:
        return OutsideReturnWindow(POLICY.return_window.days)
    return None
