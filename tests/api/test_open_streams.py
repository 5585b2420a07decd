"""How many streams callers and tenants may have open."""

import signal
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from holdfast.limits.streams import LEASE_S
from holdfast.redis.client import Client
from tests.api.limited import replicas, someone
from tests.api.protocols import new_id
from tests.servers import SERVED, Live, end, free_port, holdfast, said, wait_ready
from tests.waiting import wait_until

CHANNELS = {"channels": ["values"]}


def events(thread_id: str) -> str:
    return f"/threads/{thread_id}/stream/events"


@asynccontextmanager
async def opened(http: httpx.AsyncClient) -> AsyncIterator[httpx.Response]:
    async with http.stream("POST", events(new_id()), json=CHANNELS) as response:
        yield response


async def refused(http: httpx.AsyncClient) -> httpx.Response:
    async with opened(http) as response:
        await response.aread()
    assert response.status_code == 429, response.text
    assert response.headers["Retry-After"] == "1"
    assert response.json()["code"] == "too_many_streams"
    return response


async def lets_in(http: httpx.AsyncClient) -> None:
    async def let_in() -> bool:
        async with opened(http) as response:
            return response.status_code == 200

    await wait_until(let_in, "a stream is let in", LEASE_S / 3)


async def pass_time(client: Client, key: str, seconds: float, *streams: bytes) -> None:
    for stream in streams or await client.call("ZRANGE", key, 0, -1):
        await client.call("ZINCRBY", key, -1000 * seconds, stream)


async def left(client: Client, key: str) -> float:
    """For how many seconds the lease is good that ends first."""
    [_, ends] = await client.call("ZRANGE", key, 0, 0, "WITHSCORES")
    seconds, microseconds = await client.call("TIME")
    return float(ends) / 1000 - int(seconds) - int(microseconds) / 1e6


async def nothing_is_counted(server: Live) -> None:
    async def empty() -> bool:
        return not [
            key
            async for key in server.platform.client.redis.scan_iter(
                f"{server.platform.keys.prefix}:*streams*"
            )
        ]

    await wait_until(empty, "no key of streams is left", LEASE_S / 3)


async def test_a_caller_has_so_many_open_over_all_replicas(redis_url: str) -> None:
    async with (
        replicas(redis_url, max_streams_of_caller=3) as [one, other],
        someone(one, "me") as here,
        someone(other, "me") as there,
        someone(other, "you") as foreign,
        AsyncExitStack() as stack,
    ):
        first = await stack.enter_async_context(AsyncExitStack())
        await first.enter_async_context(opened(here))
        for http in (there, here):
            assert (await stack.enter_async_context(opened(http))).status_code == 200
        for http in (here, there):
            detail = (await refused(http)).json()["detail"]
            assert detail == "At most 3 streams of a caller may be open at once: close one first."
        assert (await stack.enter_async_context(opened(foreign))).status_code == 200
        await first.aclose()
        await lets_in(there)
        await stack.aclose()
        await nothing_is_counted(one)


async def test_a_tenant_has_so_many_open(redis_url: str) -> None:
    async with (
        replicas(redis_url, 1, max_streams_of_tenant=2, max_streams_of_caller=2) as [server],
        someone(server, "a", "acme") as a,
        someone(server, "b", "acme") as b,
        someone(server, "b", "umbrella") as foreign,
        opened(a),
        opened(b),
        opened(foreign) as let_in,
    ):
        assert let_in.status_code == 200
        assert (await refused(a)).json()["detail"].startswith("At most 2 streams of a tenant")


async def test_every_door_that_streams_is_counted_and_nothing_begins_behind_a_closed_one(
    redis_url: str,
) -> None:
    run = {"assistant_id": "echo", "input": said("hi")}
    async with (
        replicas(redis_url, 1, max_streams_of_caller=1) as [server],
        someone(server, "me") as http,
    ):
        thread_id = (await http.post("/threads", json={})).json()["thread_id"]
        run_id = (await http.post(f"/threads/{thread_id}/runs", json=run)).json()["run_id"]
        doors = [
            ("POST", "/runs/stream", run),
            ("POST", f"/threads/{thread_id}/runs/stream", run),
            ("GET", f"/threads/{thread_id}/runs/{run_id}/stream", None),
            ("GET", f"/threads/{thread_id}/stream", None),
            ("POST", "/chat/stream", {"message": "hi"}),
            ("POST", events(thread_id), CHANNELS),
        ]
        before = await server.platform.client.call("HGETALL", server.platform.keys.queued(0))
        async with opened(http):
            for method, path, body in doors:
                answer = await http.request(method, path, json=body)
                assert answer.json()["code"] == "too_many_streams", path
        assert await server.platform.client.call("HGETALL", server.platform.keys.queued(0)) == before
        for method, path, body in doors:
            await lets_in(http)
            async with http.stream(method, path, json=body) as answer:
                assert answer.status_code == 200
                await refused(http)


async def test_a_stream_that_does_not_come_about_is_not_counted(redis_url: str) -> None:
    async with (
        replicas(redis_url, 1, max_streams_of_caller=1) as [server],
        someone(server, "me") as http,
    ):
        for body in (b'{"channels": []}', b"{}", b"[]", b'{"channels": ["values"], "since": -1}'):
            assert (await http.post(events(new_id()), content=body)).status_code == 400
        for _ in range(3):
            path = f"/threads/{new_id()}/runs/stream"
            assert (await http.post(path, json={"assistant_id": "echo"})).status_code == 404
            assert (await http.post(path, json={"assistant_id": 5})).status_code == 422
        await lets_in(http)
        await nothing_is_counted(server)


async def test_a_replica_keeps_its_streams_counted_also_when_redis_has_forgotten_them(redis_url: str) -> None:
    async with (
        replicas(redis_url, 1, max_streams_of_caller=2, max_streams_of_tenant=2) as [server],
        someone(server, "me") as http,
        AsyncExitStack() as stack,
    ):
        for _ in range(2):
            await stack.enter_async_context(opened(http))
        client, keys = server.platform.client, server.platform.keys
        mine, ours = keys.streams("default", "me"), keys.streams("default")
        for key in (mine, ours):
            await pass_time(client, key, LEASE_S - 1)
        await client.call("DEL", ours)

        async def renewed() -> bool:
            return [await client.call("ZCARD", key) for key in (mine, ours)] == [2, 2] and min(
                [await left(client, key) for key in (mine, ours)]
            ) > LEASE_S - 2

        await wait_until(renewed, "both leases are renewed")
        await refused(http)
        await stack.aclose()
        await nothing_is_counted(server)


async def test_what_a_killed_replica_had_open_counts_until_its_leases_have_run_out(redis_url: str) -> None:
    prefix, port = f"t{uuid.uuid4().hex[:8]}", free_port()
    environment = {
        "REDIS_URL": redis_url,
        "HOLDFAST_PREFIX": prefix,
        "HOLDFAST_MAX_STREAMS_OF_CALLER": "3",
        "HOLDFAST_MAX_STREAMS_OF_TENANT": "3",
    }
    url = f"http://127.0.0.1:{port}"
    async with (
        holdfast("serve", "--config", str(SERVED), "--port", str(port), **environment) as process,
        replicas(redis_url, 1, prefix=prefix, max_streams_of_caller=3, max_streams_of_tenant=3) as [server],
        server.http() as survivor,
    ):
        await wait_ready(url)
        client, keys = server.platform.client, server.platform.keys
        counts = [keys.streams("default", "demo"), keys.streams("default")]
        async with httpx.AsyncClient(base_url=url) as http, opened(http), opened(http):
            lost = await client.call("ZRANGE", counts[0], 0, -1)
            process.send_signal(signal.SIGKILL)
            await end(process)
        for key in counts:
            assert 0 < await client.call("PTTL", key) <= LEASE_S * 1000
        async with opened(survivor):
            await refused(survivor)
            for key in counts:
                await pass_time(client, key, LEASE_S - 1, *lost)
            await refused(survivor)
            for key in counts:
                await pass_time(client, key, 1, *lost)
            await lets_in(survivor)
        await nothing_is_counted(server)
