"""Several people at the same approval, at two replicas: one decision."""

import asyncio

from tests.api.approving import (
    APPROVE,
    REJECT,
    ask_one,
    decide,
    settled,
)
from tests.servers import Live


async def test_of_racing_decisions_on_two_replicas_one_counts(twins: tuple[Live, Live]) -> None:
    one, other = twins
    async with one.http("ann") as ann, one.http("bob", "chief") as bob, other.http("carl", "chief") as carl:
        for _ in range(20):
            approval = await ask_one(ann)
            given = [(ann, APPROVE), (bob, REJECT), (carl, APPROVE), (carl, REJECT)]
            replies = await asyncio.gather(*(decide(http, approval, answer) for http, answer in given))
            assert sorted(reply.status_code for reply in replies) == [200, 409, 409, 409]
            [won] = [n for n, reply in enumerate(replies) if reply.status_code == 200]
            values = await settled(ann, approval)
            by = ("ann", "bob", "carl", "carl")[won]
            assert values["answers"]["one"] == {"decision": {"decisions": [given[won][1]]}, "by": [by]}


async def test_racing_votes_of_many_make_one_decision(twins: tuple[Live, Live]) -> None:
    one, other = twins
    names = [f"chief {n}" for n in range(8)]
    async with one.http("ann") as ann:
        approval = await ask_one(ann, roles=["chief"], deciders=5)
        clients = [(one, other)[n % 2].http(name, "chief") for n, name in enumerate(names)]
        replies = await asyncio.gather(*(decide(http, approval, APPROVE) for http in clients))
        for http in clients:
            await http.aclose()
        assert sorted(reply.status_code for reply in replies) == [200] * 5 + [409] * 3
        by = (await settled(ann, approval))["answers"]["one"]["by"]
        assert len(set(by)) == 5
