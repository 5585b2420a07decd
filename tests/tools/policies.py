"""A policy that stands in nobody's way, for tests of what holds under any policy."""

from datetime import timedelta

from tools.policy import Figures, RefundPolicy, Repeats, Tier, read_policy

ANYBODY = Tier(
    name="anybody",
    rank=0,
    roles=("anybody",),
    deciders=1,
    exclude_requester=False,
    expires_after=timedelta(days=365),
    remind_after=None,
    escalate_to=(),
    reason="anybody_confirms",
)
UNLIMITED = 10**15
SHIPPED = read_policy()
LENIENT = RefundPolicy(
    version=7,
    return_window=SHIPPED.return_window,
    reasons=SHIPPED.reasons,
    tiers=(ANYBODY,),
    repeats=Repeats(of_order=UNLIMITED, of_customer=UNLIMITED, days=30),
    currencies={code: Figures((), UNLIMITED) for code in SHIPPED.currencies},
)
