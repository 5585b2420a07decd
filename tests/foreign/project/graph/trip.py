"""A state without messages, a factory that waits, and a question before anything is booked."""

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal
from operator import add
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt

from tools.fares import fare

from .places import known


@dataclass
class Trip:
    city: str
    nights: int = 1
    total: Decimal | None = None
    booked: bool = False
    notes: Annotated[list[str], add] = field(default_factory=list)


def price(trip: Trip) -> dict[str, Any]:
    if not known(trip.city):
        return {"notes": [f"nobody goes to {trip.city}"]}
    total, currency = fare(trip.city, trip.nights)
    return {"total": total, "notes": [f"{total} {currency}"]}


def book(trip: Trip) -> dict[str, Any]:
    answer = interrupt({"question": "Shall I book it?", "total": str(trip.total)})
    return {"booked": answer == "yes", "notes": [f"answered {answer}"]}


async def make(config: RunnableConfig) -> Any:
    await asyncio.sleep(0)
    trip = StateGraph(Trip)
    trip.add_node("price", price)
    trip.add_node("book", book)
    trip.add_edge(START, "price")
    trip.add_conditional_edges("price", lambda trip: "book" if trip.total else END, ["book", END])
    return trip
