"""Whether a process lives and is ready, and why not: told also while its event loop is blocked."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from redis.asyncio import Redis

from holdfast.cli import monitoring
from holdfast.core import health
from holdfast.errors import StartError
from holdfast.telemetry.server import serving
from tests.telemetry.conftest import Watched, watched
from tests.waiting import wait_until


async def test_a_process_that_is_well_says_what_it_looked_at(holdfast: Watched) -> None:
    answer = await holdfast.get("/readyz")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    told = answer.json()
    assert told.keys() == {"ok", "checks"}
    assert [check["name"] for check in told["checks"]] == ["process", "redis", "memory", "worker", "loop"]
    assert all(check["ok"] and check["detail"].endswith(".") for check in told["checks"])
    assert (await holdfast.get("/livez")).status_code == 200
    assert (await holdfast.get("/threads")).status_code == 404


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/nothing"])
async def test_a_probe_may_ask_for_the_head_alone(holdfast: Watched, path: str) -> None:
    async with httpx.AsyncClient() as http:
        asked = await http.head(f"http://127.0.0.1:{holdfast.port}{path}")
    whole = await holdfast.get(path)
    assert (asked.status_code, asked.content) == (whole.status_code, b"")
    assert asked.headers["content-type"] == whole.headers["content-type"]


async def test_a_process_that_stops_is_not_ready(holdfast: Watched) -> None:
    holdfast.stopping = True
    try:
        told = (await holdfast.get("/readyz")).json()
    finally:
        holdfast.stopping = False
    assert (told["ok"], told["reason"], told["code"]) == (False, "stopping", "unavailable")
    assert told["detail"] == "This process is stopping: ask another one."


async def test_a_server_that_may_evict_makes_unready(
    holdfast: Watched, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "POLICY_AGAIN_S", 0.0)
    async with Redis.from_url(redis_url) as redis, holdfast.server.http() as http:
        assert (await http.get("/readyz")).status_code == 200
        await redis.config_set("maxmemory-policy", "allkeys-lru")
        try:
            told = await asyncio.gather(holdfast.get("/readyz"), http.get("/readyz"))
        finally:
            await redis.config_set("maxmemory-policy", "noeviction")
        assert {answer.status_code for answer in told} == {503}
        assert {answer.json()["reason"] for answer in told} == {"evicting"}
        assert told[1].headers["Retry-After"] == "1"
        assert "set it to noeviction" in told[0].json()["detail"]
        assert (await holdfast.get("/readyz")).status_code == 200


def test_a_worker_with_a_part_that_ended_is_said() -> None:
    assert health.worker(working=False).reason == "worker"


async def test_a_loop_that_is_blocked_is_not_ready_but_alive(holdfast: Watched) -> None:
    ready, alive = blocked_until_answered(holdfast, "/readyz"), blocked_until_answered(holdfast, "/livez")
    assert (ready.status_code, ready.json()["reason"]) == (503, "blocked")
    assert "has not turned for" in ready.json()["detail"]
    assert alive.status_code == 200, "no lease is lost yet"


async def test_a_loop_that_is_blocked_for_long_is_not_alive(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitoring, "BLOCKED_LEASES", 1)
    async with watched(redis_url, worker=False, lease_s=0.5) as one:
        alive = blocked_until_answered(one, "/livez")
        assert (alive.status_code, alive.json()["reason"]) == (503, "blocked")

        async def is_alive() -> bool:
            return (await one.get("/livez")).status_code == 200

        await wait_until(is_alive, "the loop is seen to run")


def blocked_until_answered(one: Watched, path: str) -> httpx.Response:
    """The answer to a probe that comes while the loop, on which this is called, does nothing else."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(httpx.get, f"http://127.0.0.1:{one.port}{path}", timeout=10).result()


async def test_a_port_that_is_taken_is_said_at_the_start(holdfast: Watched) -> None:
    with pytest.raises(StartError, match="HOLDFAST_METRICS_PORT"):
        async with serving("127.0.0.1", holdfast.port, {}):
            pass
