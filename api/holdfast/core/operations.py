"""A server at work, in one cheap look: what waits and runs, who works on it, how Redis does."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

from holdfast.core import activity
from holdfast.core.activity import check_staff
from holdfast.core.platform import Platform
from holdfast.redis import approvals, checks, failures, stats
from holdfast.redis.activity import Lane, lanes
from holdfast.redis.records import Caller
from holdfast.wire.operations import ApprovalsOpen, LaneDepth, Operations, RedisLoad, RunStanding, WorkerSeen

RUNS = 20  # that are shown


async def read(platform: Platform, caller: Caller, streams: int) -> Operations:
    """Raises `Forbidden` for who is not staff. Shows the runs that were taken up first."""
    check_staff(caller)
    client, keys, tenant = platform.client, platform.keys, caller.tenant
    caller = await platform.rules.admit(caller, "threads", "search", {"metadata": {}})
    (total, running), failed, given_up, waiting = await asyncio.gather(
        stats.read_active(client, keys, tenant),
        failures.count(client, keys, tenant, "failed"),
        failures.count(client, keys, tenant, "given_up"),
        approvals.read_due(client, keys, tenant),
    )
    depths, load, at_work = await asyncio.gather(
        lanes(client, keys), checks.read_load(client), first_running(platform, caller)
    )
    return Operations(
        at=datetime.now(UTC),
        queued=max(0, total - running),
        running=running,
        failed=failed,
        given_up=given_up,
        approvals=ApprovalsOpen.model_validate(waiting._asdict()),
        streams=streams,
        lanes=[describe_lane(number, depth) for number, depth in enumerate(depths)],
        workers=workers(depths),
        redis=RedisLoad.model_validate(load._asdict()),
        runs=at_work,
    )


async def first_running(platform: Platform, caller: Caller) -> list[RunStanding]:
    """Those that a worker has, the oldest first."""
    lanes = range(platform.keys.lanes)
    found = await asyncio.gather(*(activity.held(platform, caller, lane, RUNS) for lane in lanes))
    runs = [run for of_lane in found for run in of_lane]
    return sorted(runs, key=lambda run: run.started_at or run.created_at)[:RUNS]


def describe_lane(number: int, depth: Lane) -> LaneDepth:
    told = {name: getattr(depth, name) for name in LaneDepth.model_fields if name != "lane"}
    return LaneDepth(lane=number, **told)


def workers(depths: list[Lane]) -> list[WorkerSeen]:
    """Each once, however many lanes it works on."""
    runs, silent = Counter[str](), dict[str, int]()
    for consumer in (one for lane in depths for one in lane.consumers):
        runs[consumer.name] += consumer.held
        silent[consumer.name] = min(consumer.silent_ms, silent.get(consumer.name, consumer.silent_ms))
    return [WorkerSeen(name=name, runs=runs[name], silent_ms=silent[name]) for name in sorted(silent)]
