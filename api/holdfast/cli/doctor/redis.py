"""The Redis that keeps everything: what it is, what it would do with what it keeps, whose it is."""

import time

from holdfast.cli.doctor.findings import Finding, asked, fail, judged, ok, warn
from holdfast.cli.top import size
from holdfast.redis import migrations
from holdfast.redis.checks import (
    Info,
    ask_servers,
    check_lanes,
    check_policy,
    check_url,
    check_version,
    shown,
)
from holdfast.redis.client import Client, connect
from holdfast.redis.embedded import running_on
from holdfast.redis.keys import Keys
from holdfast.redis.timers import clock_ms
from holdfast.settings import Settings

FULL = 0.9  # of the memory that it may use
SKEW_S, WRONG_S = 1.0, 30.0
SLOW_MS = 5.0
PINGS = 11


async def examine(settings: Settings) -> list[Finding]:
    url = settings.redis_url or running_on(settings.data)
    if url is None:
        none = f"none runs on {settings.data}: `holdfast dev` starts one of its own, or set REDIS_URL"
        return [ok("redis", none)]
    return await asked("redis", lambda: examine_server(settings, url))


async def examine_server(settings: Settings, url: str) -> list[Finding]:
    check_url(url)
    async with connect(url) as client:
        found = await ask_servers(client, url)
        keys = Keys(settings.prefix, settings.lanes)
        return [
            *(finding for info in found for finding in examine_master(settings, url, info)),
            await examine_answers(client),
            await examine_clock(client),
            *await examine_installation(client, keys),
        ]


def examine_master(settings: Settings, url: str, info: Info) -> list[Finding]:
    return [
        judged("redis", lambda: f"{check_version(info)} at {shown(url)}"),
        judged("eviction", lambda: check_policy(info, allow_eviction=settings.allow_eviction)),
        examine_persistence(info),
        examine_memory(info),
    ]


def examine_persistence(info: Info) -> Finding:
    if info.get("role") == "slave":
        return fail("persistence", "This server is a replica: name its master in REDIS_URL.")
    if "err" in (info.get("aof_last_write_status"), info.get("rdb_last_bgsave_status")):
        return fail("persistence", "Its last save failed: see its log, and whether its disk is full.")
    if not info.get("aof_enabled"):
        return warn("persistence", "Redis keeps nothing over a restart: set appendonly yes.")
    return ok("persistence", "appendonly yes")


def examine_memory(info: Info) -> Finding:
    used, most = info["used_memory"], info.get("maxmemory") or info.get("total_system_memory") or 0
    told = f"{size(used)} of {size(most)}"
    if most and used > FULL * most:
        return warn("memory", f"It is nearly full, {told}: give it more, or keep threads for a shorter time.")
    return ok("memory", told)


async def examine_answers(client: Client) -> Finding:
    times = []
    for _ in range(PINGS):
        asked_at = time.perf_counter()
        await client.call("PING")
        times.append((time.perf_counter() - asked_at) * 1000)
    median = sorted(times)[PINGS // 2]
    if median > SLOW_MS:
        return warn("answers", f"It takes {median:.1f} ms to answer: put Redis near the processes.")
    return ok("answers", f"in {median:.2f} ms")


async def examine_clock(client: Client) -> Finding:
    before = time.time()
    server_s = await clock_ms(client) / 1000
    skew_s = server_s - (before + time.time()) / 2
    if abs(skew_s) > SKEW_S:
        level = fail if abs(skew_s) > WRONG_S else warn
        return level(
            "clock",
            f"The clock of Redis is {skew_s:+.1f} s off this machine's: crons and expiry go by the one, "
            "tokens by the other; run NTP on both.",
        )
    return ok("clock", f"{skew_s:+.2f} s to Redis")


async def examine_installation(client: Client, keys: Keys) -> list[Finding]:
    lanes = await client.call("HGET", keys.installation(), "lanes")
    if lanes is None:
        return [ok("installation", f"{keys.prefix} is a new one, of {keys.lanes} lanes")]
    found = await migrations.read(client, keys)
    return [
        judged("lanes", lambda: tell_lanes(int(lanes), keys)),
        judged("records", lambda: tell_records(found)),
    ]


def tell_lanes(lanes: int, keys: Keys) -> str:
    check_lanes(lanes, keys)
    return f"{lanes}, as stored"


def tell_records(found: migrations.Records) -> str:
    """Raises `StartError`."""
    migrations.check(found)
    if found.version < migrations.VERSION:
        return f"version {found.version}: the next start brings them up to {migrations.VERSION}"
    if found.version > migrations.VERSION:
        return f"version {found.version}, which this one can read with its {migrations.VERSION}"
    return f"version {found.version}"
