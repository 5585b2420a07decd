"""A customer's conversation with the real graph, as a test leads it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, Interrupt, StateSnapshot

from graph.agent import build
from graph.demo import DemoModel, Say, Script, ScriptedCall
from graph.workplace import Doors, Workplace
from tools.quotes import quote_refund
from tools.refunds import Decision, LedgerEntry, apply_refund, list_refunds
from tools.requests import ask_refund

APPROVE = {"decisions": [{"type": "approve"}]}


def edit(**args: Any) -> dict[str, Any]:
    action = {"name": "request_refund", "args": args}
    return {"decisions": [{"type": "edit", "edited_action": action}]}


def reject(message: str = "") -> dict[str, Any]:
    return {"decisions": [{"type": "reject", "message": message}]}


@dataclass
class Dialogue:
    """One thread. `config` is sent with every run; `subject` None: nobody is stamped on it; `opening`
    opens the workplace in another way."""

    workplace: Workplace
    subject: str | None = "demo"
    thread_id: str = field(default_factory=lambda: str(uuid4()))
    saver: InMemorySaver = field(default_factory=InMemorySaver)
    opening: Callable[[], Awaitable[Workplace]] | None = None
    graph: CompiledStateGraph[Any, Any, Any, Any] = field(init=False)

    def __post_init__(self) -> None:
        async def opened() -> Workplace:
            return self.workplace

        self.graph = build(Doors(self.opening or opened), self.saver)

    def config(self, **configurable: Any) -> RunnableConfig:
        user = {} if self.subject is None else {"langgraph_auth_user": {"identity": self.subject}}
        return {"configurable": {"thread_id": self.thread_id, **user, **configurable}}

    async def run(self, given: Any, config: RunnableConfig | None = None, **configurable: Any) -> None:
        await self.graph.ainvoke(given, config or self.config(**configurable), durability="sync")

    async def say(self, text: str, **configurable: Any) -> str:
        """What the customer hears last."""
        before = {message.id for message in await self.messages()}
        await self.run({"messages": [{"role": "user", "content": text}]}, **configurable)
        said = [m.text for m in await self.messages() if m.id not in before and isinstance(m, AIMessage)]
        return said[-1] if said else ""

    async def answer(self, request_id: str, decision: Any, **configurable: Any) -> None:
        question = (await self.asked())[request_id]
        await self.run(Command(resume={question.id: decision}), **configurable)

    async def request(self, model: DemoModel, **wishes: str | None) -> list[str]:
        """The model asks for all of these refunds in one message (`o12345="10.00"`, None: all); their ids."""
        known = await self.asked()
        args = [{"order_id": order.removeprefix("o"), "amount": amount} for order, amount in wishes.items()]
        calls = tuple(ScriptedCall(name="request_refund", args={**arg, "reason": "坏了"}) for arg in args)
        model.play(Script(steps=(Say(calls=calls),)))
        await self.say("请退款")
        return [request_id for request_id in await self.asked() if request_id not in known]

    async def snapshot(self) -> StateSnapshot:
        return await self.graph.aget_state(self.config())

    async def asked(self) -> dict[str, Interrupt[Any]]:
        """The questions that wait, by request_id."""
        waiting = (await self.snapshot()).interrupts
        return {question.value["policy"]["request_id"]: question for question in waiting}

    async def asked_once(self) -> tuple[str, dict[str, Any]]:
        """The only waiting question: its request_id and payload."""
        ((request_id, question),) = (await self.asked()).items()
        return request_id, question.value

    async def messages(self) -> list[AnyMessage]:
        return list((await self.snapshot()).values.get("messages", []))

    async def requests(self) -> Mapping[str, Any]:
        requests: Mapping[str, Any] = (await self.snapshot()).values.get("requests", {})
        return requests

    async def statuses(self) -> dict[str, str]:
        return {key: request["status"] for key, request in (await self.requests()).items()}

    async def told(self, request_id: str) -> list[str]:
        """All the shop itself said about a request."""
        return [m.text for m in await self.messages() if m.id and m.id.startswith(f"refund-{request_id}-")]

    async def tool_results(self) -> list[ToolMessage]:
        return [message for message in await self.messages() if isinstance(message, ToolMessage)]

    async def ledger(self, order_id: str) -> list[LedgerEntry]:
        return await list_refunds(self.workplace.shop, self.subject or "demo", order_id)

    async def refund_elsewhere(self, order_id: str, amount: str | None) -> None:
        """Another conversation's refund, so that the order's figures move."""
        shop = self.workplace.shop
        quote = await quote_refund(shop, "demo", order_id, amount=amount)
        asked = await ask_refund(shop, "demo", str(uuid4()), quote)
        decision = Decision("approve", ("demo",), datetime.now(UTC))
        await apply_refund(shop, self.workplace.provider, "demo", asked.request_id, decision)


def label_of(payload: Mapping[str, Any], kind: str) -> list[str]:
    return [fact["value"] for fact in payload["display"]["facts"] if fact["kind"] == kind]
