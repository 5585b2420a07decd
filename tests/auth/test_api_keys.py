"""API keys: whom they let in, what they allow, and their end."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import httpx
import orjson
import pytest
from langgraph_sdk import get_client
from websockets.asyncio.client import connect

from holdfast.auth.api_keys import ApiKeys
from holdfast.redis import api_keys as records
from tests.api.wire import Json, new_thread
from tests.auth.calling import PROBE, call, is_refused, taking
from tests.auth.issuers import Issuer, claims, signer
from tests.conftest import leaked
from tests.servers import Live, live, said
from tests.waiting import wait_until


@dataclass
class Pair:
    """Two replicas of one installation, which let nobody in without a key."""

    one: Live
    other: Live

    @property
    def keys(self) -> ApiKeys:
        return self.one.sign_in.keys

    async def make(self, **given: Any) -> str:
        secret, _ = await self.keys.create(**{"subject": "ann", "tenant": "north", **given})
        return secret


@pytest.fixture(scope="module")
async def pair(redis_url: str) -> AsyncIterator[Pair]:
    settings: Json = {"auth": "keys", "prefix": f"t{uuid.uuid4().hex[:8]}"}
    async with live(redis_url, **settings) as one, live(redis_url, worker=False, **settings) as other:
        yield Pair(one, other)


async def status(server: Live, secret: str) -> int:
    async with server.http() as http:
        return (await http.post(PROBE, json={}, headers={"x-api-key": secret})).status_code


# letting in


async def test_a_key_lets_in_by_either_header_on_every_replica(pair: Pair) -> None:
    secret = await pair.make()
    for server in (pair.one, pair.other):
        async with server.http() as http:
            assert (await call(http, secret)).status_code == 200
            assert (await call(http, **{"X-Api-Key": secret})).status_code == 200
            assert (await call(http, secret, **{"X-Api-Key": secret})).status_code == 200
            assert is_refused(await call(http))
            assert is_refused(await call(http, "nonsense"))
            assert is_refused(await call(http, secret, **{"X-Api-Key": await pair.make()}))
            assert is_refused(await call(http, "nonsense", **{"X-Api-Key": secret}))


async def test_the_official_client_sends_a_key_as_it_does_anywhere(pair: Pair) -> None:
    secret = await pair.make(subject="sdk")
    async with get_client(url=pair.one.url, api_key=secret) as client:
        thread = await client.threads.create()
        user: Json = await client.runs.wait(thread["thread_id"], "whoami", input={})
        assert user["user"]["langgraph_auth_user"] == {
            "identity": "sdk",
            "tenant": "north",
            "roles": [],
            "is_authenticated": True,
        }
    async with get_client(url=pair.one.url, api_key=await pair.make(subject="eve")) as client:
        assert await client.threads.search() == []


async def test_roles_of_a_key_count(pair: Pair) -> None:
    async with pair.one.http() as http:
        mine = await new_thread_of(http, await pair.make())
        for roles, expected in (((), 404), (("reader",), 404), (("operator",), 200)):
            headers = {"x-api-key": await pair.make(subject="bob", roles=roles)}
            assert (await http.get(f"/threads/{mine}", headers=headers)).status_code == expected
        headers = {"x-api-key": await pair.make(tenant="south", roles=("operator",))}
        assert (await http.get(f"/threads/{mine}", headers=headers)).status_code == 404


async def new_thread_of(http: httpx.AsyncClient, secret: str) -> str:
    http.headers["x-api-key"] = secret
    thread_id = await new_thread(http)
    del http.headers["x-api-key"]
    return thread_id


@pytest.mark.parametrize(
    "change",
    [
        lambda secret: secret[:-1],
        lambda secret: secret + "A",
        lambda secret: secret[:-1] + ("A" if secret[-1] != "A" else "B"),
        lambda secret: secret.replace("hf_", "hf_0")[:59],
        lambda secret: "hf_" + "f" * 12 + secret[15:],
        lambda secret: secret.upper().replace("HF_", "hf_"),
        lambda secret: f"hf_*_{secret[16:]}",
        lambda secret: f"hf_{sha256(secret[16:].encode()).hexdigest()}",
    ],
)
async def test_what_is_nearly_a_key_is_none(pair: Pair, change: Any) -> None:
    secret = await pair.make()
    async with pair.one.http() as http:
        assert is_refused(await call(http, change(secret)))
        assert (await call(http, secret)).status_code == 200


# what a key allows


ECHO = "046b5dc7-2108-582c-9c6c-31d556d138f0"
READS: list[tuple[str, str, Json]] = [
    ("GET", "/threads/T", None),
    ("GET", "/threads/T/state", None),
    ("GET", "/threads/T/history", None),
    ("POST", "/threads/T/history", {}),
    ("POST", "/threads/T/state/checkpoint", {"checkpoint": {}}),
    ("POST", "/threads/search", {}),
    ("POST", "/threads/count", {}),
    ("POST", "/assistants/search", {}),
    ("POST", "/assistants/count", {}),
    ("POST", f"/assistants/{ECHO}/versions", {}),
    ("GET", "/threads/T/runs", None),
    ("GET", "/threads/T/runs/R", None),
    ("GET", "/threads/T/runs/R/join", None),
    ("GET", "/threads/T/runs/R/join?cancel_on_disconnect=0", None),
    ("GET", "/threads/T/runs/R/stream", None),
    ("GET", "/openapi.json", None),
]
WRITES: list[tuple[str, str, Json]] = [
    ("POST", "/threads", {}),
    ("PATCH", "/threads/T", {"metadata": {"a": 1}}),
    ("DELETE", "/threads/T", None),
    ("POST", "/threads/T/state", {"values": {}}),
    ("POST", "/threads/T/runs", {"assistant_id": "echo"}),
    ("POST", "/threads/T/runs/wait", {"assistant_id": "echo"}),
    ("POST", "/threads/T/runs/stream", {"assistant_id": "echo"}),
    ("POST", "/threads/T/runs/R/cancel", None),
    ("DELETE", "/threads/T/runs/R", None),
    ("GET", "/threads/T/runs/R/join?cancel_on_disconnect=1", None),
    ("GET", "/threads/T/runs/R/stream?cancel_on_disconnect=true", None),
    ("POST", "/threads/T/commands", {"id": 1, "method": "run.start", "params": {"assistant_id": "echo"}}),
    ("POST", "/runs", {"assistant_id": "echo"}),
    ("POST", "/runs/wait", {"assistant_id": "echo"}),
    ("POST", "/runs/stream", {"assistant_id": "echo"}),
    ("POST", "/assistants", {"graph_id": "echo"}),
    ("PATCH", f"/assistants/{ECHO}", {"name": "mine"}),
    ("POST", f"/assistants/{ECHO}/latest", {"version": 1}),
    ("DELETE", f"/assistants/{ECHO}", None),
    ("POST", "/chat", {"message": "hi"}),
    ("POST", "/chat/stream", {"message": "hi"}),
    ("POST", "/chat/async", {"message": "hi"}),
]


async def test_a_key_for_reading_reads_and_changes_nothing(pair: Pair) -> None:
    async with pair.one.http() as http:
        http.headers["x-api-key"] = await pair.make(subject="reader")
        thread_id = await new_thread(http)
        run = {"assistant_id": "echo", "input": said("hi")}
        run_id = (await http.post(f"/threads/{thread_id}/runs", json=run)).json()["run_id"]
        await http.get(f"/threads/{thread_id}/runs/{run_id}/join")
        before = (await http.get(f"/threads/{thread_id}")).json()
        http.headers["x-api-key"] = await pair.make(subject="reader", scopes=("read",))
        for method, path, body in READS:
            where = path.replace("/T", f"/{thread_id}").replace("/R", f"/{run_id}")
            response = await http.request(method, where, json=body)
            assert response.status_code == 200, (method, path, response.text)
        for method, path, body in WRITES:
            where = path.replace("/T", f"/{thread_id}").replace("/R", f"/{run_id}")
            response = await http.request(method, where, json=body)
            assert (response.status_code, response.json()["code"]) == (403, "insufficient_scope"), path
            assert 'scope="write"' in response.headers["www-authenticate"]
        assert (await http.get(f"/threads/{thread_id}")).json() == before
    key = {"x-api-key": http.headers["x-api-key"]}
    async with connect(
        f"{pair.one.url}/threads/{thread_id}/stream/events".replace("http", "ws", 1), additional_headers=key
    ) as socket:
        for method, params, told in (
            ("subscription.subscribe", {"channels": ["lifecycle"]}, "subscription_id"),
            ("run.start", run, "insufficient_scope"),
        ):
            await socket.send(orjson.dumps({"id": 1, "method": method, "params": params}).decode())
            assert told in str(await socket.recv())


async def test_a_path_that_ends_like_a_search_is_no_search(pair: Pair) -> None:
    """What is decided on is the route, and not what a caller has written into it."""
    async with pair.one.http() as http:
        http.headers["x-api-key"] = await pair.make(scopes=("read",))
        assert (await http.delete("/threads/search")).status_code in (403, 404, 405, 422)
        response = await http.post(f"/threads/{uuid.uuid4()}/runs/search", json={})
        assert response.status_code in (404, 405, 422)


# its end


async def test_a_revoked_key_is_refused_at_once_on_every_replica(pair: Pair) -> None:
    secret = await pair.make()
    assert [await status(server, secret) for server in (pair.one, pair.other)] == [200, 200]
    assert await pair.keys.revoke(secret.split("_")[1])
    assert [await status(server, secret) for server in (pair.other, pair.one)] == [401, 401]
    assert not await pair.keys.revoke(secret.split("_")[1])


async def test_a_key_ends_at_its_time(pair: Pair) -> None:
    secret = await pair.make(expires_at=datetime.now(UTC) + timedelta(seconds=0.3))
    assert await status(pair.one, secret) == 200

    async def ended() -> bool:
        return await status(pair.other, secret) == 401

    await wait_until(ended, "the key's end")
    assert secret.split("_")[1] not in [one.key_id for one in await pair.keys.list_all()]


async def test_a_key_that_should_be_gone_is_refused_though_it_is_there(pair: Pair) -> None:
    secret = await pair.make(expires_at=datetime.now(UTC) + timedelta(seconds=0.2))
    platform = pair.one.platform
    await platform.client.call("PERSIST", platform.keys.api_key(secret.split("_")[1]))

    async def ended() -> bool:
        return await status(pair.one, secret) == 401

    await wait_until(ended, "the key's end")
    await pair.keys.revoke(secret.split("_")[1])


async def test_the_last_use_is_noted_now_and_then(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    secret, made = await pair.keys.create(subject="ann", tenant="north")

    async def last() -> datetime | None:
        found = [one.last_used_at for one in await pair.keys.list_all() if one.key_id == made.key_id]
        return found[0]

    assert await last() is None
    await status(pair.one, secret)
    first = await last()
    assert first
    assert made.created_at <= first
    await status(pair.one, secret)
    assert await last() == first
    await status(pair.one, secret[:-1] + "!")  # a wrong secret is no use of the key
    monkeypatch.setattr(records, "COARSE_US", 0)
    wrong = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    await status(pair.one, wrong)
    assert await last() == first
    await status(pair.one, secret)
    assert await last() > first  # type: ignore[operator]


# beside other ways


async def test_a_key_counts_beside_tokens(redis_url: str, issuer: Issuer) -> None:
    async with taking(redis_url, jwt_jwks_url=issuer.url) as server, server.http() as http:
        secret, _ = await server.sign_in.keys.create(subject="ann", tenant="north")
        token = signer("ES256", "ES256").sign(claims())
        assert (await call(http, secret)).status_code == 200
        assert (await call(http, token)).status_code == 200
        foreign = {"X-Api-Key": "lsv2_pt_0123456789"}  # what SDKs find in the environment
        assert (await call(http, token, **foreign)).status_code == 200
        assert is_refused(await call(http, **foreign))


async def test_under_dev_a_key_counts_only_where_it_is_sent(server: Live) -> None:
    secret, made = await server.sign_in.keys.create(subject="ann", tenant="default", roles=("x",))
    async with server.http() as http:
        body = {"assistant_id": "whoami", "input": {}}
        seen = []
        for headers in ({}, {"x-api-key": secret}, {"x-api-key": "lsv2_x"}):
            answer = (await http.post("/runs/wait", json=body, headers=headers)).json()
            seen.append(answer["user"]["langgraph_auth_user_id"])
        await server.sign_in.keys.revoke(made.key_id)
        assert is_refused(await call(http, secret))
    assert seen == ["demo", "ann", "demo"]


async def test_keys_are_the_only_things_of_theirs_that_stay(pair: Pair) -> None:
    await pair.make()
    await pair.make(expires_at=datetime.now(UTC) + timedelta(days=1))
    assert [key for key in await leaked(pair.one) if "api-key" in key] == []


async def test_many_who_call_at_once_are_all_let_in(pair: Pair) -> None:
    secret = await pair.make()
    assert set(await asyncio.gather(*(status(pair.one, secret) for _ in range(20)))) == {200}
