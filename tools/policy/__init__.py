"""What the shop refunds and who has to agree: rules in code, figures in one file."""

from tools.policy.file import SHIPPED_FILE, PolicyInvalid, read_policy
from tools.policy.rules import (
    OWNER,
    Case,
    Figures,
    RefundPolicy,
    Refused,
    Repeats,
    Tier,
    Verdict,
    are_enough,
    find_refusal,
    find_tier,
    judge,
)

__all__ = [
    "OWNER",
    "SHIPPED_FILE",
    "Case",
    "Figures",
    "PolicyInvalid",
    "RefundPolicy",
    "Refused",
    "Repeats",
    "Tier",
    "Verdict",
    "are_enough",
    "find_refusal",
    "find_tier",
    "judge",
    "read_policy",
]
