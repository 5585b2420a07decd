"""What tests of limits share: several replicas of one installation, and callers of any tenant."""

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx

from tests.servers import Live, live


@asynccontextmanager
async def replicas(redis_url: str, count: int = 2, **settings: Any) -> AsyncIterator[list[Live]]:
    """Several API processes of one installation, without a worker."""
    settings = {"prefix": f"t{uuid.uuid4().hex[:8]}", "worker": False, **settings}
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(live(redis_url, **settings)) for _ in range(count)]


def someone(server: Live, subject: str, tenant: str = "default") -> httpx.AsyncClient:
    token = server.authenticator.sign(subject, (), tenant)
    return httpx.AsyncClient(base_url=server.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)
