"""What a conversation with the agent leaves in Redis."""

import asyncio
import re
import uuid
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import httpx
import redis

from bench import servers
from bench.failover import poll
from bench.measures import APART, Bar, Row
from bench.rest import SUPPORT

TURNS = (
    "where is order 12345?",
    "when will it arrive?",
    "what is in order 12346?",
    "and where is that one?",
    "show me all my orders",
)
GIVE_UP_S = 60
KIND = re.compile(r"\{[^}]*\}:([a-z-]+):")


def size_rows(folder: Path) -> Iterator[Row]:
    """A thread of five turns with tool calls, its log expired: all its keys, and each kind of them."""
    settings = {"HOLDFAST_EVENTS_KEEP_S": "1", "HOLDFAST_DATA": str(folder / "agent")}
    with servers.holdfast_apart(folder, SUPPORT, settings=settings) as server:
        thread_id = asyncio.run(talk(server.port))
        with redis.Redis.from_url(server.redis_url) as asked:
            poll(lambda: not any(asked.scan_iter(f"*:events:{thread_id}")))
            sizes = by_kind(asked, thread_id)
    bar = Bar(60, "<= 60 KB", of=APART)
    total = sum(sizes.values())
    yield Row(f"a thread of {len(TURNS)} turns, its log expired", "KB", bars=(bar,), figures={APART: total})
    for kind, size in sorted(sizes.items(), key=lambda found: -found[1]):
        yield Row(f"of these in {kind}", "KB", figures={APART: size})


def by_kind(asked: redis.Redis, thread_id: str) -> dict[str, float]:
    sizes: dict[str, float] = defaultdict(float)
    for key in asked.scan_iter(f"*{thread_id}*", count=1000):
        found = KIND.search(key.decode())
        sizes[found[1] if found else "others"] += (asked.memory_usage(key, samples=0) or 0) / 1000
    return sizes


async def talk(port: int) -> str:
    thread_id = str(uuid.uuid4())
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=GIVE_UP_S) as http:
        for words in TURNS:
            asked = {"messages": [{"role": "user", "content": words}]}
            body = {"assistant_id": "support", "input": asked, "if_not_exists": "create"}
            (await http.post(f"/threads/{thread_id}/runs/wait", json=body)).raise_for_status()
    return thread_id
