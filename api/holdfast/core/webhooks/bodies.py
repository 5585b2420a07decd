"""What a webhook is sent: the letter as it was written, filled in and redacted."""

from datetime import UTC, datetime
from typing import Any

import orjson

from holdfast.core import approvals, runs
from holdfast.core.a2a import pushes
from holdfast.core.a2a.pushes import News
from holdfast.core.platform import Platform
from holdfast.events import dump
from holdfast.redis import approvals as stored
from holdfast.redis.outbox import Letter
from holdfast.redis.records import RunRecord
from holdfast.redis.timers import server_time

# What people and graphs have written; the rest are ids, times and words of ours.
CONTENT = ("metadata", "kwargs", "values", "interrupts", "error")


async def content_of(platform: Platform, letter: Letter) -> News:
    """What is sent, with the headers that go with it. Raises `Unwanted`."""
    if "push" in letter.content:
        return await pushes.news(platform, letter)
    return News(await body_of(platform, letter), {})


async def body_of(platform: Platform, letter: Letter) -> bytes:
    content = letter.content
    head = {
        "type": content["type"],
        "tenant": content["tenant"],
        "timestamp": iso(content["at_ms"] / 1000),
        "webhook_sent_at": datetime.now(UTC).isoformat(),
    }
    if "run" in content:
        return dump({**head, **describe(platform, letter)})
    if "approval" in content:
        return dump({**head, **await describe_approval(platform, letter)})
    return dump({**head, "data": redacted(platform, content["payload"])})


async def describe_approval(platform: Platform, letter: Letter) -> dict[str, Any]:
    """The request, as it is now, and what was done to it; its ids only when it has gone with its thread."""
    told = letter.content["approval"]
    thread_id, request_id = told["thread_id"], told["request_id"]
    approval = await stored.read(platform.client, platform.keys, thread_id, request_id)
    now = await server_time(platform.client)
    return {
        "approval_id": stored.approval_id(thread_id, request_id),
        "by": told["by"],
        "said": redacted(platform, told["said"]),
        "approval": redacted(platform, approvals.describe(approval, now)) if approval else None,
    }


def describe(platform: Platform, letter: Letter) -> dict[str, Any]:
    """The run, as its resource shows it, and how it ended."""
    run = letter.content["run"]
    ended, outcome = run["ended_at"] / 1_000_000, run["outcome"]
    record = RunRecord(
        run_id=run["request"]["run_id"],
        thread_id=letter.address.thread_id,
        request=run["request"],
        status=run["status"],
        created_at=datetime.fromisoformat(run["request"]["created_at"]),
        updated_at=datetime.fromtimestamp(ended, UTC),
        attempt=0,
        error="",
    )
    shown = {
        **runs.describe(record),
        "run_started_at": iso(run["started_at"] / 1_000_000) if run["started_at"] else None,
        "run_ended_at": iso(ended),
        "values": outcome.get("values"),
        "interrupts": outcome.get("interrupts") or [],
    }
    if outcome.get("error"):
        shown["error"] = outcome["error"]
    return {key: redacted(platform, value) if key in CONTENT else value for key, value in shown.items()}


def redacted(platform: Platform, value: Any) -> Any:
    return orjson.Fragment(platform.told(dump(value)))


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
