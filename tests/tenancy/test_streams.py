"""Streams without an end: what they say to somebody else, before and while the owner's thread goes on."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

import pytest

from tests.api.wire import read_stream
from tests.tenancy.asking import Answer, listening
from tests.tenancy.belongings import Ids, Owner, ask, missing
from tests.tenancy.case import Case
from tests.tenancy.cases import CASES, HI
from tests.tenancy.conftest import OWNERS, PEOPLE, World
from tests.tenancy.test_matrix import is_open, told_kinds, variants

HEARTBEAT = ": heartbeat"
ENDLESS = [(operation, case) for operation, cases in CASES.items() for case in cases if case.endless]


@dataclass
class Listener:
    """A request for a stream; `answer` is all that it said up to a heartbeat, or to its end."""

    owner: Owner
    operation: str
    case: Case
    ids: Ids
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    answer: Answer | None = None

    async def listen(self, enough: asyncio.Event) -> None:
        """A heartbeat that comes after `enough` shows that there is no more to come."""
        async with listening(self.owner.http, self.operation, self.case, self.ids) as (response, chunks):
            self.opened.set()
            text, seen = "", 0
            async for chunk in chunks:
                text += chunk
                if text.count(HEARTBEAT) > seen and enough.is_set():
                    break
                seen = text.count(HEARTBEAT)
            text = text.replace(HEARTBEAT + "\r\n", "")
            self.answer = Answer(response.status_code, dict(response.headers), text)


def pairs(asker: Owner, owner: Owner) -> list[tuple[str, frozenset[str], Listener, Listener]]:
    """For each case what it says of a foreign thing, and of one that is not there."""
    made = []
    for operation, case in ENDLESS:
        if is_open(case, asker.person, owner.person):
            continue
        for foreign in variants(case.kinds(operation), mixed=bool(asker.person.name)):
            absent = missing(owner.ids)
            one, other = (
                Listener(asker, operation, case, {**asker.ids, **{kind: ids[kind] for kind in foreign}})
                for ids in (owner.ids, absent)
            )
            made.append((f"{asker.person}: {operation} {case} {sorted(foreign)}", foreign, one, other))
    return made


async def hear(owner: Owner, listeners: Sequence[Listener]) -> Ids:
    """All of them while the owner's thread goes on, and another asks for an approval: ids of that one."""
    enough = asyncio.Event()
    async with AsyncExitStack() as stack:
        group = await stack.enter_async_context(asyncio.TaskGroup())
        for one in listeners:
            group.create_task(one.listen(enough))
        await asyncio.gather(*(one.opened.wait() for one in listeners))
        asked = await ask(owner)
        await owner.post(f"/threads/{owner.ids['thread']}/runs/wait", **HI)
        enough.set()
    return asked


async def talkative(owner: Owner) -> Owner:
    """With a thread whose log is longer than that of anybody else: its places are none of theirs."""
    ids = {**owner.ids, **await owner.make(["thread"])}
    for _ in range(5):
        asked = {**HI, "stream_resumable": True}
        told = await owner.post(f"/threads/{ids['thread']}/runs/stream", **asked)
    ids["event"] = str(read_stream(told.text)[-1].id)
    ids["seq"] = ids["event"].partition("-")[2] + "000"
    return replace(owner, ids=ids)


@pytest.mark.timeout(120)
async def test_a_foreign_stream_is_as_silent_as_one_of_nothing(world: World) -> None:
    talker = await talkative(world.everybody[OWNERS[0]])
    strangers = [world.everybody[one] for one in PEOPLE if one.is_stranger_to(talker.person)]
    found = [pair for stranger in strangers for pair in pairs(stranger, talker)]
    own = [Listener(talker, operation, case, talker.ids) for operation, case in ENDLESS]
    asked = await hear(talker, [*own, *(one for _, _, *both in found for one in both)])
    for where, foreign, told, never in found:
        assert told.answer, where
        assert never.answer, where
        kinds = told.case.kinds(told.operation)
        assert told.answer.masked(told.ids, kinds) == never.answer.masked(never.ids, kinds), where
        assert told_kinds(talker.ids, told.answer) <= foreign, where
        assert not told_kinds(asked, told.answer), where
    for one in own:
        assert one.answer, one.operation
        word = asked["request"] if one.case.role else "echo: hi"
        assert word in one.answer.text, "the owner hears what the others do not"
