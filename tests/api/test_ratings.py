"""Whose conversation it is says how it was: kept with the thread, counted once."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette.requests import HTTPConnection

from holdfast.core import transfers
from holdfast.redis import ratings
from holdfast.redis.stats import read_day, today
from tests.api.wire import Json, new_thread, refusal
from tests.redaction.test_events import ADDRESS, CARD, TELLING
from tests.servers import Live, live

RATINGS = ("1", "2", "3", "4", "5")


@pytest.fixture
async def before(server: Live) -> Json:
    """The counts that other tests have left on the shared server."""
    return await counted(server)


async def counted(server: Live) -> Json:
    async with server.http() as http:
        return (await http.get("/stats", params={"days": 1})).json()["total"]["ratings"]


async def gained(server: Live, before: Json) -> dict[str, int]:
    after = await counted(server)
    return {score: after[score] - before[score] for score in RATINGS if after[score] != before[score]}


async def rate(http: httpx.AsyncClient, thread_id: str, **body: Any) -> httpx.Response:
    return await http.put(f"/threads/{thread_id}/rating", json=body)


async def test_a_rating_is_kept_with_its_thread_and_counted(server: Live, before: Json) -> None:
    async with server.http("ann") as ann:
        thread_id = await new_thread(ann, metadata={"note": "kept"})
        answer = await rate(ann, thread_id, score=4, comment="quick")
        assert answer.status_code == 200, answer.text
        rating = answer.json()
        assert rating | {"at": ""} == {"score": 4, "comment": "quick", "at": ""}
        assert datetime.now(UTC) - datetime.fromisoformat(rating["at"]) < timedelta(minutes=1)
        thread = (await ann.get(f"/threads/{thread_id}")).json()
        assert thread["metadata"] == {"note": "kept", "rating": rating}
        found = (await ann.post("/threads/search", json={"metadata": {"rating": {"score": 4}}})).json()
        assert [one["thread_id"] for one in found] == [thread_id]
    assert await gained(server, before) == {"4": 1}


async def test_a_second_rating_takes_the_place_of_the_first(server: Live, before: Json) -> None:
    async with server.http("ann") as ann:
        thread_id = await new_thread(ann)
        for score in (1, 5, 5, 2):
            await rate(ann, thread_id, score=score)
        assert (await ann.get(f"/threads/{thread_id}")).json()["metadata"]["rating"]["comment"] is None
    assert await gained(server, before) == {"2": 1}


async def test_ratings_at_once_count_as_one(server: Live, before: Json) -> None:
    async with server.http("ann") as ann:
        thread_id = await new_thread(ann)
        answers = await asyncio.gather(*(rate(ann, thread_id, score=1 + one % 5) for one in range(20)))
        assert {answer.status_code for answer in answers} == {200}
        kept = (await ann.get(f"/threads/{thread_id}")).json()["metadata"]["rating"]["score"]
    assert await gained(server, before) == {str(kept): 1}


async def test_a_rating_of_another_day_leaves_that_day(server: Live, before: Json) -> None:
    platform = server.platform
    client, keys = platform.client, platform.keys
    async with server.http("ann") as ann:
        thread_id = await new_thread(ann)
        caller = await server.sign_in.own.authenticate(connection(server, "ann"))
        past = datetime.now(UTC) - timedelta(days=3)
        assert await ratings.rate(client, keys, thread_id, caller, "", 3, b'{"score":3}', now=past)
        assert (await read_day(client, keys, "default", past.date()))["rating:3"] == 1
        await rate(ann, thread_id, score=5)
        assert (await read_day(client, keys, "default", past.date()))["rating:3"] == 0
        gone = datetime.now(UTC) - timedelta(days=40)
        other = await new_thread(ann)
        assert await ratings.rate(client, keys, other, caller, "", 1, b'{"score":1}', now=gone)
        await client.call("DEL", keys.stats(keys.lane(other), "default", gone.date()))
        await rate(ann, other, score=5)
        assert not await client.call("EXISTS", keys.stats(keys.lane(other), "default", gone.date()))
    assert await gained(server, before) == {"5": 2}
    assert past.date() != today()


def connection(server: Live, subject: str) -> Any:
    value = server.headers(subject)["Authorization"].encode()
    return HTTPConnection({"type": "http", "headers": [(b"authorization", value)]})


async def test_only_whose_conversation_it_is_rates_it(server: Live, before: Json) -> None:
    async with server.http("ann") as ann, server.http("bob") as bob, server.http("eve", "operator") as eve:
        thread_id = await new_thread(ann)
        assert refusal(await rate(eve, thread_id, score=5))[0] == 403
        assert refusal(await rate(bob, thread_id, score=5))[0] == 404
        assert refusal(await rate(ann, str(uuid.uuid4()), score=5))[0] == 404
    assert await gained(server, before) == {}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"score": 0},
        {"score": 6},
        {"score": 4.5},
        {"score": "5"},
        {"score": True},
        {"score": 5, "comment": ""},
        {"score": 5, "comment": "x" * 2001},
        {"score": 5, "comment": ["x"]},
    ],
)
async def test_what_is_no_rating_is_refused(server: Live, body: Json) -> None:
    async with server.http("ann") as ann:
        thread_id = await new_thread(ann)
        assert refusal(await rate(ann, thread_id, **body))[0] == 422
        assert (await ann.get(f"/threads/{thread_id}")).json()["metadata"] == {}


async def test_a_comment_holds_nothing_that_events_must_not(redis_url: str) -> None:
    async with live(redis_url, config=TELLING, redact="cards,emails") as server, server.http("ann") as ann:
        thread_id = await new_thread(ann)
        told = (await rate(ann, thread_id, score=5, comment=f"{CARD} {ADDRESS} thanks")).json()
        kept = (await ann.get(f"/threads/{thread_id}")).json()["metadata"]["rating"]
    assert told == kept
    assert kept["comment"] == "[card] [email] thanks"


async def test_an_erasure_takes_the_rating_and_leaves_the_count(redis_url: str) -> None:
    async with live(redis_url, admin_roles=["admin"]) as server:
        async with server.http("ann") as ann, server.http("root", "admin") as root:
            await rate(ann, await new_thread(ann), score=3, comment="unforgettable")
            erased = await root.post("/subjects/erase", json={"subject": "ann"})
            assert erased.status_code == 200, erased.text
        redis = server.platform.client.redis
        for key in [key async for key in redis.scan_iter(match=f"{server.platform.keys.prefix}:*")]:
            assert b"unforgettable" not in (await redis.dump(key) or b"")
        assert (await counted(server))["3"] == 1


async def test_a_thread_that_travels_was_not_counted_where_it_comes_to(server: Live, redis_url: str) -> None:
    async with live(redis_url) as other, server.http("ann") as here, other.http("ann") as there:
        thread_id = await new_thread(here)
        await rate(here, thread_id, score=2)
        await rate(there, await new_thread(there), score=2)
        document = await transfers.export(server.platform, thread_id)
        await transfers.restore(other.platform, document)
        assert (await rate(there, thread_id, score=5)).status_code == 200
        counts = await counted(other)
        assert {score: counts[score] for score in RATINGS} == {"1": 0, "2": 1, "3": 0, "4": 0, "5": 1}
