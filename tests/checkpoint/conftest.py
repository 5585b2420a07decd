"""A server a session, a prefix a test, and no key left that nobody answers for."""

import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from holdfast.checkpoint import RedisSaver
from holdfast.redis.checkpoints import registered
from holdfast.redis.client import Client, connect
from holdfast.redis.keys import Keys
from tests.checkpoint.servers import SERVERS, redis_stack, valkey


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    with valkey() as address:
        yield address


@pytest.fixture(scope="session", params=SERVERS)
def any_url(request: pytest.FixtureRequest) -> Iterator[str]:
    with SERVERS[request.param]() as address:
        yield address


@pytest.fixture(scope="session")
def stack_url() -> Iterator[str]:
    with redis_stack() as address:
        yield address


@pytest.fixture
def keys() -> Keys:
    return Keys(f"t{uuid.uuid4().hex[:8]}", lanes=3)


@pytest.fixture
async def client(url: str) -> AsyncIterator[Client]:
    async with connect(url) as opened:
        yield opened


@pytest.fixture
async def saver(client: Client, keys: Keys) -> AsyncIterator[RedisSaver]:
    """A saver whose threads are deleted in the end; then no key may be left but the fences tests have set."""
    saver = RedisSaver(client, keys)
    yield saver
    for thread_id in await registered(client, keys):
        token = await client.call("HGET", keys.thread(thread_id), "token")
        await saver.for_run((token or b"").decode()).adelete_thread(thread_id)
    left = [key async for key in client.redis.scan_iter(match=f"{keys.prefix}:*")]
    assert [key for key in left if b":thread:" not in key] == []
