"""The project's own routes, on the platform: figures for staff, customers to be for visitors of the demo."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from graph.demo.phrases import STATUSES
from graph.web import REFUND_STATUSES
from tests.demo.talks import reply_to, user
from tests.gates import ROOT
from tests.servers import Live, free_port, live
from tools.shop.schema import DAYS, refunds
from tools.shop.seed_rows import CUSTOMERS

CONFIG = ROOT / "langgraph.json"
KINDS = {"bars", "line", "number", "parts"}


@pytest.fixture
async def web(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Live]:
    """The API of this project alone, with an empty data folder: no run has opened the shop."""
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    monkeypatch.delenv("SHOP_DATABASE_URL", raising=False)
    async with live(redis_url, config=CONFIG, worker=False) as running:
        yield running


async def get(http: httpx.AsyncClient, path: str, **headers: str) -> Any:
    answer = await http.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_panels_are_for_staff_and_hold_what_the_dashboard_draws(web: Live) -> None:
    async with web.http("ann") as ann, web.http("eve", "operator") as eve:
        assert (await ann.get("/panels")).status_code == 403
        panels = await get(eve, "/panels")
    assert {panel["kind"] for panel in panels} <= KINDS
    for panel in panels:
        assert panel["title"]
        assert all(isinstance(point["value"], int | float) for point in panel["points"])
        assert all(point["label"] for point in panel["points"])
    bars = [panel for panel in panels if panel["kind"] == "bars"]
    assert bars, panels
    today = f"{datetime.now(UTC):%m-%d}"
    for panel in bars:
        assert len(panel["points"]) == DAYS
        assert panel["points"][-1]["label"] == today
        assert panel["title"].endswith(panel["points"][0]["unit"])


async def test_the_texts_are_in_the_language_that_is_asked_for(web: Live) -> None:
    async with web.http("eve", "operator") as eve:
        english, chinese = await get(eve, "/panels?language=en"), await get(eve, "/panels?language=zh")
        assert await get(eve, "/panels", **{"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.5"}) == chinese
        assert await get(eve, "/panels?language=en", **{"Accept-Language": "zh"}) == english
        assert await get(eve, "/panels", **{"Accept-Language": "fr, en;q=0.5"}) == english
    assert {one["title"] for one in english}.isdisjoint(one["title"] for one in chinese)
    assert [one["points"][0]["value"] for one in english if one["kind"] == "bars"] == [
        one["points"][0]["value"] for one in chinese if one["kind"] == "bars"
    ]


def test_every_status_of_the_ledger_has_a_name() -> None:
    [check] = [one for one in refunds.constraints if one.name == "refund_status"]
    assert all(f"'{status}'" in str(check.sqltext) for status in REFUND_STATUSES)  # type: ignore[attr-defined]
    assert str(check.sqltext).count("'") == 2 * len(REFUND_STATUSES)  # type: ignore[attr-defined]


async def test_a_visitor_may_be_any_customer_of_the_demo_shop(web: Live) -> None:
    async with web.http() as visitor:
        customers = await get(visitor, "/demo/customers")
    assert [one["subject"] for one in customers] == list(CUSTOMERS)
    orders = {order["number"]: order for one in customers for order in one["orders"]}
    phone = orders["12345"]
    assert phone["items"] == [{"name": "Apple iPhone 16 128GB 黑色", "quantity": 1}]
    assert phone["amount"] == {"value": "5999.00", "currency": "CNY"}
    assert (phone["state"], phone["state_text"]) == ("delivered", STATUSES["delivered"])
    assert all(Decimal(order["amount"]["value"]) > 0 for order in orders.values())


async def test_the_demo_model_understands_what_a_visitor_is_offered_to_say(web: Live) -> None:
    async with web.http() as visitor:
        customers = await get(visitor, "/demo/customers")
    for order in (order for one in customers for order in one["orders"]):
        for text in order["say"].values():
            [call, *_] = reply_to(user(text)).calls
            assert json.loads(call.arguments) == {"order_id": order["number"]}, text


async def test_a_visitor_is_told_which_model_answers(
    redis_url: str, web: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with web.http() as visitor:
        [model] = await get(visitor, "/demo/facts")
    assert model["value"]["en"] == "demo model, offline"
    monkeypatch.setenv("OPENAI_API_KEY", "a-secret")
    monkeypatch.setenv("OPENAI_MODEL", "gpt-of-ours")
    async with live(redis_url, config=CONFIG, worker=False) as server, server.http() as visitor:
        [model] = await get(visitor, "/demo/facts")
    assert model["value"] == {"en": "gpt-of-ours", "zh": "gpt-of-ours"}


async def test_there_are_no_demo_customers_in_production(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    async with live(redis_url, config=CONFIG, worker=False, auth="keys", default_tenant="shop") as server:
        key, _ = await server.sign_in.keys.create(subject="ann", tenant="shop", roles=["operator"])
        async with httpx.AsyncClient(base_url=server.url, headers={"x-api-key": key}) as http:
            for path in ("/demo/customers", "/demo/facts"):
                assert (await http.get(path)).status_code == 404
            assert (await http.get("/panels")).status_code == 200
    monkeypatch.setenv("SHOP_DATABASE_URL", f"sqlite:///{tmp_path / 'own.db'}")
    async with live(redis_url, config=CONFIG, worker=False) as server, server.http() as http:
        assert (await http.get("/demo/customers")).status_code == 404


async def test_a_shop_that_is_away_is_said(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DATABASE_URL", f"postgresql://nobody@127.0.0.1:{free_port()}/shop")
    async with live(redis_url, config=CONFIG, worker=False) as server, server.http() as http:
        for _ in range(2):
            answer = await http.get("/panels")
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert answer.headers["retry-after"] == "1"
