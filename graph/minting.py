"""From a quote to the request that people are asked about, written into the shop's books in the same step."""

from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import ToolCall, ToolMessage

from graph.approvals import amount_of, made_id, next_step, shown
from graph.lookups import dumps, major
from graph.state import REFUSED, SUPERSEDED, Request, State, requests_in
from graph.workplace import Workplace
from tools.errors import RequestDecided, ShopError
from tools.policy import OWNER
from tools.quotes import Quote
from tools.requests import Asked, ask_refund
from tools.standings import find_standings


@dataclass(slots=True)
class Result:
    """What one call gave. `say` is what the customer is told when no call needs the model's words."""

    message: ToolMessage
    say: str | None = None
    quote: Quote | None = None
    malformed: bool = False
    facts: dict[str, Any] = field(default_factory=dict)


def failed(call: ToolCall, code: str, text: str, *, malformed: bool = False) -> Result:
    content = dumps({"error": {"code": code, "message": text}})
    message = ToolMessage(content, tool_call_id=str(call["id"]), name=call["name"], status="error")
    return Result(message, malformed=malformed)


class Minting:
    """The requests of one message. The same refund again is the one that waits already; another amount, asked
    later, takes its place."""

    def __init__(self, workplace: Workplace, subject: str, thread_id: str | None, language: str) -> None:
        self._workplace = workplace
        self._subject = subject
        self._thread_id = thread_id
        self._language = language
        self._earlier: list[Asked] = []
        self._waiting: list[Asked] = []
        self.changed: dict[str, Request] = {}

    async def remember(self, state: State) -> None:
        """What waits already, by the shop's books."""
        held = requests_in(state)
        standings = await find_standings(self._workplace.shop, self._subject, held)
        self._earlier = [
            found.current
            for key, found in standings.items()
            if found.entry is None and found.current == found.asked and held[key]["status"] != REFUSED
        ]
        self._waiting = list(self._earlier)

    async def ask(self, call: ToolCall, quote: Quote, message_id: str) -> Result:
        """The request for this quote, as the model and the customer hear of it."""
        try:
            asked = self._same(quote) or await self._mint(call, quote, message_id)
        except ShopError as error:
            return failed(call, error.code, error.sentence(self._language))
        request = self.changed[asked.request_id] = shown(self._workplace.shop.policy, asked)
        message = ToolMessage(_waiting(request), tool_call_id=str(call["id"]), name=call["name"])
        return Result(message, next_step(request))

    def _same(self, quote: Quote) -> Asked | None:
        return next((old for old in self._waiting if _gist(old.quote) == _gist(quote)), None)

    async def _mint(self, call: ToolCall, quote: Quote, message_id: str) -> Asked:
        old = next((old for old in self._earlier if old.quote.order_id == quote.order_id), None)
        # Made from what asks for it, so that a step that is done again asks for the same.
        request_id = made_id("asked", self._subject, self._thread_id, message_id, str(call["id"]))
        whole = call["args"].get("amount") is None and not quote.pieces
        try:
            asked = await self._write(request_id, quote, whole, old.request_id if old else None)
        except RequestDecided:
            asked = await self._write(request_id, quote, whole, None)
        self._waiting.append(asked)
        if old is not None and asked.supersedes == old.request_id:
            self._earlier.remove(old)
            self._waiting.remove(old)
            self.changed[old.request_id] = shown(self._workplace.shop.policy, old, SUPERSEDED)
        return asked

    async def _write(self, request_id: str, quote: Quote, whole: bool, supersedes: str | None) -> Asked:
        return await ask_refund(
            self._workplace.shop,
            self._subject,
            request_id,
            quote,
            whole=whole,
            language=self._language,
            supersedes=supersedes,
            thread_id=self._thread_id,
        )


def _gist(quote: Quote) -> tuple[object, ...]:
    return quote.order_id, quote.amount, quote.pieces


def _waiting(request: Request) -> str:
    return dumps(
        {
            "request_id": request["request_id"],
            "status": "waiting_for_confirmation"
            if OWNER in request["terms"]["roles"]
            else "waiting_for_review",
            "order_id": request["order_id"],
            "amount": major(amount_of(request)),
            "currency": request["currency"],
        }
    )
