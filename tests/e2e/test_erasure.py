"""A customer of the real agent, erased beside `holdfast dev`: gone from Redis and from the shop."""

import sqlite3
import uuid
from pathlib import Path

import httpx
from redis.asyncio import Redis

from holdfast.redis.embedded import running_on
from tests.cli.test_operators import said_by
from tests.scanning import mentions
from tests.servers import free_port, holdfast, wait_ready


def shop(folder: Path, column: str, table: str) -> list[str]:
    connection = sqlite3.connect(folder / "shop.db")
    query = f"SELECT {column} FROM {table}"  # noqa: S608 - names that this file writes
    found = [str(row[0]) for row in connection.execute(query)]
    connection.close()
    return found


async def test_a_customer_is_forgotten_and_the_ledger_keeps_its_figures(tmp_path: Path) -> None:
    port, words = free_port(), f"canary{uuid.uuid4().hex}"
    async with holdfast("dev", "--port", str(port), HOLDFAST_DATA=str(tmp_path)):
        await wait_ready(f"http://127.0.0.1:{port}", 60)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
            for message in ("我要退订单 #12345", f"好的,帮我退款 {words}"):
                answer = await http.post("/chat", json={"session_id": words, "message": message})
                assert answer.status_code == 200
            assert answer.json()["approval"]
            reject = {"session_id": words, "resume": {"type": "reject", "message": words}}
            assert (await http.post("/chat", json=reject)).status_code == 200
        url = running_on(tmp_path)
        assert url is not None
        assert "陈晓雨" in shop(tmp_path, "name", "customers")
        assert words in shop(tmp_path, "message", "refunds")
        figures = shop(tmp_path, "order_id || amount || status || payee_hash", "refunds")
        async with Redis.from_url(url) as redis:
            assert await mentions(redis, words)
            told = await said_by("erase", "demo", "--yes", beside={"HOLDFAST_DATA": str(tmp_path)})
            assert await mentions(redis, words) == []
        assert "erased from Redis\n" in told
        assert "erased by the project\n" in told
    assert "陈晓雨" not in shop(tmp_path, "name", "customers")
    assert set(shop(tmp_path, "message", "refunds")) == {""}
    assert shop(tmp_path, "order_id || amount || status || payee_hash", "refunds") == figures
