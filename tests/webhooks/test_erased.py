"""What webhooks were still to be told of an erased person goes too; what they are told of others stays."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from holdfast.core.webhooks import letters
from holdfast.redis.traces import NOBODY
from tests.api.test_erasure import HOOKED, erase, people
from tests.api.visitors import Visitor
from tests.servers import Live, live, said
from tests.waiting import wait_until
from tests.webhooks.receivers import Answer, Receiver, reachable, receiving

__all__ = ["people"]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving(Answer(500)) as made:
        yield made


@pytest.fixture
async def served(redis_url: str, people: Path, receiver: Receiver) -> AsyncIterator[Live]:
    settings = reachable(receiver, webhook_retry_s=3600, admin_roles=("eraser",), lanes=3)
    async with live(redis_url, config=HOOKED, **settings) as server:
        yield server


async def tell(visitor: Visitor, receiver: Receiver, thread_id: str | None) -> None:
    """A run of theirs that the receiver does not want to hear of; it waits to be told again."""
    sdk, known = visitor.server.sdk(visitor.name, *visitor.roles), len(receiver.got)
    await sdk.runs.wait(thread_id, "echo", input=said(visitor.words), webhook=receiver.url)
    await receiver.has(known + 1)

    async def put_back() -> bool:
        found = await letters.shelved(visitor.server.platform)
        return all(one.letter.error for one in found)

    await wait_until(put_back, "every letter waits for its next attempt")


async def test_letters_of_an_erased_person_go(served: Live, receiver: Receiver) -> None:
    ann, olga = Visitor(served, name="ann"), Visitor(served, name="olga")
    for visitor in (ann, olga):
        sdk = served.sdk(visitor.name)
        await tell(visitor, receiver, (await sdk.threads.create())["thread_id"])
        await tell(visitor, receiver, None)
    assert any("letters" in place for place in await ann.traces())
    assert len(await letters.shelved(served.platform)) == 4
    removed = (await erase(served, ann.name)).json()["platform"]
    assert removed["letters"] == 2
    assert await ann.traces() == []
    left = await letters.shelved(served.platform)
    assert {one.letter.content["digest"] for one in left} == {olga.person.digest}
    assert len(left) == 2


async def test_letters_of_others_lose_the_name(served: Live, receiver: Receiver) -> None:
    ann, staff = Visitor(served, name="ann"), Visitor(served, "operator", name="chief")
    thread = await served.sdk(ann.name).threads.create()
    sdk = served.sdk(staff.name, *staff.roles)
    await sdk.runs.wait(thread["thread_id"], "echo", input=said("let me see"), webhook=receiver.url)
    await receiver.has(1)
    assert any("letters" in place for place in await staff.traces())
    await erase(served, staff.name)
    assert await staff.traces() == []
    [one] = await letters.shelved(served.platform)
    assert one.letter.content["run"]["request"]["caller"] == NOBODY
