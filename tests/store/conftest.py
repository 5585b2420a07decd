import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from holdfast.redis.client import Client, connect
from holdfast.redis.keys import Keys
from holdfast.store import RedisStore
from tests.checkpoint.servers import SERVERS


@pytest.fixture(scope="session")
async def client(redis_url: str) -> AsyncIterator[Client]:
    async with connect(redis_url) as opened:
        yield opened


@pytest.fixture(scope="session", params=SERVERS)
def any_url(request: pytest.FixtureRequest) -> Iterator[str]:
    with SERVERS[request.param]() as address:
        yield address


@pytest.fixture
def keys() -> Keys:
    return Keys(f"t{uuid.uuid4().hex[:8]}", lanes=3)


@pytest.fixture
async def store(client: Client, keys: Keys) -> AsyncIterator[RedisStore]:
    """The store of a tenant. Its items are deleted in the end; then no key may be left."""
    store = RedisStore(client, keys, "north", person="ann")
    yield store
    for item in await store.asearch((), limit=100_000):
        await store.adelete(item.namespace, item.key)
    left = [key async for key in client.redis.scan_iter(match=f"{keys.prefix}:*")]
    assert [key for key in left if b":north" in key or b"expiry" in key] == []
