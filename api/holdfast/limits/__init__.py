"""What callers and tenants may use at most. See docs/limits.md."""

from holdfast.limits.rates import Rates
from holdfast.limits.sizes import check_depth, check_messages, check_metadata
from holdfast.limits.streams import Opened, Streams
from holdfast.limits.tokens import check_tokens

__all__ = ["Opened", "Rates", "Streams", "check_depth", "check_messages", "check_metadata", "check_tokens"]
