from collections.abc import Callable

import httpx
import pytest

from tests.project.conftest import Front

IDENTITY = [
    "Forwarded",
    "Remote-User",
    "Remote-Groups",
    "Remote-Email",
    "Remote-Name",
    "X-Remote-User",
    "X-Remote-Groups",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Tenant",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Access-Token",
    "X-Forwarded-Client-Cert",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "X-Auth-Request-Groups",
    "X-Auth-Request-Access-Token",
]


@pytest.mark.parametrize("spelled", [str, str.lower, lambda name: name.replace("-", "_")])
async def test_nobody_outside_can_say_who_he_is(front: Front, spelled: Callable[[str], str]) -> None:
    sent = {spelled(name): "mallory" for name in (*IDENTITY, "X-Forwarded-For", "X-Real-IP")}
    reply = (await front.client.get("/", headers={**sent, "Authorization": "Bearer t"})).json()
    assert "mallory" not in reply["headers"].values()
    assert reply["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert reply["headers"]["authorization"] == "bearer t"


async def test_a_stream_arrives_while_it_is_being_spoken(front: Front) -> None:
    async with front.client.stream("GET", "/stream") as response:
        lines = response.aiter_lines()
        assert await anext(lines) == "data: 1"
        for replica in front.replicas:
            assert not replica.speak_on.is_set()
            replica.speak_on.set()
        assert [line async for line in lines if line] == ["data: 2"]


async def test_no_replica_is_sticky_and_connections_to_them_stay_open(front: Front) -> None:
    replies = [(await front.client.get("/")).json() for _ in range(60)]
    assert {reply["replica"] for reply in replies} == {"api1", "api2"}
    assert {reply["headers"].get("connection") for reply in replies} == {None}
    assert sum(replica.connections for replica in front.replicas) < 60


async def test_a_dead_replica_is_passed_over(front: Front) -> None:
    front.servers[0].close()
    replies = [(await front.client.get("/")).json() for _ in range(10)]
    assert {reply["replica"] for reply in replies} == {"api2"}


async def test_a_request_that_may_have_been_carried_out_is_not_sent_again(front: Front) -> None:
    response = await front.client.post("/die", content=b"")
    assert response.status_code == 502
    assert sum(replica.requests for replica in front.replicas) == 1


async def test_the_path_arrives_byte_for_byte(front: Front) -> None:
    assert (await front.client.get("/threads/%2e%2e/a%2Fb?x=%20")).json()[
        "path"
    ] == "/threads/%2e%2e/a%2Fb?x=%20"


async def test_plain_http_is_sent_to_tls_with_its_method(front: Front) -> None:
    async with httpx.AsyncClient() as client:
        response = await client.post(f"{front.http_url}/chat?a=1")
    assert (response.status_code, response.headers["location"]) == (308, "https://localhost/chat?a=1")
