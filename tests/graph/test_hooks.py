"""What the platform may ask of the business, on a database as the environment names it."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select

from graph import hooks
from tools.shop import Shop
from tools.shop.schema import customers


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    monkeypatch.delenv("SHOP_DATABASE_URL", raising=False)
    return tmp_path


async def names(folder: Path) -> list[str]:
    async with Shop.open(f"sqlite:///{folder / 'shop.db'}") as shop, shop.read() as connection:
        return sorted((await connection.execute(select(customers.c.name))).scalars())


async def test_a_person_is_taken_out_of_the_shop(data: Path) -> None:
    async with Shop.open(f"sqlite:///{data / 'shop.db'}") as shop:
        await shop.migrate()
        await shop.seed()
    assert "王芳" in await names(data)
    counts = await hooks.erase("wang")
    assert counts["customers"] == 1
    assert counts["orders"] >= 1
    assert "王芳" not in await names(data)
    assert "陈晓雨" in await names(data)
    assert await hooks.erase("wang") == {}


async def test_a_shop_that_nobody_has_opened_has_nobody_in_it(data: Path) -> None:
    assert await hooks.erase("wang") == {}
    assert await names(data) == []


async def test_whether_the_business_can_work(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await hooks.check()
    monkeypatch.setenv("SHOP_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/shop")
    with pytest.raises(
        RuntimeError, match=r"^The shop's database does not answer: see to SHOP_DATABASE_URL\.$"
    ):
        await hooks.check()


async def test_whether_the_model_lets_the_agent_in(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{port}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "wrong")
        for _ in range(2):  # the second time it is known
            with pytest.raises(RuntimeError, match=r"^The model refuses the key: see to OPENAI_API_KEY\.$"):
                await hooks.check()
    [request] = asked
    assert request.startswith(b"GET /v1/models ")
    assert b"Bearer wrong" in request
    monkeypatch.setenv("OPENAI_API_KEY", "another")
    with pytest.raises(
        RuntimeError, match=r"^The model does not answer \(ConnectError\): see to OPENAI_BASE"
    ):
        await hooks.check()
