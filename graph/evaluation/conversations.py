"""Customers talking to the real graph, each in a shop of their own, and what is on record afterwards."""

import asyncio
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from graph.agent import build
from graph.callers import DEMO_CUSTOMER
from graph.evaluation.customers import Customer, Turn
from graph.settings import Settings
from graph.workplace import Doors, Workplace, furnish
from tools.refunds import RefundStatus, find_refunds
from tools.shop import Shop

AT_ONCE = 4
MOST_QUESTIONS = 4


@dataclass(frozen=True, slots=True)
class Exchange:
    """One turn as it went: the calls the model made, what the customer heard, what was paid by then."""

    turn: Turn
    calls: Sequence[tuple[str, dict[str, Any]]]
    said: Sequence[str]
    paid: dict[str, str]


@dataclass(slots=True)
class Record:
    """A customer's whole conversation."""

    customer: Customer
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def paid(self) -> dict[str, str]:
        """What the ledger says was refunded in it, by order: `{"12345": "5999.00 CNY"}`."""
        return self.exchanges[-1].paid if self.exchanges else {}


async def hold_conversations(settings: Settings, customers: Iterable[Customer], folder: Path) -> list[Record]:
    """All customers, a few at once, with the model of these settings and shops made in `folder`."""
    seeded = await _seed(folder)
    free = asyncio.Semaphore(AT_ONCE)

    async def serve(number: int, customer: Customer) -> Record:
        async with free:
            data = folder / str(number)
            await asyncio.to_thread(data.mkdir)
            await asyncio.to_thread(shutil.copy, seeded, data / seeded.name)
            return await hold_conversation(replace(settings, data=data, shop_database_url=None), customer)

    async with asyncio.TaskGroup() as group:
        visits = [group.create_task(serve(number, customer)) for number, customer in enumerate(customers)]
    return [visit.result() for visit in visits]


async def _seed(folder: Path) -> Path:
    path = folder / "shop.db"
    async with Shop.open(f"sqlite:///{path}") as shop:
        await shop.migrate()
        await shop.seed()
    return path


async def hold_conversation(settings: Settings, customer: Customer) -> Record:
    workplace = await furnish(settings)
    async with workplace.resources:
        visit = _Visit(workplace)
        record = Record(customer)
        for turn in customer.turns:
            if not (turn.nudge and visit.was_asked):
                record.exchanges.append(await visit.take(turn, customer.decision))
        return record


def _thread_of(subject: str) -> RunnableConfig:
    return {"configurable": {"thread_id": str(uuid4()), "langgraph_auth_user": {"identity": subject}}}


class _Visit:
    """A thread of the graph with a customer at its other end."""

    def __init__(self, workplace: Workplace) -> None:
        async def opened() -> Workplace:
            return workplace

        self._shop = workplace.shop
        self._graph = build(Doors(opened), InMemorySaver())
        self._config = _thread_of(DEMO_CUSTOMER)
        self.was_asked = False

    async def take(self, turn: Turn, decision: str) -> Exchange:
        known = {message.id for message in (await self._values()).get("messages", ())}
        await self._run({"messages": [{"role": "user", "content": turn.text}]})
        await self._decide({"decisions": [{"type": decision}]})
        values = await self._values()
        new = [m for m in values["messages"] if m.id not in known and isinstance(m, AIMessage)]
        calls = [(call["name"], call["args"]) for message in new for call in message.tool_calls]
        said = [message.text for message in new if message.text]
        return Exchange(turn, calls, said, await self._paid(values.get("requests") or {}))

    async def _decide(self, answer: dict[str, Any]) -> None:
        for _ in range(MOST_QUESTIONS):
            waiting = (await self._graph.aget_state(self._config)).interrupts
            if not waiting:
                return
            self.was_asked = True
            await self._run(Command(resume={question.id: answer for question in waiting}))

    async def _run(self, given: Any) -> None:
        await self._graph.ainvoke(given, self._config)

    async def _values(self) -> dict[str, Any]:
        return (await self._graph.aget_state(self._config)).values

    async def _paid(self, request_ids: Iterable[str]) -> dict[str, str]:
        entries = (await find_refunds(self._shop, request_ids)).values()
        return {e.order_id: str(e.amount) for e in entries if e.status == RefundStatus.SETTLED}
