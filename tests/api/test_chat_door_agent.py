"""The support agent through the short door, in a process of its own, as the README shows it with curl."""

import sqlite3
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.api.chats import finished, post, streamed
from tests.servers import free_port, holdfast, wait_ready

DIALOGUES = [
    ("我要退订单 #12345", "好的,帮我退款", "退款多久到账?", "已办理", "工作日"),
    (
        "I want to return order #12345",
        "Yes, please refund it",
        "How long does a refund take?",
        "has been made",
        "business days",
    ),
]


@pytest.fixture
async def agent(redis_url: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    port = free_port()
    environment = {
        "REDIS_URL": redis_url,
        "HOLDFAST_PREFIX": f"t{uuid.uuid4().hex[:8]}",
        "HOLDFAST_DATA": str(tmp_path),
    }
    async with holdfast("dev", "--port", str(port), **environment):
        url = f"http://127.0.0.1:{port}"
        await wait_ready(url)
        async with httpx.AsyncClient(base_url=url, timeout=30) as http:
            yield http


def ledger(folder: Path) -> list[tuple[str, int, str]]:
    """What was really paid."""
    shop = sqlite3.connect(folder / "shop.db")
    rows = shop.execute("SELECT order_id, amount, status FROM refunds WHERE order_id = '12345'").fetchall()
    shop.close()
    return rows


@pytest.mark.parametrize(("wish", "yes", "how_long", "done", "days"), DIALOGUES, ids=["zh", "en"])
async def test_the_dialogue_by_curl(
    agent: httpx.AsyncClient, tmp_path: Path, wish: str, yes: str, how_long: str, done: str, days: str
) -> None:
    *deltas, last = await streamed(agent, session_id="ann", message=wish)
    assert len(deltas) > 2
    assert {delta["type"] for delta in deltas} == {"delta"}
    assert "".join(delta["content"] for delta in deltas) == last["content"]
    assert last == {"type": "done", "content": last["content"], "session_id": "ann"}
    assert "iPhone 16" in last["content"]

    answer = await post(agent, session_id="ann", message=yes)
    assert sorted(answer) == ["approval", "approvals", "reply", "session_id", "thread_id"]
    assert "5999.00 CNY" in answer["reply"]
    facts = [fact["value"] for fact in answer["approval"]["display"]["facts"]]
    assert "12345" in facts
    assert "5999.00 CNY" in facts
    assert ledger(tmp_path) == []

    *deltas, last = await streamed(agent, session_id="ann", resume={"type": "approve"})
    assert done in last["content"]
    assert "".join(delta["content"] for delta in deltas) == last["content"]
    assert sorted(last) == ["content", "session_id", "type"]
    assert ledger(tmp_path) == [("12345", 599900, "settled")]

    task = (await post(agent, "/chat/async", session_id="ann", message=how_long))["task_id"]
    state = await finished(agent, task)
    assert state["status"] == "done"
    assert days in state["reply"]
    assert ledger(tmp_path) == [("12345", 599900, "settled")]
