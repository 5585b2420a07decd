"""A foreign thing costs Redis what a missing one costs: else the time of an answer would tell them apart."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from holdfast.redis.client import Client
from tests.servers import live, valkey
from tests.tenancy.asking import ask
from tests.tenancy.belongings import Ids, Owner, missing
from tests.tenancy.conftest import CONFIG, OWNERS, TENANTS, arrive, settle
from tests.tenancy.people import SETTINGS, Person
from tests.tenancy.test_matrix import PERSONAL, every_case
from tests.waiting import wait_until

STRANGERS = [TENANTS["north"]["another owner"], TENANTS["south"]["staff"]]
# What a connection says when it is made, or by itself; and the question how much was counted.
NOT_COUNTED = ("cmdstat_info", "cmdstat_hello", "cmdstat_client", "cmdstat_ping")


@pytest.fixture(scope="module")
async def strangers(kept_people: Path) -> AsyncIterator[tuple[Client, Ids, dict[Person, Owner]]]:
    """People at a server that nobody else calls and no worker works for; the ids of an owner's things."""
    async with AsyncExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("KEPT_PEOPLE", str(kept_people))
        url = stack.enter_context(valkey())
        settings = {**SETTINGS, "prefix": "costs"}
        async with live(url, config=CONFIG, **settings) as first, AsyncExitStack() as visit:
            owner = await arrive(visit, first, OWNERS[0], kept_people)
            await settle(owner)
        server = await stack.enter_async_context(live(url, config=CONFIG, worker=False, **settings))
        people = {person: await arrive(stack, server, person, kept_people) for person in STRANGERS}
        yield server.platform.client, owner.ids, people


async def commands(client: Client) -> Counter[str]:
    """How often each command was carried out, those of scripts among them."""
    told: dict[str, Any] = await client.redis.info("commandstats")
    return Counter({name: of["calls"] for name, of in told.items() if not name.startswith(NOT_COUNTED)})


async def settled(client: Client) -> Counter[str]:
    """The count once nothing is added to it: what goes on after an answer has come too."""
    last = Counter[str]()

    async def rests() -> bool:
        nonlocal last
        before, last = last, await commands(client)
        return before == last

    await wait_until(rests, "Redis is left alone")
    return last


async def cost(client: Client, work: Callable[[], Awaitable[object]]) -> Counter[str]:
    before = await settled(client)
    await work()
    return await settled(client) - before


@pytest.mark.timeout(120)
@pytest.mark.parametrize("person", STRANGERS, ids=str)
async def test_a_foreign_thing_costs_what_a_missing_one_costs(
    strangers: tuple[Client, Ids, dict[Person, Owner]], person: Person
) -> None:
    client, ids, people = strangers
    http, compared = people[person].http, 0
    for operation, case in every_case():
        # What is personal means something with its caller only: of the owner's things nothing is looked at.
        if case.endless or case.apart or case.inert or case.kinds(operation) < PERSONAL:
            continue
        await ask(http, operation, case, missing(ids))  # what a first time costs: scripts, the use of a key
        foreign, never = [
            await cost(client, partial(ask, http, operation, case, one)) for one in (ids, missing(ids))
        ]
        assert foreign or case.by_staff, f"{operation} asks Redis"
        assert foreign == never, f"{operation} {case}"
        compared += 1
    assert compared > 30
