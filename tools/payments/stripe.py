"""Refunds by Stripe, on its official library. Loaded only where it is chosen."""

import asyncio
import logging
from types import TracebackType
from typing import TYPE_CHECKING, Self

import stripe

from tools.money import Money, exponent_of
from tools.payments import PaymentRefused, PaymentUnknown, Settlement

if TYPE_CHECKING:
    from stripe.params import RefundCreateParams, RefundListParams

log = logging.getLogger(__name__)

# The library would tell Stripe how long each request took, and who the machine is.
stripe.enable_telemetry = False
# Its own lines repeat what Stripe says, word for word.
logging.getLogger("stripe").setLevel(logging.WARNING)

MAX_TRIES_AFTER = 1
PAGE = 100

# https://docs.stripe.com/currencies: the smallest unit differs from ISO 4217's for some.
_WHOLE = (
    "BIF",
    "CLP",
    "DJF",
    "GNF",
    "JPY",
    "KMF",
    "KRW",
    "MGA",
    "PYG",
    "RWF",
    "VND",
    "VUV",
    "XAF",
    "XOF",
    "XPF",
)
_THOUSANDTHS = ("BHD", "JOD", "KWD", "OMR", "TND")
EXPONENTS = dict.fromkeys(_WHOLE, 0) | dict.fromkeys(_THOUSANDTHS, 3)


class StripeProvider:
    """An async context manager. A payment's reference is Stripe's id of it, a PaymentIntent or a charge.

    Stripe forgets an idempotency key after a day, so before it makes a refund it looks among those of the
    payment for one that names this key: the same key never makes two, however late it is asked again.
    """

    name = "stripe"

    def __init__(self, api_key: str, *, api_base: str | None = None, timeout_s: float = 30.0) -> None:
        self._http = stripe.HTTPXClient(timeout=timeout_s)
        self._stripe = stripe.StripeClient(
            api_key,
            base_addresses={"api": api_base} if api_base else None,
            http_client=self._http,
            max_network_retries=MAX_TRIES_AFTER,
        )
        self._timeout_s = timeout_s

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close_async()  # type: ignore[no-untyped-call]

    async def refund(self, key: str, payment_reference: str, amount: Money) -> Settlement:
        payment, minor = payment_of(payment_reference), minor_units(amount)
        try:
            async with asyncio.timeout(self._timeout_s):
                refund = await self._find(key, payment) or await self._make(key, payment, minor)
        except (stripe.CardError, stripe.InvalidRequestError) as error:
            raise PaymentRefused((error.code or "refused").replace("_", " ")) from error
        except (stripe.StripeError, TimeoutError) as error:
            # Of anything else nobody can say whether the money moved. The library's texts stay unlogged.
            log.warning("Stripe did not answer.", extra={"key": key, "error": type(error).__name__})
            raise PaymentUnknown(type(error).__name__) from error
        return settlement_of(refund, key, minor)

    async def _find(self, key: str, payment: dict[str, str]) -> stripe.Refund | None:
        wanted: RefundListParams = {**payment, "limit": PAGE}  # type: ignore[typeddict-item]
        page = await self._stripe.v1.refunds.list_async(wanted)
        async for refund in page.auto_paging_iter():
            if key_of(refund) == key:
                return refund
        return None

    async def _make(self, key: str, payment: dict[str, str], minor: int) -> stripe.Refund:
        wanted: RefundCreateParams = {**payment, "amount": minor, "metadata": {"request_id": key}}  # type: ignore[typeddict-item]
        return await self._stripe.v1.refunds.create_async(wanted, {"idempotency_key": key})


def payment_of(reference: str) -> dict[str, str]:
    if reference.startswith("pi_"):
        return {"payment_intent": reference}
    if reference.startswith(("ch_", "py_")):
        return {"charge": reference}
    raise PaymentRefused("not a payment that was made with Stripe")


def minor_units(amount: Money) -> int:
    """The amount in Stripe's smallest unit of its currency."""
    ours, theirs = exponent_of(amount.currency), EXPONENTS.get(amount.currency, 2)
    up: int = 10**theirs
    down: int = 10**ours
    minor, rest = divmod(amount.amount * up, down)
    if rest or (theirs == 3 and minor % 10):
        raise PaymentRefused(f"Stripe cannot refund exactly {amount}")
    return minor


def key_of(refund: stripe.Refund) -> str | None:
    return refund.metadata["request_id"] if refund.metadata and "request_id" in refund.metadata else None


def settlement_of(refund: stripe.Refund, key: str, minor: int) -> Settlement:
    if refund.amount != minor or key_of(refund) != key:
        log.warning("Stripe's answer is to another refund.", extra={"key": key, "refund": refund.id})
        raise PaymentUnknown("the answer is to another refund")
    match refund.status:
        case "succeeded":
            return Settlement(refund.id)
        case "failed" | "canceled":
            raise PaymentRefused((refund.failure_reason or refund.status).replace("_", " "))
        case _:
            raise PaymentUnknown(f"the refund is {refund.status}")
