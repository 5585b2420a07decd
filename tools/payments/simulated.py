"""The client of a simulated bank: no money moves, and everything else is as with a real one."""

import asyncio
import logging
from types import TracebackType
from typing import Any, Self

import httpx

from tools.money import Money
from tools.payments import PaymentRefused, PaymentUnknown, Settlement

log = logging.getLogger(__name__)


class SimulatedProvider:
    """Speaks to the bank at `url` over HTTP, at most `timeout_s` for a refund; an async context manager."""

    name = "simulated"

    def __init__(self, url: str, *, timeout_s: float = 10.0) -> None:
        # No connection is used twice: a second answer to one refund can never be read as that to the next.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.AsyncClient(base_url=url, timeout=timeout_s, limits=limits, trust_env=False)
        self._timeout_s = timeout_s

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def refund(self, key: str, payment_reference: str, amount: Money) -> Settlement:
        asked = {
            "payment": payment_reference,
            "amount": amount.amount,
            "currency": amount.currency,
            "key": key,
        }
        status, answer = await self._ask(asked)
        if any(answer.get(name) != value for name, value in asked.items()):
            log.warning("The bank's answer is to another refund.", extra={"key": key, "status": status})
            raise PaymentUnknown("the answer is to another refund")
        if status == httpx.codes.PAYMENT_REQUIRED:
            raise PaymentRefused(str(answer.get("reason")))
        if status != httpx.codes.OK or not isinstance(answer.get("reference"), str):
            raise PaymentUnknown(f"the bank answered {status}")
        return Settlement(answer["reference"])

    async def _ask(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        try:
            # A timeout of the client's counts for each read; this one for all of it.
            async with asyncio.timeout(self._timeout_s):
                response = await self._client.post("/refunds", json=asked)
            answer = response.json()
        except (httpx.HTTPError, TimeoutError, ValueError) as error:
            log.warning(
                "The bank did not answer.", extra={"key": asked["key"], "error": type(error).__name__}
            )
            raise PaymentUnknown("no answer") from error
        return response.status_code, answer if isinstance(answer, dict) else {}
