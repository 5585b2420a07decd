"""What a search of threads costs, beside a look at every record: `python -m bench.threads`."""

import argparse
import asyncio
import random
import statistics
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

import httpx

from holdfast.core import thread_matches
from holdfast.core.filters import fits
from holdfast.core.platform import Platform
from holdfast.redis import lua, states
from holdfast.redis.client import insist
from holdfast.redis.records import Caller
from holdfast.redis.states import Told
from holdfast.redis.thread_index import Part, index_keys, scope_of, thread_of
from holdfast.wire.threads import ThreadFilter
from tests.servers import Live, live, valkey

TENANT, STAFF = "default", Caller("chief", "default", staff=True)
OWNERS, BIG = 20_000, "backend"  # callers with a few threads each, and one with a third of all
STATUSES = ("idle",) * 85 + ("interrupted",) * 6 + ("error",) * 6 + ("busy",) * 3
SHOWN = ["thread_id", "status", "updated_at", "metadata"]
AT_ONCE = 100
AGE = timedelta(days=30)
NESTED = {"order": {"region": "north"}}
QUESTIONS: dict[str, dict[str, Any]] = {
    "all": {},
    "status, 6 % of all": {"status": "interrupted"},
    "status, 85 % of all": {"status": "idle"},
    "nested metadata, 25 %": {"metadata": NESTED},
    "nested metadata, one": {"metadata": {"order": {"number": 4711}}},
    "status 6 % and metadata 25 %": {"status": "interrupted", "metadata": NESTED},
    "status 85 % and metadata 25 %": {"status": "idle", "metadata": NESTED},
}


class Quantiles(NamedTuple):
    p50: float
    p99: float


def metadata(number: int) -> dict[str, Any]:
    return {
        "graph_id": "support",
        "assistant_id": "fe096781-5601-53d2-b2f6-0d3403f7e9ca",
        "channel": ("web", "mail", "phone")[number % 3],
        "order": {"number": number, "region": ("north", "east", "south", "west")[number % 4]},
    }


async def fill(platform: Platform, numbers: range, chance: random.Random) -> None:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with gate:
            await insist(partial(make, platform, number, chance))

    await asyncio.gather(*map(one, numbers))


async def make(platform: Platform, number: int, chance: random.Random) -> None:
    client, keys, thread_id = platform.client, platform.keys, str(uuid.uuid4())
    owner = BIG if number % 3 == 0 else f"user-{chance.randrange(OWNERS)}"
    caller = Caller(owner, TENANT)
    created_at = datetime.now(UTC) - chance.random() * AGE
    await lua.create_thread(
        client,
        keys,
        thread_id,
        caller,
        now=created_at,
        metadata=metadata(number),
        ttl_minutes=None,
        default_ttl_s=30 * 86400,
    )
    status, changed_at = chance.choice(STATUSES), created_at + chance.random() * timedelta(days=1)
    if status == "busy":
        await submit(platform, thread_id, caller)
    elif status != "idle":
        await states.note_state(
            client,
            keys,
            thread_id,
            caller,
            Told(status, {}, b"{}", b"{}"),
            mark="m",
            seq=0,
            now=changed_at,
            ttl_s=30 * 86400,
            keep_s=600,
        )


async def submit(platform: Platform, thread_id: str, caller: Caller) -> None:
    run_id, now = str(uuid.uuid4()), datetime.now(UTC)
    asked = {"run_id": run_id, "created_at": now.isoformat(), "multitask_strategy": "enqueue", "caller": "a"}
    submission = lua.Submission(thread_id, run_id, asked, caller, now, create=False, metadata={})
    await lua.submit(platform.client, platform.keys, submission)


async def quantiles(call: Callable[[], Awaitable[Any]], times: int) -> Quantiles:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        await call()
        took.append((time.perf_counter() - began) * 1000)
    took.sort()
    return Quantiles(statistics.median(took), took[min(len(took) - 1, len(took) * 99 // 100)])


async def worked(platform: Platform) -> float:
    """Processor time so far of client, server and Redis together (ms)."""
    redis = await platform.client.redis.info("cpu")
    return (time.process_time() + float(redis["used_cpu_user"]) + float(redis["used_cpu_sys"])) * 1000


async def look_at_all(platform: Platform, caller: Caller) -> int:
    """What there was before: every record of the caller's read, and compared here."""
    found, wanted = [], ThreadFilter(status="interrupted")
    for lane in range(platform.keys.lanes):
        part = Part(platform.client, platform.keys, lane, scope_of(caller.tenant, caller.owner_filter))
        async for entries in part.every():
            for start in range(0, len(entries), AT_ONCE):
                ids = list(map(thread_of, entries[start : start + AT_ONCE]))
                records = await thread_matches.read_all(platform, caller, ids)
                found += [one for one in records if fits(one, wanted)]
    found.sort(key=lambda thread: thread.created_at, reverse=True)
    return len(found)


async def ask(http: httpx.AsyncClient, question: dict[str, Any]) -> int:
    reply = await http.post("/threads/search", json={"select": SHOWN, **question})
    reply.raise_for_status()
    return int(reply.headers["X-Pagination-Total"])


async def measure_searches(server: Live, times: int) -> None:
    callers = {"staff": ("chief", "operator"), "big owner": (BIG,), "owner": ("user-7",)}
    figures = f"{'found':>7}{'p50, ms':>9}{'p99, ms':>9}{'CPU, ms':>9}{'ratio':>7}"
    say(f"{'search':31}{'caller':11}{'sort':11}{figures}")
    for who, (subject, *roles) in callers.items():
        caller = Caller(subject, TENANT, staff=bool(roles))
        scan = (await quantiles(partial(look_at_all, server.platform, caller), 1)).p50
        say(f"{'every record read':31}{who:11}{'':18}{scan:9.0f}")
        async with server.http(subject, *roles) as http:
            for name, question in QUESTIONS.items():
                for sort in ("created_at", "updated_at"):
                    asked = {**question, "sort_by": sort}
                    found, began = await ask(http, asked), await worked(server.platform)
                    took = await quantiles(partial(ask, http, asked), times)
                    cpu = (await worked(server.platform) - began) / times
                    figures = f"{found:7}{took.p50:9.2f}{took.p99:9.2f}{cpu:9.2f}{scan / took.p50:6.0f}x"
                    say(f"{name:31}{who:11}{sort:11}{figures}")


async def measure_create(server: Live, threads: int, times: int) -> None:
    async with server.http("chief", "operator") as http:
        body = {"metadata": metadata(1)}
        took = await quantiles(lambda: http.post("/threads", json=body), times)
    say(f"create at {threads:7,} threads: p50 {took.p50:.2f} ms, p99 {took.p99:.2f} ms")


async def measure_memory(platform: Platform, threads: int) -> None:
    used = 0
    for key in index_keys(platform.keys, "", TENANT):
        used += await platform.client.call("MEMORY", "USAGE", key, "SAMPLES", 1000)
    say(f"index, bytes of Redis a thread: {used / threads:.0f}")


async def measure(threads: int, times: int) -> None:
    chance = random.Random(1)
    with valkey() as url:
        async with live(url, worker=False, max_runs_of_tenant=0, max_runs_of_caller=0) as server:
            few = threads // 100
            await fill(server.platform, range(few), chance)
            await measure_create(server, few, times)
            await fill(server.platform, range(few, threads), chance)
            await measure_create(server, threads, times)
            await measure_memory(server.platform, threads)
            await measure_searches(server, times)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=200)
    asked = parser.parse_args()
    asyncio.run(measure(asked.threads, asked.times))


if __name__ == "__main__":
    main()
