"""How many tokens of models a caller may use a day."""

import signal
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.core import erasure
from holdfast.core.erasure import Person
from holdfast.redis.limits import spent
from tests.api.protocols import command, new_id
from tests.api.test_open_streams import opened
from tests.engine.test_takeover import workers
from tests.scanning import mentions
from tests.servers import Live, live, said
from tests.waiting import wait_until

A_RUN = 5 * 17  # the five answers of the graph `thoughts`


async def used(server: Live, subject: str) -> int:
    platform = server.platform
    tokens, _ = await spent(platform.client, platform.keys, "default", subject)
    return tokens


async def think(http: httpx.AsyncClient, mode: str = "values") -> httpx.Response:
    body = {"assistant_id": "thoughts", "input": said("hi"), "stream_mode": mode}
    return await http.post("/runs/wait", json=body)


@pytest.mark.parametrize("mode", ["values", "messages-tuple"])
async def test_a_run_counts_all_that_its_models_used(redis_url: str, mode: str) -> None:
    async with live(redis_url, daily_tokens_of_caller=1000) as server, server.http("me") as http:
        for number in (1, 2):
            assert (await think(http, mode)).json()["log"] == ["thought"]
            assert await used(server, "me") == number * A_RUN


async def test_a_spent_budget_is_refused_until_midnight_at_every_door(redis_url: str) -> None:
    async with (
        live(redis_url, daily_tokens_of_caller=2 * A_RUN) as server,
        server.http("me") as http,
        server.http("you") as others,
    ):
        assert (await think(http)).status_code == 200
        assert (await think(http)).status_code == 200
        refused = await think(http)
        assert refused.status_code == 429
        platform = server.platform
        midnight = await platform.client.call("EXPIRETIME", platform.keys.tokens(0, "default", "me"))
        now, _ = await platform.client.call("TIME")
        left_s = int(refused.headers["Retry-After"])
        assert 0 <= left_s - (midnight - int(now)) <= 2
        assert refused.json() == {
            "detail": f"A caller may use {2 * A_RUN} tokens of models a day, and {2 * A_RUN} are used: "
            f"try again after midnight UTC, in {left_s} s.",
            "code": "token_budget_spent",
        }
        run = {"assistant_id": "echo", "input": said("hi"), "if_not_exists": "create"}
        for path, body in (
            (f"/threads/{new_id()}/runs", run),
            (f"/threads/{new_id()}/runs/stream", run),
            ("/chat", {"message": "hi"}),
        ):
            assert (await http.post(path, json=body)).json()["code"] == "token_budget_spent"
        reply = await command(http, new_id(), "run.start", **run)
        assert (reply["type"], reply["error"]) == ("error", "token_budget_spent")
        assert (await think(others)).status_code == 200
        await platform.client.call("DEL", platform.keys.tokens(0, "default", "me"))  # midnight
        assert (await think(http)).status_code == 200


async def test_a_run_that_was_made_is_found_again_though_the_budget_is_spent(redis_url: str) -> None:
    async with live(redis_url, daily_tokens_of_caller=A_RUN) as server, server.http("me") as http:
        thread_id = (await http.post("/threads", json={})).json()["thread_id"]
        path, key = f"/threads/{thread_id}/runs/wait", {"Idempotency-Key": "k"}
        body = {"assistant_id": "thoughts", "input": said("hi")}
        assert (await http.post(path, json=body, headers=key)).status_code == 200
        assert (await http.post(path, json=body)).status_code == 429
        assert (await http.post(path, json=body, headers=key)).status_code == 200


async def test_without_a_budget_nothing_is_counted(server: Live) -> None:
    async with server.http("uncounted") as http:
        assert (await think(http)).status_code == 200
    assert await used(server, "uncounted") == 0


async def test_what_an_erased_person_used_is_forgotten(redis_url: str) -> None:
    name = f"nancy {uuid.uuid4().hex}"
    bounds: dict[str, Any] = {"daily_tokens_of_caller": 1000, "rate_of_caller": 0.1, "burst_of_caller": 9}
    async with (
        live(redis_url, lanes=3, max_streams_of_caller=3, **bounds) as server,
        server.http(name) as http,
    ):
        platform = server.platform
        assert (await think(http)).status_code == 200
        async with opened(http):
            places = " ".join(await mentions(platform.client.redis, name))
            for place in ("tokens", "rate", "streams"):
                assert f":{place}:" in places
            await erasure.erase(platform, Person(name, "default"))
            assert await mentions(platform.client.redis, name) == []


@pytest.mark.timeout(120)
async def test_a_run_that_is_taken_over_counts_once(redis_url: str, tmp_path: Path) -> None:
    """Its worker dies after four answers, two of them of the task that it is at: those are given again."""
    async with workers(redis_url, tmp_path, daily_tokens_of_caller=1000) as group:
        group.environment["HOLDFAST_DAILY_TOKENS_OF_CALLER"] = "1000"
        sdk = group.api.sdk()
        thread_id = (await sdk.threads.create())["thread_id"]
        async with group.work() as first:
            run = await sdk.runs.create(thread_id, "thoughts", input={**said("hi"), "delay": 3})

            async def thought() -> bool:
                return "thought twice" in group.noted() and await used(group.api, "demo") == A_RUN

            await wait_until(thought, "all answers were given", 60)
            first.send_signal(signal.SIGKILL)
            await first.wait()
        async with group.work():
            values: Any = await sdk.runs.join(thread_id, run["run_id"])
        assert values["log"] == ["thought"]
        assert group.noted() == ["think", "think", "thought twice", "thought twice"]
        assert await used(group.api, "demo") == A_RUN
        assert await group.counts(thread_id, run["run_id"]) == (2, 2)
