"""A refund that was asked for, as the tests go on from there."""

import uuid

from tools.quotes import quote_refund
from tools.requests import Asked, ask_refund
from tools.shop import Shop


async def asked(
    shop: Shop,
    order_id: str,
    amount: str | None = None,
    *,
    subject: str = "demo",
    request_id: str = "",
    reason: str = "",
    supersedes: str | None = None,
    thread_id: str | None = None,
) -> Asked:
    """Quoted now and written down, under an id of its own unless one is given."""
    quote = await quote_refund(shop, subject, order_id, amount=amount, reason=reason)
    return await ask_refund(
        shop,
        subject,
        request_id or str(uuid.uuid4()),
        quote,
        whole=amount is None,
        supersedes=supersedes,
        thread_id=thread_id,
    )
