"""The rules: from a case to a verdict, without looking anything up."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tools.errors import (
    AlreadyRefunded,
    AmountTooHigh,
    CurrencyNotRefunded,
    DailyLimitReached,
    NotPaid,
    OrderCancelled,
    OutsideReturnWindow,
    ReasonNotAllowed,
    RefundRefused,
)
from tools.money import Money

OWNER = "owner"  # in a tier's roles: the customer whose refund it is
REPEATED = "repeated_refunds"
A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Tier:
    """Who decides: as many different people as `deciders`, each with one of these roles. With
    `exclude_requester` the customer is none of them, whatever his roles. Undecided after `expires_after`, it
    is rejected, or goes on to those of `escalate_to` where it names somebody. `reason` is the code for being
    in this tier by the amount."""

    name: str
    rank: int
    roles: tuple[str, ...]
    deciders: int
    exclude_requester: bool
    expires_after: timedelta
    remind_after: timedelta | None
    escalate_to: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one currency, in minor units: the most that each tier but the last decides, and what one customer is
    refunded in a day."""

    limits: tuple[int, ...]
    budget: int


@dataclass(frozen=True, slots=True)
class Repeats:
    """More refunds than these within `days` put the next one a tier higher."""

    of_order: int
    of_customer: int
    days: int


@dataclass(frozen=True, slots=True)
class RefundPolicy:
    """`return_window` counts from delivery; what has not been delivered yet is inside it. `tiers` rise."""

    version: int
    return_window: timedelta
    reasons: tuple[str, ...]
    tiers: tuple[Tier, ...]
    repeats: Repeats
    currencies: Mapping[str, Figures]

    def tier(self, name: str) -> Tier:
        """The tier of this name; for one that the policy does not know any more, the highest."""
        return next((tier for tier in self.tiers if tier.name == name), self.tiers[-1])


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged: `amount` off an order with these figures (minor units), for the reason of this code.

    `spent` is what the customer was refunded in that currency in the last 24 hours; `of_order` and
    `of_customer` count the refunds within the policy's days for repeats. None of them counts refunds that
    were rejected or failed.
    """

    cancelled: bool
    paid: int
    refunded: int
    delivered_at: datetime | None
    now: datetime
    amount: Money
    reason: str
    spent: int
    of_order: int
    of_customer: int


@dataclass(frozen=True, slots=True)
class Refused:
    """There is no such refund, whoever would agree to it."""

    why: RefundRefused


@dataclass(frozen=True, slots=True)
class Verdict:
    """It takes this tier's people, for the reason of this code."""

    tier: Tier
    reason: str


def judge(policy: RefundPolicy, case: Case) -> Refused | Verdict:
    """What the policy says to a refund that is asked for now."""
    refusal = find_refusal(
        policy,
        currency=case.amount.currency,
        cancelled=case.cancelled,
        paid=case.paid,
        refunded=case.refunded,
        delivered_at=case.delivered_at,
        now=case.now,
    )
    if refusal is not None:
        return Refused(refusal)
    if case.reason not in policy.reasons:
        return Refused(ReasonNotAllowed(", ".join(policy.reasons)))
    left = Money(case.paid - case.refunded, case.amount.currency)
    if case.amount.amount > left.amount:
        return Refused(AmountTooHigh(left))
    return find_tier(policy, case.amount, case.spent, case.of_order, case.of_customer)


def find_refusal(
    policy: RefundPolicy,
    *,
    currency: str,
    cancelled: bool,
    paid: int,
    refunded: int,
    delivered_at: datetime | None,
    now: datetime,
) -> RefundRefused | None:
    """Why an order with these figures (minor units) gets no refund at `now`, or None when it may."""
    if cancelled:
        return OrderCancelled()
    if paid == 0:
        return NotPaid()
    if refunded >= paid:
        return AlreadyRefunded()
    if delivered_at is not None and now - delivered_at > policy.return_window:
        return OutsideReturnWindow(policy.return_window.days)
    if currency not in policy.currencies:
        return CurrencyNotRefunded(currency)
    return None


def find_tier(
    policy: RefundPolicy, amount: Money, spent: int, of_order: int, of_customer: int
) -> Refused | Verdict:
    """Who decides about this much, after what the customer was refunded before. It is asked twice: when the
    refund is asked for, and in the transaction that would make it."""
    figures = policy.currencies.get(amount.currency)
    if figures is None:
        return Refused(CurrencyNotRefunded(amount.currency))
    if spent + amount.amount > figures.budget:
        left = Money(max(figures.budget - spent, 0), amount.currency)
        return Refused(DailyLimitReached(Money(figures.budget, amount.currency), left))
    rank = sum(amount.amount > limit for limit in figures.limits)
    repeated = of_order + 1 > policy.repeats.of_order or of_customer + 1 > policy.repeats.of_customer
    if repeated and rank + 1 < len(policy.tiers):
        return Verdict(policy.tiers[rank + 1], REPEATED)
    return Verdict(policy.tiers[rank], policy.tiers[rank].reason)


def are_enough(by: Collection[str], requester: str, asked: Tier, wanted: Tier) -> bool:
    """Whether those who decided, having been asked as `asked`, are who `wanted` wants.

    That each of them had a role of `asked` is the asking server's word. What is counted here are different
    people, the requester only where he was one of those who were asked; and a lower tier's people never
    stand in for a higher one's.
    """
    if asked.rank < wanted.rank and not set(asked.roles) <= set(wanted.roles):
        return False
    different = {name for name in by if name}
    if asked.roles == (OWNER,):
        different &= {requester}
    elif asked.exclude_requester or wanted.exclude_requester:
        different -= {requester}
    return len(different) >= wanted.deciders
