"""One Valkey a test run, a prefix a test."""

from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest

from holdfast.auth.dev import TENANT
from holdfast.cli.loading import loading
from holdfast.redis import assistants
from tests.certificates import self_signed
from tests.servers import ZYGOTE, Live, live, replicated, valkey
from tests.waiting import wait_until

# Files that take minutes: begun last, they would have a core to themselves while the others idle.
LONG = (
    "chaos/test_chaos.py",
    "e2e/test_dialogue.py",
    "tools/test_money_rules.py",
    "webhooks/test_delivery.py",
)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Loads only the few files that hold such a test, where tests that run alone are asked for."""
    alone = config.option.markexpr == "alone" and collection_path.name.startswith("test_")
    return True if alone and "mark.alone" not in collection_path.read_text() else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected, and all that it imports, stays for good: it is not searched for garbage."""
    with loading():
        return (yield)


@pytest.hookimpl(trylast=True)  # when the order has been drawn
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.partition("::")[0].endswith(LONG))


@pytest.fixture(scope="session", autouse=True)
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Clients trust one authority, which is nobody's: to read those of the web takes 25 ms a client."""
    with pytest.MonkeyPatch.context() as environment:
        nobody = self_signed(tmp_path_factory.mktemp("authorities"), "nobody.example")
        environment.setenv("SSL_CERT_FILE", str(nobody))
        yield


@pytest.fixture(scope="session", autouse=True)
def zygote() -> Iterator[None]:
    """What `holdfast` is forked from, if it was wanted, goes with the run."""
    yield
    ZYGOTE.stop()


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
    """Holdfast with the graphs of tests/served. What tests made goes afterward; no key may be left."""
    yield shared
    await shared.close_clients()
    platform = shared.platform
    async with shared.http() as http:
        for thread in (
            await http.post("/threads/search", json={"limit": 1000, "select": ["thread_id"]})
        ).json():
            await http.delete(f"/threads/{thread['thread_id']}")
        for cron in (await http.post("/runs/crons/search", json={"limit": 1000})).json():
            await http.delete(f"/runs/crons/{cron['cron_id']}")
        for assistant_id in await assistants.listed(platform.client, platform.keys, TENANT):
            await http.delete(f"/assistants/{assistant_id}")
        for item in (await http.post("/store/items/search", json={"limit": 1000})).json()["items"]:
            named = {"namespace": item["namespace"], "key": item["key"]}
            await http.request("DELETE", "/store/items", json=named)

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
    lasting |= {key for lane in range(keys.lanes) for key in keys.lasting(lane)}
    return [key for key in found if key not in lasting and await redis.ttl(key) < 0]
