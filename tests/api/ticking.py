"""Crons in tests: their times come when a test wants them to."""

from dataclasses import replace

from langgraph_sdk.client import LangGraphClient

from holdfast.core import ticks
from holdfast.redis import crons, timers
from holdfast.redis.crons import CronRecord
from tests.api.wire import Json
from tests.servers import Live

TICK_MS = 1_700_000_000_000
YEARLY = "0 0 1 1 *"


async def record(server: Live, cron: Json) -> CronRecord:
    found = await crons.load(server.platform.client, server.platform.keys, cron["cron_id"])
    assert found is not None
    return found


async def make_due(server: Live, cron: Json) -> int | None:
    """Lets the time of a cron come at once; when it was to come."""
    platform, found = server.platform, await record(server, cron)
    now_ms = await timers.clock_ms(platform.client)
    assert await crons.advance(platform.client, platform.keys, replace(found, due_ms=now_ms))
    return found.due_ms


async def leave_crons(server: Live, sdk: LangGraphClient, thread_id: str, asked: Json, words: str) -> None:
    """Three crons with words in them; one is on a thread, one has had a run that has left a thread."""
    told: Json = {"input": asked, "metadata": {"about": words}, "schedule": YEARLY}
    await sdk.crons.create_for_thread(thread_id, "echo", **told)
    await sdk.crons.create("echo", **told)
    kept = await record(server, await sdk.crons.create("echo", on_run_completed="keep", **told))
    assert await ticks.start_run(server.platform, kept, TICK_MS)
    await sdk.runs.join(*(ticks.id_of_tick(kept, TICK_MS, what) for what in ("thread", "run")))


async def leave_assistant(server: Live, sdk: LangGraphClient, name: str, words: str) -> None:
    """An assistant with words in two versions; staff has a cron on it."""
    metadata: Json = {"owner": name}
    made = await sdk.assistants.create("echo", context={"say": words}, name=words, metadata=metadata)
    await sdk.assistants.update(made["assistant_id"], description=words)
    staff = server.sdk("chief", "operator")
    await staff.crons.create(made["assistant_id"], schedule=YEARLY, enabled=False)
