"""Figures for people who run it: what a tenant has going on, and what happened on each of the last days."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

from holdfast.core.platform import Platform
from holdfast.errors import Forbidden
from holdfast.redis import approvals, stats
from holdfast.redis.records import Caller
from holdfast.redis.stats import AGES, OLDER, percentile
from holdfast.wire.stats import Day, Decisions, Now, Ratings, Runs, Stats, Times, Total, Waiting

NOT_STAFF = "These figures are for staff."


async def read(platform: Platform, caller: Caller, days: int) -> Stats:
    """Raises `Forbidden` for who is not staff."""
    if not caller.staff:
        raise Forbidden(NOT_STAFF)
    wanted = stats.last_days(days)
    counted, now = await asyncio.gather(
        stats.read_days(platform.client, platform.keys, caller.tenant, wanted),
        read_now(platform, caller.tenant),
    )
    told = [Day(day=day, **dict(figures(counts))) for day, counts in zip(wanted, counted, strict=True)]
    return Stats(at=datetime.now(UTC), now=now, total=figures(sum(counted, Counter())), days=told)


async def read_now(platform: Platform, tenant: str) -> Now:
    client, keys = platform.client, platform.keys
    active, running = await stats.read_active(client, keys, tenant)
    now, waiting = datetime.now(UTC), Counter[str]()
    async for approval in approvals.every(client, keys, tenant, opened=True, closed=False):
        waiting[age(now - datetime.fromisoformat(approval.card["created_at"]))] += 1
    return Now(queued=max(0, active - running), running=running, waiting=Waiting(**waiting))


def age(since: timedelta) -> str:
    return next((name for name, below in AGES if since < below), OLDER)


def figures(counts: Counter[str]) -> Total:
    return Total(
        runs=read_runs(counts),
        decisions=Decisions(**{name: counts[f"decisions:{name}"] for name in Decisions.model_fields}),
        threads=counts["threads"],
        handoffs=counts["handoffs"],
        handoff_rate=rate(counts["handoffs"], counts["threads"]),
        ratings=read_ratings(counts),
        first_token_ms=read_times(counts, "first_token"),
        duration_ms=read_times(counts, "duration"),
    )


def read_runs(counts: Counter[str]) -> Runs:
    ended = {name: counts[f"runs:{name}"] for name in ("success", "error", "timeout", "interrupted")}
    failed = rate(ended["error"] + ended["timeout"], sum(ended.values()))
    return Runs(**ended, error_rate=failed)


def read_ratings(counts: Counter[str]) -> Ratings:
    by_score = {score: counts[f"rating:{score}"] for score in range(1, 6)}
    count = sum(by_score.values())
    average = sum(score * number for score, number in by_score.items()) / count if count else None
    rounded = None if average is None else round(average, 2)
    return Ratings.model_validate(
        {**{str(score): number for score, number in by_score.items()}, "count": count, "average": rounded}
    )


def read_times(counts: Counter[str], name: str) -> Times:
    count = sum(number for field, number in counts.items() if stats.is_of(field, name))
    return Times(count=count, p50=percentile(counts, name, 0.5), p95=percentile(counts, name, 0.95))


def rate(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
