"""What a caller does while Redis is away."""

import asyncio

from httpx import HTTPStatusError

from tests.faults.conftest import Run, ended
from tests.servers import Live
from tests.waiting import wait_until

WITHIN_S = 30.0


async def ended_at_last(server: Live, run: Run) -> None:
    """As `ended`, for who asks again when he is told that Redis does not answer."""

    async def asked() -> bool:
        try:
            await ended(server, run, WITHIN_S)
        except HTTPStatusError as error:
            if error.response.status_code != 503:
                raise
            return False
        return True

    async with asyncio.timeout(WITHIN_S):
        await wait_until(asked, "the run has ended", WITHIN_S, every_s=0.5)
