"""What callers and tenants may use at most. See docs/limits.md."""

from holdfast.limits.rates import Rates

__all__ = ["Rates"]
