"""The WebSocket of protocol v3: to a stranger, a foreign thread reads like one that is not there."""

import asyncio
import re
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from tests.tenancy.asking import fill, mask
from tests.tenancy.belongings import Ids, Owner, missing
from tests.tenancy.cases import CASES, CHANNELS, SOCKET
from tests.tenancy.conftest import OWNERS, PEOPLE, World

PATH = SOCKET.partition(" ")[2]
COMMANDS = [case for case in CASES["POST /threads/{thread_id}/commands"] if "thread_id" not in case.path]
CURSORS: list[Any] = [{}, {"since": "$seq"}, {"since_event_id": "$seq.1.1"}]
# Written under somebody else's id, a thread is another answer than under an id that is free.
APART = "run.start"


def said(ids: Ids) -> list[Any]:
    """What is sent, one after the other: subscriptions, what reads, an answer."""
    asked = [
        *({"method": "subscription.subscribe", "params": {**CHANNELS, **since}} for since in CURSORS),
        *(case.body for case in COMMANDS if case.body["method"] != APART),
    ]
    numbered = [{**one, "id": number} for number, one in enumerate(asked, 1)]
    return [orjson.loads(fill(orjson.dumps(one).decode(), ids)) for one in numbered]


def opened(owner: Owner, ids: Ids) -> connect:
    path = fill(PATH.replace("{thread_id}", "$thread"), ids)
    known = owner.http.headers
    headers = {name: known[name] for name in ("authorization", "x-api-key") if name in known}
    return connect(
        f"{str(owner.http.base_url).rstrip('/')}{path}".replace("http", "ws", 1), additional_headers=headers
    )


async def told(owner: Owner, ids: Ids) -> str:
    """All that comes back up to the reply to the last command."""
    async with opened(owner, ids) as socket:
        return "\n".join([await ask(socket, one) for one in said(ids)])


async def ask(socket: ClientConnection, command: Any) -> str:
    await socket.send(orjson.dumps(command).decode())
    lines = []
    async for line in socket:
        lines.append(re.sub(r'"subscription_id":"\w+"', '"subscription_id":""', str(line)))
        if orjson.loads(line).get("id") == command["id"]:
            break
    return "\n".join(lines)


async def hear(owner: Owner, word: str) -> None:
    """Whose thread it is hears the word on it."""
    async with opened(owner, owner.ids) as socket, asyncio.timeout(10):
        await socket.send(orjson.dumps(said(owner.ids)[0]).decode())
        async for line in socket:
            if word in str(line):
                return


@pytest.mark.parametrize("owner", OWNERS, ids=str)
async def test_a_foreign_thread_is_as_silent_as_none(world: World, owner: Any) -> None:
    whose = world.everybody[owner]
    await hear(whose, whose.ids["word"])
    kinds = [kind for kind in whose.ids if kind in ("thread", "run", "seq", "interrupt")]
    for person in PEOPLE:
        if not person.is_stranger_to(owner):
            continue
        stranger, absent = world.everybody[person], missing(whose.ids)
        if not person.name:
            with pytest.raises(InvalidStatus) as refused:
                await told(stranger, whose.ids)
            assert refused.value.response.status_code == 401
            continue
        foreign, never = await told(stranger, whose.ids), await told(stranger, absent)
        assert mask(foreign, whose.ids, kinds) == mask(never, absent, kinds), str(person)
        assert whose.ids["word"] not in foreign
