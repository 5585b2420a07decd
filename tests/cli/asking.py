"""Commands that ask a server, run in this process as a member of staff."""

import asyncio
from typing import Any

from typer.testing import CliRunner

from holdfast.cli.commands import app
from holdfast.core.platform import Platform
from holdfast.redis import timers
from tests.servers import Live, said


async def say(server: Live, *words: str, who: str = "kim", roles: tuple[str, ...] = ("operator",)) -> str:
    """What `holdfast ...` prints for a caller. Raises `StartError` for what is refused."""
    token = server.authenticator.sign(who, roles)
    runner = CliRunner(env={"COLUMNS": "80", "HOLDFAST_URL": server.url, "HOLDFAST_TOKEN": token})
    result = await asyncio.to_thread(runner.invoke, app, list(words))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


async def later(server: Live, graph: str = "echo", **given: Any) -> tuple[str, str]:
    """A run that does not begin by itself: its thread and itself."""
    sdk = server.sdk("ann")
    thread_id = (await sdk.threads.create())["thread_id"]
    asked: Any = {**said("hi"), **given}
    run = await sdk.runs.create(thread_id, graph, input=asked, after_seconds=3600)
    return thread_id, run["run_id"]


async def begin(platform: Platform, thread_id: str, run_id: str) -> None:
    """Makes the time come of a run that was to begin later."""
    client, keys = platform.client, platform.keys
    await timers.set_timer(client, keys, keys.lane(thread_id), "run", f"{thread_id}\x1f{run_id}", 1)


async def exhaust(platform: Platform, thread_id: str, run_id: str) -> None:
    """Leaves a run as workers do that have died of it as often as may be."""
    most = platform.settings.max_attempts
    await platform.client.call("HSET", platform.keys.runs(thread_id), f"{run_id}:failures", most)


async def given_up(server: Live, graph: str = "echo") -> tuple[str, str]:
    """A run whose workers have died, as often as may be: its thread and itself."""
    thread_id, run_id = await later(server, graph)
    await exhaust(server.platform, thread_id, run_id)
    await begin(server.platform, thread_id, run_id)
    values: Any = await server.sdk("ann").runs.join(thread_id, run_id)
    assert values["__error__"]["error"] == "RunPoisoned"
    return thread_id, run_id


async def failed(server: Live, graph: str = "fail", **given: Any) -> tuple[str, str]:
    """A run that a node of its graph has failed: its thread and itself."""
    sdk = server.sdk("ann")
    thread_id = (await sdk.threads.create())["thread_id"]
    run = await sdk.runs.create(thread_id, graph, input={**said("hi"), **given})
    await sdk.runs.join(thread_id, run["run_id"])
    return thread_id, run["run_id"]
