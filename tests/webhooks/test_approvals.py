"""What standing webhooks are told of approvals."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from holdfast.settings import EVENTS
from tests.api.approving import APPROVE, REJECT, ask_one, decide
from tests.servers import Live, live
from tests.webhooks.receivers import Receiver, reachable, receiving
from tests.webhooks.test_run_ends import settled


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


async def test_who_wants_all_is_told_of_each_event_that_can_be_chosen_and_of_nothing_else(
    redis_url: str,
) -> None:
    async with receiving() as everything, receiving() as chosen:
        hooks = (everything.url, " ".join([chosen.url, *EVENTS]))
        async with (
            live(redis_url, **reachable(everything, chosen, webhooks=hooks)) as server,
            server.http("ann") as ann,
            server.http("bob", "chief") as bob,
            server.http("carl", "chief") as carl,
        ):
            one = await ask_one(ann, roles=["chief"], deciders=2)
            await bob.post(f"/approvals/{one}/claim")
            await bob.post(f"/approvals/{one}/release")
            await decide(bob, one, APPROVE)
            await decide(carl, one, APPROVE)
            for receiver in (everything, chosen):
                # The run that asked, and the one that carried the decision out.
                told = sorted(got.json["type"] for got in await receiver.has(5))
                assert told == [
                    "approval.decided", "approval.requested", "approval.voted", "run.ended", "run.ended",
                ]  # fmt: skip
            await settled(server)
            assert (len(everything.got), len(chosen.got)) == (5, 5)


async def test_a_request_that_nobody_answered_is_told(served: Live, receiver: Receiver) -> None:
    async with served.http("ann") as ann:
        soon = (datetime.now(UTC) + timedelta(seconds=0.3)).isoformat()
        one = await ask_one(ann, expires_at=soon)
        _, expired = await receiver.has(2)
        assert (expired.json["type"], expired.json["approval_id"]) == ("approval.expired", one)
        assert expired.json["by"] == ""
