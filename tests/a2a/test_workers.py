"""A task outlives its worker, and no worker needs what speaks the protocol."""

import asyncio
import sys
from textwrap import dedent

import pytest

from tests.a2a.agents import agent, heard, states, text
from tests.servers import ROOT, SERVED, clean_environment, holdfast, live

WORDS = " ".join(f"word{number}" for number in range(200))


@pytest.mark.timeout(120)
async def test_a_killed_worker_leaves_the_task_going_on(redis_url: str) -> None:
    async with live(redis_url, worker=False) as server:
        environment = {
            "REDIS_URL": redis_url,
            "HOLDFAST_PREFIX": server.platform.keys.prefix,
            "HOLDFAST_LEASE_S": "1",
        }
        command = ("worker", "--config", str(SERVED))
        async with (
            agent(server.url, "recite", streaming=True) as other,
            holdfast(*command, **environment) as first,
        ):
            told = []
            async for one in other.stream(text("200")):
                told.append(one)
                if "artifactUpdate" in one and first.returncode is None:
                    first.kill()
                    await first.wait()
                    going_on = asyncio.create_task(succeed(command, environment))
            going_on.cancel()
            await asyncio.gather(going_on, return_exceptions=True)
            assert heard(told) == WORDS
            assert states(told)[-1] == "completed"
            task = next(one["task"] for one in told if "task" in one)
            assert [len(one["artifacts"]) for one in [await other.get(task)]] == [1]


async def succeed(command: tuple[str, ...], environment: dict[str, str]) -> None:
    """Another worker, until it is cancelled."""
    async with holdfast(*command, **environment):
        await asyncio.Event().wait()


PROGRAM = dedent(
    """
    import sys
    from importlib import import_module

    for module in ("cli.serving", "worker", "core.webhooks.courier", "app"):
        import_module(f"holdfast.{module}")
    # Where OpenTelemetry is installed, FastAPI, redis-py and LangSmith load other parts of it by themselves.
    parts = ("a2a", "google", "mcp", "holdfast.telemetry.otel", "opentelemetry.exporter")
    print(*(name for name in parts if name in sys.modules))
    """
)


async def test_neither_worker_nor_server_loads_an_extra_before_it_is_used() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, cwd=ROOT, env=clean_environment(), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert (process.returncode, said.decode().strip()) == (0, "")


async def test_without_the_extra_there_is_no_such_door(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "a2a", None)
    async with live(redis_url, worker=False) as server, server.http() as http:
        for path in ("/.well-known/agent-card.json", "/a2a/echo/.well-known/agent-card.json"):
            assert (await http.get(path)).status_code == 404
        assert (await http.post("/a2a/echo", json={})).status_code == 404
        assert (await http.get("/ok")).status_code == 200
