"""What standing webhooks are told of approvals."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.api.approving import REJECT, ask_one, decide
from tests.servers import Live, live
from tests.webhooks.receivers import Receiver, reachable, receiving


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture
async def served(redis_url: str, receiver: Receiver) -> AsyncIterator[Live]:
    webhooks = f"{receiver.url} approval.*"
    async with live(redis_url, **reachable(receiver, webhooks=webhooks)) as server:
        yield server


async def test_what_becomes_of_a_request_is_told(served: Live, receiver: Receiver) -> None:
    async with served.http("ann") as ann, served.http("bob", "chief") as bob:
        one = await ask_one(ann)
        [asked] = await receiver.has(1)
        assert (asked.json["type"], asked.json["approval_id"]) == ("approval.requested", one)
        assert (asked.json["by"], asked.json["approval"]["title"]) == ("ann", "Launch")
        await decide(bob, one, REJECT, message="no")
        _, decided = await receiver.has(2)
        assert (decided.json["type"], decided.json["by"]) == ("approval.decided", "bob")
        assert decided.json["said"] == {"decisions": [{**REJECT, "message": "no"}]}
        assert decided.json["approval"]["status"] == "decided"
        assert decided.id != asked.id


async def test_a_request_that_nobody_answered_is_told(served: Live, receiver: Receiver) -> None:
    async with served.http("ann") as ann:
        soon = (datetime.now(UTC) + timedelta(seconds=0.3)).isoformat()
        one = await ask_one(ann, expires_at=soon)
        _, expired = await receiver.has(2)
        assert (expired.json["type"], expired.json["approval_id"]) == ("approval.expired", one)
        assert expired.json["by"] == ""
