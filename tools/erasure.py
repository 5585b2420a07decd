"""A customer's personal text taken out of the shop; the figures of orders and of the ledger stay."""

import json
import uuid
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from tools.shop import Shop
from tools.shop.erasing import (
    DECIDED_BY,
    ERASE_CUSTOMER,
    ERASE_OF_CUSTOMER,
    ERASE_REQUESTS,
    SET_DECIDED_BY,
)
from tools.shop.schema import CUSTOMER_LOCKED

NOBODY = "erased"


async def erase_customer(shop: Shop, subject: str) -> dict[str, int]:
    """Blanks what is kept of a subject, as customer and as decider; says how many rows of each kind that is.

    All of it in one transaction: done twice, the second time finds nothing. Raises ShopUnavailable.
    """
    if not subject.isprintable():  # as no real subject is; Postgres takes no NUL
        return {}
    return await shop.write(partial(erase_rows, subject))


async def erase_rows(subject: str, connection: AsyncConnection) -> dict[str, int]:
    changed = {"decisions": await erase_decider(connection, subject)}
    customer_id = await connection.scalar(CUSTOMER_LOCKED, {"subject": subject})
    if customer_id is not None:
        for kind, statement in ERASE_OF_CUSTOMER.items():
            changed[kind] = (await connection.execute(statement, {"of_customer": customer_id})).rowcount
        name = {"of_customer": customer_id, "new_subject": f"{NOBODY}-{uuid.uuid4().hex}"}
        changed["refund_requests"] = (await connection.execute(ERASE_REQUESTS, name)).rowcount
        changed["customers"] = (await connection.execute(ERASE_CUSTOMER, name)).rowcount
    return {kind: count for kind, count in changed.items() if count}


async def erase_decider(connection: AsyncConnection, subject: str) -> int:
    """The ledger goes on saying that, and when, a request was decided, but not by this subject."""
    rows = (await connection.execute(DECIDED_BY, {"quoted": json.dumps(subject)})).all()
    named = [row for row in rows if subject in row.decided_by]
    for row in named:
        by = [NOBODY if one == subject else one for one in row.decided_by]
        await connection.execute(SET_DECIDED_BY, {"key": row.request_id, "by": by})
    return len(named)
