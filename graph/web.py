"""The project's own routes, `http.app` of langgraph.json: figures for the dashboard, demo customers.

The server signs callers in, and says by scopes what it knows of them.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from graph.demo.phrases import STATUSES
from graph.languages import Language
from graph.settings import Settings
from graph.workplace import open_shop, prepare_shop
from tools.errors import LookupFailed, ShopUnavailable
from tools.figures import Customer, Figures, list_customers, query_figures
from tools.money import Money, exponent_of
from tools.orders import Order, list_orders
from tools.shop import Shop

STAFF, DEV = "holdfast:staff", "holdfast:dev"

Text = dict[Language, str]

REFUNDED: Text = {"en": "Refunded by day, {}", "zh": "每日退款金额（{}）"}
OUTCOMES: Text = {"en": "Refunds of the last two weeks", "zh": "近两周的退款"}
WAITING: Text = {"en": "Requests that wait", "zh": "待处理的退款申请"}
NONE: Text = {"en": "none", "zh": "无"}
REFUND_STATUSES: dict[str, Text] = {
    "requested": {"en": "requested", "zh": "已提交"},
    "submitted": {"en": "on its way", "zh": "处理中"},
    "settled": {"en": "paid back", "zh": "已退款"},
    "failed": {"en": "failed", "zh": "失败"},
    "unknown": {"en": "outcome unknown", "zh": "结果未知"},
    "rejected": {"en": "rejected", "zh": "已拒绝"},
}
TIERS: dict[str, Text] = {
    "customer": {"en": "for the customer to confirm", "zh": "等待客户确认"},
    "operator": {"en": "for an operator", "zh": "等待客服审核"},
    "two_operators": {"en": "for two operators", "zh": "等待两位客服审核"},
}
MODEL: Text = {"en": "Model", "zh": "模型"}
DEMO_MODEL: Text = {"en": "demo model, offline", "zh": "演示模型（离线）"}
SAY_REFUND: Text = {"en": "I would like a refund for order {}.", "zh": "我想给订单 {} 申请退款。"}
SAY_SHIPMENT: Text = {"en": "Where is my order {}?", "zh": "我的订单 {} 到哪里了？"}
SAY_ORDER: Text = {"en": "What is the state of my order {}?", "zh": "请帮我查一下订单 {}。"}


@dataclass(slots=True)
class Storefront:
    """The shop, brought up to date by the first who asks: so the server starts also while it is away."""

    settings: Settings
    shop: Shop
    _ready: bool = False
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def open(self) -> Shop:
        async with self._lock:
            if not self._ready:
                await prepare_shop(self.settings, self.shop)
                self._ready = True
        return self.shop


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, Any]]:
    settings = await asyncio.to_thread(Settings.read)
    async with await asyncio.to_thread(open_shop, settings) as shop:
        yield {"storefront": Storefront(settings, shop)}


@requires(STAFF)
async def panels(request: Request) -> JSONResponse:
    """Figures of the shop, in the language that the request asks for."""
    figures = await query_figures(await request.state.storefront.open())
    return JSONResponse(list(draw(figures, language_of(request))))


@requires(DEV, status_code=404)
async def demo_customers(request: Request) -> JSONResponse:
    """Whom a visitor of the demo shop may be; in a real shop there is no such list."""
    if not request.state.storefront.settings.demo_shop:
        raise HTTPException(404)
    shop = await request.state.storefront.open()
    return JSONResponse([await describe(shop, customer) for customer in await list_customers(shop)])


@requires(DEV, status_code=404)
async def facts(request: Request) -> JSONResponse:
    """What this demo works with, for the page that greets a developer."""
    settings: Settings = request.state.storefront.settings
    return JSONResponse(
        [{"label": MODEL, "value": DEMO_MODEL if settings.demo_model else same(settings.openai_model)}]
    )


def same(text: str) -> Text:
    return {"en": text, "zh": text}


def language_of(request: Request) -> Language:
    """The query's `language`, else the first of the two that Accept-Language names."""
    asked = f"{request.query_params.get('language', '')},{request.headers.get('accept-language', '')}"
    for one in asked.lower().split(","):
        if one.strip()[:2] == "zh":
            return "zh"
        if one.strip()[:2] == "en":
            return "en"
    return "en"


def draw(figures: Figures, language: Language) -> Iterator[dict[str, Any]]:
    waiting = [
        {"label": TIERS.get(tier, {language: tier})[language], "value": count}
        for tier, count in figures.waiting.items()
    ]
    nothing = [{"label": NONE[language], "value": 0}]
    yield {"title": WAITING[language], "kind": "number", "points": waiting or nothing}
    for money in next(iter(figures.refunded.values())):
        yield {
            "title": REFUNDED[language].format(money.currency),
            "kind": "bars",
            "points": list(by_day(figures, money.currency)),
        }
    outcomes = [
        {"label": REFUND_STATUSES[status][language], "value": figures.outcomes[status]}
        for status in REFUND_STATUSES
        if status in figures.outcomes
    ]
    yield {"title": OUTCOMES[language], "kind": "parts", "points": outcomes}


def by_day(figures: Figures, currency: str) -> Iterator[dict[str, Any]]:
    for day, sums in figures.refunded.items():
        [amount] = [money.amount for money in sums if money.currency == currency]
        yield {"label": f"{day:%m-%d}", "value": amount / 10 ** exponent_of(currency), "unit": currency}


async def describe(shop: Shop, customer: Customer) -> dict[str, Any]:
    orders = await list_orders(shop, customer.subject)
    return {
        "subject": customer.subject,
        "name": customer.name,
        "orders": [describe_order(order) for order in orders],
    }


def describe_order(order: Order) -> dict[str, Any]:
    return {
        "number": order.id,
        "state": order.status.value,
        "state_text": STATUSES[order.status.value],
        "placed_at": order.placed_at.isoformat(),
        "items": [{"name": item.name, "quantity": item.quantity} for item in order.items],
        "amount": amount_of(sum(item.quantity * item.price.amount for item in order.items), order.paid),
        "say": {language: text.format(order.id) for language, text in suggestion(order).items()},
    }


def amount_of(minor: int, like: Money) -> dict[str, str]:
    value, currency = str(Money(minor, like.currency)).split()
    return {"value": value, "currency": currency}


def suggestion(order: Order) -> Text:
    if order.refundable.amount:
        return SAY_REFUND
    return SAY_SHIPMENT if order.status.value == "shipped" else SAY_ORDER


async def answer_away(_request: Request, _error: Exception) -> JSONResponse:
    told = {"detail": "The shop does not answer: try again in a moment.", "code": "unavailable"}
    return JSONResponse(told, 503, {"Retry-After": "1"})


app = Starlette(
    routes=[Route("/panels", panels), Route("/demo/customers", demo_customers), Route("/demo/facts", facts)],
    lifespan=lifespan,
    exception_handlers={LookupFailed: answer_away, ShopUnavailable: answer_away},
)
