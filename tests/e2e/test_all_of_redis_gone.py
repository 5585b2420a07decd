"""All of Redis is gone while the server runs: what was paid stays paid, and is not paid again."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from redis.asyncio import Redis

from graph.demo import DemoModel, Script
from tests.servers import free_port, holdfast, said, valkey, wait_ready
from tests.waiting import wait_until

WISH = "I want a refund of 100 yuan for order 12346"
ALL_OF_IT = "I want a refund of 2398 yuan for order 12346"
APPROVE: Any = {"decisions": [{"type": "approve"}]}


def ledger(folder: Path) -> list[tuple[int, str]]:
    shop = sqlite3.connect(folder / "shop.db")
    rows = shop.execute("SELECT amount, status FROM refunds WHERE order_id = '12346'").fetchall()
    shop.close()
    return rows


async def asked(client: LangGraphClient, text: str) -> tuple[str, Any]:
    """A new thread with this wish, and the question that it ends in."""
    thread_id = (await client.threads.create())["thread_id"]
    values: Any = await client.runs.wait(thread_id, "support", input=said(text))
    return thread_id, values.get("__interrupt__", [None])[0]


async def approve(client: LangGraphClient, thread_id: str, question: Any) -> Any:
    return await client.runs.wait(thread_id, "support", command={"resume": {question["id"]: APPROVE}})


@pytest.mark.timeout(90)
async def test_no_refund_is_made_again(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with valkey() as redis_url:
        async with DemoModel(Script()) as model, Redis.from_url(redis_url) as redis:
            environment = {
                "REDIS_URL": redis_url,
                "HOLDFAST_DATA": str(tmp_path),
                "OPENAI_BASE_URL": model.base_url,
                "OPENAI_API_KEY": "demo",
            }
            async with holdfast("dev", "--port", str(port), **environment), get_client(url=url) as client:
                await wait_ready(url, 60)
                thread_id, question = await asked(client, WISH)
                await approve(client, thread_id, question)
                assert ledger(tmp_path) == [(10_000, "settled")]
                forgotten, _ = await asked(client, ALL_OF_IT)
                model.play(Script(hold_after=1))
                running = (await client.threads.create())["thread_id"]
                talk = asyncio.create_task(client.runs.wait(running, "support", input=said("hello")))

                async def held() -> bool:
                    return model.held == 1

                await wait_until(held, "the model speaks")
                await redis.flushall()
                model.release()
                model.play(Script())
                talk.cancel()
                await asyncio.wait([talk])

                assert await client.threads.search() == []
                thread_id, question = await asked(client, WISH)
                shown = [
                    fact["value"] for fact in question["value"]["display"]["facts"] if fact["kind"] == "money"
                ]
                assert shown == ["100.00 CNY", "2398.00 CNY", "100.00 CNY"], "asked, paid, refunded before"
                assert ledger(tmp_path) == [(10_000, "settled")]
                await approve(client, thread_id, question)
                assert ledger(tmp_path) == [(10_000, "settled")] * 2
                assert forgotten != thread_id
