"""From a refund request to its outcome: asked, applied, and put back when the conversation forgot it."""

from collections.abc import Awaitable
from typing import Any, Literal

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import RetryPolicy, Send, interrupt

from graph.approvals import (
    RESPONSE_SCHEMA,
    AnswerRefused,
    amount_of,
    family,
    figures,
    payload,
    quote_of,
    read_answer,
    same_figures,
    successor,
)
from graph.callers import Deciders, caller, deciders
from graph.lookups import major
from graph.prompts import sentence
from graph.state import REFUSED, SUPERSEDED, UNDECIDED, Asking, Request, State, Told, undecided
from graph.workplace import Doors, Workplace
from tools.errors import AmountTooHigh, OrderChanged, OrderNotFound, RefundRefused, ShopUnavailable
from tools.orders import query_order
from tools.refunds import Decision, LedgerEntry, Quote, apply_refund, list_refunds, quote_refund

Update = dict[str, Any]

# A decision that was taken waits for the shop's database; when that stays away, the run is driven again.
PATIENCE = RetryPolicy(
    initial_interval=0.2,
    backoff_factor=2.0,
    max_interval=2.0,
    max_attempts=5,
    jitter=False,
    retry_on=ShopUnavailable,
)


class Refunds:
    """The nodes that know what became of a request. The ledger decides; the conversation only repeats it."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def subgraph(self) -> CompiledStateGraph[Any, Any, Any, Any]:
        """One request, from question to outcome: of its own, so that no request waits for another."""
        builder = StateGraph(Asking, output_schema=Told)
        builder.add_node("ask", ask)
        builder.add_node("apply", self.apply, retry_policy=PATIENCE)
        builder.add_edge(START, "ask")
        builder.add_edge("ask", "apply")
        builder.add_conditional_edges("apply", ask_again, ["ask", END])
        return builder.compile()

    async def settle(self, state: State, config: RunnableConfig) -> Update:
        """Before anything is asked: what the ledger knows is put back with its message, and moved figures are
        asked anew. (LangGraph drops what a finished request wrote when input comes while a sibling waits.)"""
        waiting = undecided(state.get("requests") or {})
        if not waiting:
            return {}
        try:
            workplace = await self._doors.enter()
            subject = caller(config, workplace.settings)
            if subject is None:
                return {}
            return joined([await _recall(workplace, subject, request) for request in waiting])
        except ShopUnavailable:
            # Asked as it stands: whoever answers, the figures are compared again before money moves.
            return {}

    async def apply(self, state: Asking, config: RunnableConfig) -> Update:
        """Act on the answer, once for ever a request: the ledger's key is the request_id."""
        workplace = await self._doors.enter()
        request = state["request"]
        subject = caller(config, workplace.settings)
        if subject is None:
            return {"problem": sentence("nobody", request["language"])}
        who = deciders(config, request["request_id"], subject)
        if who is None:
            return {"request": request, "problem": ""}
        try:
            answer = read_answer(state.get("answer"), request)
        except AnswerRefused as refusal:
            return _asked_again(request, refusal.sentence, who)
        decision = Decision(answer.outcome, who.by, who.at, answer.message)
        quote = quote_of(request, answer.amount)
        return await _or_refused(request, _decide(workplace, subject, request, quote, decision))


async def _decide(
    workplace: Workplace, subject: str, request: Request, quote: Quote, decision: Decision
) -> Update:
    try:
        entry = await apply_refund(
            workplace.shop, workplace.provider, subject, request["request_id"], quote, decision
        )
    except OrderChanged:
        return _superseded(request, await _quote_now(workplace, subject, request))
    return _outcome(request, entry)


async def _recall(workplace: Workplace, subject: str, request: Request) -> Update:
    return await _or_refused(request, _compare(workplace, subject, request))


async def _compare(workplace: Workplace, subject: str, request: Request) -> Update:
    known = [
        entry
        for entry in await list_refunds(workplace.shop, subject, request["order_id"])
        if family(entry.request_id) == family(request["request_id"])
    ]
    if known:
        return _outcome(request, await _finished(workplace, subject, request, known[-1]))
    order = await query_order(workplace.shop, subject, request["order_id"])
    # Not quoted again while nothing moved: the return window is kept by asking in time, not by deciding so.
    if same_figures(request, order):
        return {}
    return _superseded(request, await _quote_now(workplace, subject, request))


async def _finished(workplace: Workplace, subject: str, request: Request, entry: LedgerEntry) -> LedgerEntry:
    """A crash may have left the entry before the provider answered: the same key again ends it."""
    if entry.status != "submitted":
        return entry
    decision = Decision("approve", entry.decided_by, entry.decided_at)
    quote = quote_of(request, entry.amount)
    return await apply_refund(workplace.shop, workplace.provider, subject, entry.request_id, quote, decision)


async def _quote_now(workplace: Workplace, subject: str, request: Request) -> Quote:
    """The same wish at today's figures: all that is left where all was asked, else what is left of it."""
    wish = None if request["whole"] else major(amount_of(request))
    try:
        return await quote_refund(
            workplace.shop, subject, request["order_id"], amount=wish, reason=request["reason"]
        )
    except AmountTooHigh:
        return await quote_refund(workplace.shop, subject, request["order_id"], reason=request["reason"])


async def _or_refused(request: Request, work: Awaitable[Update]) -> Update:
    try:
        return await work
    except (RefundRefused, OrderNotFound) as refusal:
        why = refusal.sentence(request["language"])
        text = sentence("refused", request["language"], order_id=request["order_id"], why=why)
        return _told({**request, "status": REFUSED}, text)


def _outcome(request: Request, entry: LedgerEntry) -> Update:
    """What the ledger says, in the customer's language; the entry may be a successor's."""
    status, language = str(entry.status), request["language"]
    decided: Request = {
        **request,
        "request_id": entry.request_id,
        "status": status,
        "amount": entry.amount.amount,
    }
    text = sentence(
        status if status != "requested" else "submitted",
        language,
        order_id=request["order_id"],
        amount=entry.amount,
        payee=request["payee"],
    )
    if entry.message:
        text = f"{text} {sentence('message', language, message=entry.message)}"
    told = _told(decided, text)
    if entry.request_id != request["request_id"]:
        told["requests"][request["request_id"]] = {**request, "status": SUPERSEDED}
        decided["supersedes"] = request["request_id"]
    return told


def _superseded(request: Request, quote: Quote) -> Update:
    new = successor(request, **figures(quote))
    text = sentence("changed", request["language"], order_id=request["order_id"], amount=quote.amount)
    told = _told({**request, "status": SUPERSEDED}, text)
    told["requests"][new["request_id"]] = new
    return {**told, "request": new, "problem": text}


def _asked_again(request: Request, problem: str, who: Deciders) -> Update:
    """Under its own id; a server that holds this very decision would give it again: under a new one."""
    if not who.stamped:
        return {"request": request, "problem": problem}
    new = successor(request)
    requests = {request["request_id"]: {**request, "status": SUPERSEDED}, new["request_id"]: new}
    return {"request": new, "requests": requests, "problem": problem}


def _told(request: Request, text: str) -> Update:
    """The message's id is made from the request's, so that it is said once however often it is put back."""
    card = {name: request[name] for name in ("request_id", "order_id", "amount", "currency", "status")}
    message = AIMessage(
        text, id=f"refund-{request['request_id']}-{request['status']}", additional_kwargs={"refund": card}
    )
    return {"messages": [message], "requests": {request["request_id"]: request}, "request": request}


def joined(updates: list[Update]) -> Update:
    """Updates of several requests as one of the conversation's state."""
    messages = [message for update in updates for message in update.get("messages", ())]
    requests = {key: value for update in updates for key, value in update.get("requests", {}).items()}
    return {"messages": messages, "requests": requests} if requests else {}


def ask(state: Asking) -> Update:
    """Nothing but the question: the node runs again from its start when the answer comes."""
    question = payload(state["request"], state.get("problem", ""))
    return {"answer": interrupt(question, response_schema=RESPONSE_SCHEMA)}


def ask_again(state: Asking) -> Literal["ask", "__end__"]:
    return "ask" if state["request"]["status"] == UNDECIDED else "__end__"


def ask_each(state: State) -> list[Send] | Literal["__end__"]:
    """The way out of every run: each request that waits, asked in a subgraph of its own."""
    waiting = undecided(state.get("requests") or {})
    return [Send("request", {"request": request}) for request in waiting] or "__end__"
