"""How often callers and tenants may ask."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import httpx
import pytest

from tests.api.limited import replicas, someone
from tests.api.protocols import new_id
from tests.waiting import wait_until

ASK = "/threads/count"


@dataclass
class Asker:
    """Asks at a steady rate, of one replica after the other, whether or not there are answers."""

    clients: list[httpx.AsyncClient]
    a_second: float
    answers: list[httpx.Response] = field(default_factory=list)
    first_answer: float = 0.0
    shortest_s: float = 0.0  # from the first answer to the last question
    longest_s: float = 0.0  # from the first question to the last answer

    @property
    def let_in(self) -> int:
        return sum(answer.status_code == 200 for answer in self.answers)

    async def ask(self, seconds: float) -> None:
        first = last = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(round(seconds * self.a_second)):
                await asyncio.sleep(first + number / self.a_second - time.monotonic())
                last = time.monotonic()
                group.create_task(self._ask_once(self.clients[number % len(self.clients)]))
        self.shortest_s, self.longest_s = last - self.first_answer, time.monotonic() - first

    async def _ask_once(self, client: httpx.AsyncClient) -> None:
        self.answers.append(await client.post(ASK, json={}))
        self.first_answer = self.first_answer or time.monotonic()


async def test_limits_hold_over_replicas_and_harm_nobody_else(redis_url: str) -> None:
    rate, burst = 4.0, 8
    async with (
        replicas(redis_url, rate_of_caller=rate, burst_of_caller=burst) as servers,
        AsyncExitStack() as stack,
    ):

        async def asker(subject: str, a_second: float) -> Asker:
            clients = [await stack.enter_async_context(someone(one, subject)) for one in servers]
            return Asker(clients, a_second)

        greedy = [await asker(f"greedy {n}", 10 * rate) for n in range(3)]
        modest = [await asker(f"modest {n}", 0.9 * rate) for n in range(3)]
        await asyncio.gather(*(one.ask(4) for one in [*greedy, *modest]))
    for one in greedy:
        assert burst + rate * one.shortest_s - 1 <= one.let_in <= burst + rate * one.longest_s
        assert {answer.status_code for answer in one.answers} == {200, 429}
    for one in modest:
        assert one.let_in == len(one.answers)


async def test_a_refusal_says_which_limit_and_when_to_come_again(redis_url: str) -> None:
    async with (
        replicas(redis_url, 1, rate_of_caller=2, burst_of_caller=3) as [server],
        someone(server, "me") as http,
    ):
        for _ in range(3):
            assert (await http.post(ASK, json={})).status_code == 200
        refused, at = await http.post(ASK, json={}), time.monotonic()
        assert refused.status_code == 429
        assert refused.headers["Retry-After"] == "1"
        assert refused.json() == {
            "detail": "A caller may make 2 requests a second, and 3 at once after a pause: try again in 1 s.",
            "code": "rate_limited",
        }

        async def let_in() -> bool:
            return (await http.post(ASK, json={})).status_code == 200

        await wait_until(let_in, "a request is let in")
        assert time.monotonic() - at < 1.5


async def test_a_long_wait_is_rounded_up(redis_url: str) -> None:
    async with replicas(redis_url, 1, rate_of_caller=0.05) as [server], someone(server, "me") as http:
        assert (await http.post(ASK, json={})).status_code == 200
        refused = await http.post(ASK, json={})
        assert refused.headers["Retry-After"] == "20"
        assert "try again in 20 s" in refused.json()["detail"]


async def test_a_tenant_has_a_limit_of_its_own(redis_url: str) -> None:
    async with (
        replicas(redis_url, rate_of_tenant=0.01, burst_of_tenant=5) as [one, other],
        someone(one, "a", "acme") as first,
        someone(other, "b", "acme") as second,
        someone(other, "a", "umbrella") as foreign,
    ):
        answers = [await client.post(ASK, json={}) for client in [first, second] * 4]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 3
        assert (
            answers[-1].json()["detail"].startswith("A tenant may make 0.01 requests a second, and 5 at once")
        )
        assert (await foreign.post(ASK, json={})).status_code == 200


async def test_a_caller_who_does_not_let_up_costs_redis_nothing(redis_url: str) -> None:
    async with replicas(redis_url, 1, rate_of_caller=0.01) as [server], someone(server, "me") as http:
        await http.post(ASK, json={})
        await http.post(ASK, json={})
        redis = server.platform.client.redis
        key = server.platform.keys.rate("default", "me")
        await redis.delete(key)
        assert [(await http.post(ASK, json={})).status_code for _ in range(5)] == [429] * 5
        assert not await redis.exists(key)


async def test_what_is_malformed_counts_too(redis_url: str) -> None:
    bodies = (b"{bad", b"[" * 100_000, b'{"limit": 0}', b"x" * 9_000_000)
    for path in ("/threads/search", f"/threads/{new_id()}/commands", "/threads/not-an-id/runs"):
        async with (
            replicas(redis_url, 1, rate_of_caller=0.01, burst_of_caller=len(bodies)) as [server],
            someone(server, "me") as http,
        ):
            for body in bodies:
                assert (await http.post(path, content=body)).status_code in (400, 413, 422)
            assert (await http.post(ASK, json={})).status_code == 429


async def test_what_is_open_is_not_limited(redis_url: str) -> None:
    paths = ("/ok", "/", "/livez", "/readyz", "/info", "/ui", "/ui/chat/page.js")
    async with replicas(redis_url, 1, rate_of_caller=0.01) as [server], someone(server, "demo") as http:
        for _ in range(3):
            for path in paths:
                assert (await http.get(path)).status_code == 200
        assert (await http.post(ASK, json={})).status_code == 200


async def test_a_command_is_refused_in_its_reply(redis_url: str) -> None:
    async with replicas(redis_url, 1, rate_of_caller=0.01) as [server], someone(server, "me") as http:
        path, body = (
            f"/threads/{new_id()}/commands",
            {"id": 7, "method": "run.start", "params": {"assistant_id": "echo"}},
        )
        assert (await http.post(path, json=body)).json()["type"] == "success"
        refused = await http.post(path, json={**body, "id": 8})
    assert refused.status_code == 200
    reply = refused.json()
    assert (reply["type"], reply["id"], reply["error"]) == ("error", 8, "rate_limited")
    assert reply["message"].endswith("try again in 100 s.")


@pytest.mark.parametrize("settings", [{}, {"rate_of_caller": 0, "rate_of_tenant": 0}])
async def test_without_a_rate_nothing_is_counted(redis_url: str, settings: dict[str, float]) -> None:
    async with replicas(redis_url, 1, **settings) as [server], someone(server, "me") as http:
        for _ in range(50):
            assert (await http.post(ASK, json={})).status_code == 200
        keys = server.platform.keys
        assert not await server.platform.client.call(
            "EXISTS", keys.rate("default"), keys.rate("default", "me")
        )
