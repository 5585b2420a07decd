"""One Valkey a test run, a prefix a test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.servers import Live, live, replicated, valkey
from tests.waiting import wait_until


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with valkey() as url:
        yield url


@pytest.fixture(scope="session")
async def shared(redis_url: str) -> AsyncIterator[Live]:
    """A server that tests share; `server` gives it to one test at a time."""
    async with live(redis_url) as running:
        yield running


@pytest.fixture
async def server(shared: Live) -> AsyncIterator[Live]:
    """Holdfast with the graphs of tests/served. Afterwards its threads are deleted; no key may be left."""
    yield shared
    await shared.close_clients()
    platform = shared.platform
    async with shared.http() as http:
        for thread in (
            await http.post("/threads/search", json={"limit": 1000, "select": ["thread_id"]})
        ).json():
            await http.delete(f"/threads/{thread['thread_id']}")

    async def clean() -> bool:
        return not await leaked(shared)

    await wait_until(clean, f"no key left of prefix {platform.keys.prefix}: {await leaked(shared)}")


@pytest.fixture
async def twins(redis_url: str) -> AsyncIterator[tuple[Live, Live]]:
    """Two servers of one installation."""
    async with replicated(redis_url) as both:
        yield both


async def leaked(running: Live) -> list[str]:
    """The keys that neither expire nor are on the list of those that never do."""
    redis, keys = running.platform.client.redis, running.platform.keys
    found = [key.decode() async for key in redis.scan_iter(match=f"{keys.prefix}:*", count=1000)]
    lasting = {keys.installation(), keys.secret("dev"), *(keys.ready(lane) for lane in range(keys.lanes))}
    lasting |= {keys.api_keys(), *(keys.api_key(one.key_id) for one in await running.sign_in.keys.list_all())}
    return [key for key in found if key not in lasting and await redis.ttl(key) < 0]
