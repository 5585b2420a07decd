"""The tools as a model sees them. Whose orders they read is taken from the run, never from an argument.

Results are JSON: figures and states under `data`; what other people wrote (names, notes, tracking texts)
under `untrusted_text`; an expected refusal is `{"error": {"code", "message"}}`.
"""

import json
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.config import get_store
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from graph.callers import caller
from graph.languages import language_of
from graph.pages import find_pages
from graph.sources import passages
from graph.technical import HAND_OFF
from graph.workplace import Doors, Workplace
from tools.errors import OrderNotFound, TechnicalSupportAway
from tools.knowledge import Section
from tools.logistics import Logistics, query_logistics
from tools.money import Money
from tools.orders import Order, list_orders, query_order
from tools.quotes import UNSTATED, Piece, Quote, quote_refund

REQUEST_REFUND = "request_refund"
TALK_TO_PERSON = "talk_to_person"


def _plain(value: Any) -> Any:
    """Models write numbers where text was asked for; a float's shortest text is the one it was read from."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(_plain)]


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OfOrder(Arguments):
    order_id: Text = Field(description="The order number, for example 12345", max_length=64)


class OfOrders(Arguments):
    limit: int = Field(10, ge=1, le=20, description="How many of the newest orders")


class OfPiece(Arguments):
    sku: Text = Field(description="The item's number, as query_order gives it", max_length=64)
    quantity: int = Field(1, ge=1, le=10_000)


class OfRefund(OfOrder):
    amount: Text | None = Field(
        None,
        max_length=64,
        description='Amount in major units as text, such as "79.99"; leave out for all of it',
    )
    items: list[OfPiece] | None = Field(
        None, max_length=50, description="Only these items of the order; leave out amount then"
    )
    reason: str = Field("", max_length=500, description="Why the customer wants the refund, in their words")
    reason_code: Text = Field(
        UNSTATED,
        max_length=32,
        description="The kind of reason: damaged, wrong_item, not_as_described, missing_parts, late,"
        " changed_mind; leave out when it is none of these",
    )


class OfPages(Arguments):
    query: Text = Field(description="What to look for, in the customer's language", max_length=500)


class OfPerson(Arguments):
    reason: str = Field("", max_length=500, description="What the customer needs a person for")


class OfQuestion(Arguments):
    question: str = Field(
        description="What the customer wants to know, with all they have said about the device",
        max_length=4_000,
    )


def dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def major(money: Money) -> str:
    """The amount in major units without its currency, as tools and approvals carry it."""
    return str(money).removesuffix(f" {money.currency}")


def order_data(order: Order) -> dict[str, Any]:
    return {
        "order_id": order.id,
        "status": str(order.status),
        "placed_at": order.placed_at.isoformat(),
        "delivered_at": order.delivered_at and order.delivered_at.isoformat(),
        "currency": order.paid.currency,
        "paid": major(order.paid),
        "refunded": major(order.refunded),
        "refundable": major(order.refundable),
    }


def order_result(order: Order) -> dict[str, Any]:
    items = [{"sku": i.sku, "quantity": i.quantity, "price": major(i.price)} for i in order.items]
    return {
        "data": {**order_data(order), "items": items},
        "untrusted_text": {"item_names": [item.name for item in order.items], "note": order.note},
    }


def orders_result(orders: list[Order]) -> dict[str, Any]:
    return {
        "data": {"orders": [order_data(order) for order in orders]},
        "untrusted_text": {"item_names": {order.id: [item.name for item in order.items] for order in orders}},
    }


def logistics_result(logistics: Logistics) -> dict[str, Any]:
    parcels = [
        {"carrier": s.carrier, "tracking_no": s.tracking_no, "status": str(s.status)}
        for s in logistics.shipments
    ]
    events = [
        {"tracking_no": s.tracking_no, "at": e.at.isoformat(), "place": e.place, "text": e.text}
        for s in logistics.shipments
        for e in s.events
    ]
    return {
        "data": {"order_id": logistics.order_id, "shipments": parcels},
        "untrusted_text": {"tracking": events},
    }


def tool(coroutine: Any, name: str, schema: type[Arguments], description: str) -> BaseTool:
    return StructuredTool.from_function(
        coroutine=coroutine,
        name=name,
        description=description,
        args_schema=schema,
        response_format="content_and_artifact",
    )


def make_hand_off(doors: Doors) -> BaseTool:
    async def hand_off(question: str, config: RunnableConfig) -> tuple[str, None]:
        workplace = await doors.enter()
        if workplace.technical is None:
            raise TechnicalSupportAway
        return dumps(await workplace.technical(question, config)), None

    return tool(
        hand_off,
        HAND_OFF,
        OfQuestion,
        "Ask technical support, another agent, how a device is set up, connected or mended. Its answer is for"
        " you to pass on.",
    )


def make_tools(doors: Doors) -> list[BaseTool]:
    """All tools of the agent, reading the shop behind these doors."""

    async def place(config: RunnableConfig) -> tuple[Workplace, str]:
        workplace = await doors.enter()
        subject = caller(config, workplace.settings)
        if subject is None:
            raise OrderNotFound("?")
        return workplace, subject

    async def order(order_id: str, config: RunnableConfig) -> tuple[str, dict[str, Any]]:
        workplace, subject = await place(config)
        found = order_result(await query_order(workplace.shop, subject, order_id))
        return dumps(found), found["data"]

    async def logistics(order_id: str, config: RunnableConfig) -> tuple[str, None]:
        workplace, subject = await place(config)
        return dumps(logistics_result(await query_logistics(workplace.shop, subject, order_id))), None

    async def orders(limit: int, config: RunnableConfig) -> tuple[str, None]:
        workplace, subject = await place(config)
        return dumps(orders_result(await list_orders(workplace.shop, subject, limit=limit))), None

    async def refund(
        order_id: str,
        amount: str | None,
        items: list[OfPiece] | None,
        reason: str,
        reason_code: str,
        config: RunnableConfig,
    ) -> tuple[str, Quote]:
        workplace, subject = await place(config)
        pieces = [Piece(item.sku, item.quantity) for item in items or ()]
        quote = await quote_refund(
            workplace.shop,
            subject,
            order_id,
            amount=amount,
            pieces=pieces,
            reason=reason,
            reason_code=reason_code,
        )
        return dumps({"amount": major(quote.amount)}), quote

    async def knowledge(query: str) -> tuple[str, list[Section]]:
        workplace = await doors.enter()
        found = await find_pages(
            workplace.knowledge,
            get_store(),
            query,
            language_of(query) or "en",
            workplace.settings.knowledge_min_score,
        )
        return dumps(passages(found)), found

    async def person(reason: str) -> tuple[str, None]:
        return dumps({"status": "handed_over"}), None

    return [
        tool(
            order,
            "query_order",
            OfOrder,
            "One order of the customer: state, what was paid, what can be refunded.",
        ),
        tool(logistics, "query_logistics", OfOrder, "Where the parcels of an order are, newest event first."),
        tool(orders, "list_orders", OfOrders, "The customer's newest orders."),
        tool(
            refund,
            REQUEST_REFUND,
            OfRefund,
            "Prepare a refund of an order, whole or in part. A person has to confirm it before money moves.",
        ),
        make_hand_off(doors),
        tool(
            knowledge,
            "search_knowledge",
            OfPages,
            "What the shop tells its customers about returns, refunds, shipping and the like.",
        ),
        tool(person, TALK_TO_PERSON, OfPerson, "Ask a human colleague to take over this conversation."),
    ]
