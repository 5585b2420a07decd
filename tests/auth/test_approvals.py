"""What the project's rules of threads mean for the requests that wait on them."""

from typing import Any

import pytest
from langgraph_sdk import Auth

from tests.api.approving import APPROVE, ask_one, decide, listed, shown
from tests.servers import live


@pytest.mark.parametrize("answer", [False, {"team": "a"}, Auth.exceptions.HTTPException(status_code=403)])
async def test_a_request_of_a_thread_that_the_rules_hide_is_not_there(redis_url: str, answer: object) -> None:
    """It is left out of a list, which goes on without it; who holds one of its roles sees it all the same."""
    auth, strict = Auth(), False

    @auth.on.threads.read
    async def read(ctx: Auth.types.AuthContext, value: Auth.types.ThreadsRead) -> Any:
        if not strict or ctx.user.identity != "ann":
            return True
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with live(redis_url, rules=auth) as server, server.http("ann") as ann:
        one = await ask_one(ann)
        assert await listed(ann) == [one]
        strict = True
        assert await listed(ann, status="all") == []
        for path in (f"/approvals/{one}", f"/approvals/{one}x"):
            refused = await ann.get(path)
            assert (refused.status_code, refused.json()["code"]) == (404, "approval_not_found")
        async with server.http("carl", "chief") as carl:
            assert await listed(carl) == [one]
            assert (await decide(carl, one, APPROVE)).status_code == 200
        strict = False
        assert (await shown(ann, one))["status"] == "decided"


async def test_a_request_of_a_thread_that_the_rules_show_is_there(redis_url: str) -> None:
    auth = Auth()

    @auth.on.threads.create
    async def create(ctx: Auth.types.AuthContext, value: Auth.types.ThreadsCreate) -> None:
        value.setdefault("metadata", {})["team"] = ctx.user.identity

    @auth.on.threads.read
    async def read(ctx: Auth.types.AuthContext, value: Auth.types.ThreadsRead) -> dict[str, str]:
        return {"team": "ann"}

    async with live(redis_url, rules=auth) as server, server.http("ann") as ann, server.http("eve") as eve:
        one = await ask_one(ann)
        assert await listed(ann) == await listed(eve) == [one]
        other = await ask_one(eve)
        assert await listed(ann) == await listed(eve) == [one]
        assert (await eve.get(f"/approvals/{other}")).status_code == 404
