import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.servers import Live, live, valkey
from tests.tenancy.belongings import MISSING, Owner
from tests.tenancy.people import SETTINGS, Person, members

CONFIG = Path(__file__).parent / "served" / "langgraph.json"
TENANTS = {tenant: members(tenant) for tenant in ("north", "south")}
PEOPLE = [person for tenant in TENANTS.values() for person in tenant.values()]
OWNERS = [tenant["owner"] for tenant in TENANTS.values()]


@dataclass
class World:
    """A server, and everybody who calls it. Who is known to it has things of every kind."""

    server: Live
    everybody: dict[Person, Owner]


@pytest.fixture(scope="session")
def kept_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("people")


@pytest.fixture(scope="session")
async def world(kept_people: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("KEPT_PEOPLE", str(kept_people))
        url = stack.enter_context(valkey())
        server = await stack.enter_async_context(live(url, config=CONFIG, **SETTINGS))
        everybody = [await arrive(stack, server, person, kept_people) for person in PEOPLE]
        await asyncio.gather(*(settle(one) for one in everybody if one.person.name))
        yield World(server, {one.person: one for one in everybody})


async def arrive(stack: AsyncExitStack, server: Live, person: Person, folder: Path) -> Owner:
    """A person with a client; some have an API key instead of a token."""
    headers = person.headers
    if person == TENANTS[person.tenant]["another owner"]:
        key, _ = await server.sign_in.keys.create(subject=person.name, tenant=person.tenant)
        headers = {"x-api-key": key}
    # The server closes a connection that is idle for five seconds: such a one must not be used again.
    limits = httpx.Limits(keepalive_expiry=2)
    http = httpx.AsyncClient(base_url=server.url, headers=headers, timeout=30, limits=limits)
    return Owner(person, await stack.enter_async_context(http), server.sign_in, server.platform, folder)


async def settle(owner: Owner) -> None:
    owner.ids |= await owner.make(MISSING)
