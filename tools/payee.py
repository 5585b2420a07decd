"""Where the money of a refund goes: shown masked, compared by digest."""

import hashlib


def describe_payee(method: str, account: str) -> str:
    """For people: "WeChat Pay •••• 6789"."""
    return f"{method} •••• {account[-4:]}"


def hash_payee(method: str, account: str, payment_reference: str) -> str:
    """Changes when the money would go anywhere else; tells nothing of the account."""
    return hashlib.sha256("\0".join((method, account, payment_reference)).encode()).hexdigest()
