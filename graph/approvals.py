"""A refund request as it is asked, and the answers to it as they may come back."""

import uuid
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from graph.lookups import REQUEST_REFUND, major
from graph.prompts import label, sentence, word
from graph.state import UNDECIDED, Request, Terms
from tools.errors import RefundRefused
from tools.money import Money, exponent_of, parse_amount
from tools.policy import OWNER, RefundPolicy, Tier
from tools.quotes import UNSTATED, Quote
from tools.requests import Asked

REQUEST_IDS = uuid.UUID("5c1d3c5e-6f5b-4d5e-9c8e-2f6f1c0b7a31")


class AnswerRefused(Exception):
    """The answer cannot be acted on: nothing is paid, and the question is asked again with `sentence`."""

    def __init__(self, key: str, language: str, **fields: object) -> None:
        self.sentence = sentence(key, language, **fields)
        super().__init__(self.sentence)


@dataclass(frozen=True, slots=True)
class Answer:
    outcome: Literal["approve", "reject"]
    amount: Money
    message: str = ""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Approve(Strict):
    type: Literal["approve"]


class Reject(Strict):
    type: Literal["reject"]
    message: str = ""  # a no counts however long it is; the ledger keeps its beginning


def whole(value: Any) -> Any:
    """A number without a fraction as the integer that it is: JSON does not tell 5.0 from 5."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Arguments(Strict):
    amount: Annotated[str | int, BeforeValidator(whole)]
    order_id: str | None = None
    currency: str | None = None
    reason: str | None = None


class Action(Strict):
    name: Literal["request_refund"]
    args: Arguments


class Edit(Strict):
    type: Literal["edit"]
    edited_action: Action


class Decisions(Strict):
    decisions: list[Approve | Edit | Reject] = Field(min_length=1, max_length=1)


RESPONSE_SCHEMA: dict[str, Any] = Decisions.model_json_schema()


def amount_of(request: Request) -> Money:
    return Money(request["amount"], request["currency"])


def read_answer(value: Any, request: Request) -> Answer:
    """LangChain's `{"decisions": [one]}` and nothing else. Raises AnswerRefused."""
    language = request["language"]
    try:
        decision = Decisions.model_validate(value).decisions[0]
    except ValidationError:
        raise AnswerRefused("answer_malformed", language) from None
    match decision:
        case Approve():
            return Answer("approve", amount_of(request))
        case Reject(message=message):
            return Answer("reject", amount_of(request), message)
        case Edit(edited_action=action):
            return Answer("approve", _lowered(action.args, request))


def _lowered(edited: Arguments, request: Request) -> Money:
    language, asked = request["language"], amount_of(request)
    unchanged = ("order_id", "currency", "reason")
    if any(getattr(edited, name) not in (None, request[name]) for name in unchanged):  # type: ignore[literal-required]
        raise AnswerRefused("answer_edit", language)
    try:
        amount = parse_amount(edited.amount, asked.currency)
    except RefundRefused as refusal:
        raise AnswerRefused("answer_malformed", language) from refusal
    if amount.amount > asked.amount:
        raise AnswerRefused("answer_too_high", language, amount=asked)
    return amount


def shown(policy: RefundPolicy, asked: Asked, status: str = UNDECIDED) -> Request:
    """A request as the conversation shows it: what the shop wrote down when it was asked, and its status."""
    quote = asked.quote
    return {
        "request_id": asked.request_id,
        "status": status,
        "language": asked.language,
        "order_id": quote.order_id,
        "order_version": quote.order_version,
        "amount": quote.amount.amount,
        "paid": quote.paid.amount,
        "refunded": quote.refunded.amount,
        "currency": quote.amount.currency,
        "items": list(quote.items),
        "reason": quote.reason,
        "reason_code": quote.reason_code,
        "payee": quote.payee,
        "payee_hash": quote.payee_hash,
        "terms": terms(policy.tier(quote.tier), asked),
        "supersedes": asked.supersedes,
    }


def terms(tier: Tier, asked: Asked) -> Terms:
    remind_at = tier.remind_after and asked.asked_at + tier.remind_after
    return {
        "version": asked.policy_version,
        "reason": asked.quote.because,
        "roles": list(tier.roles),
        "deciders": tier.deciders,
        "exclude_requester": tier.exclude_requester,
        "expires_at": asked.expires_at.isoformat() if asked.expires_at else None,
        "remind_at": remind_at.isoformat() if remind_at else None,
        "escalate_to": list(tier.escalate_to),
    }


def next_step(request: Request) -> str:
    """What the customer is told to expect: to confirm it, or that the shop's people look at it first."""
    key = "confirm"
    if OWNER not in request["terms"]["roles"]:
        key = "operator_first" if request["terms"]["deciders"] == 1 else "operators_first"
    return sentence(key, request["language"], order_id=request["order_id"], amount=amount_of(request))


def made_id(*parts: object) -> str:
    """A request's id follows from what it is asked for: made again after a crash, it is the same request."""
    return str(uuid.uuid5(REQUEST_IDS, repr(parts)))


def successor_id(asked: Asked, quote: Quote) -> str:
    """The id of the request that takes this one's place with these figures."""
    bound = (quote.order_version, quote.amount.amount, quote.refunded.amount, quote.payee_hash, quote.tier)
    return made_id("successor", asked.request_id, *bound)


def payload(request: Request, problem: str = "") -> dict[str, Any]:
    """LangChain's HITL request, with what a desk shows (`display`) and who may answer (`policy`)."""
    language, amount = request["language"], amount_of(request)
    args = {
        "order_id": request["order_id"],
        "amount": major(amount),
        "currency": request["currency"],
        "reason": request["reason"],
    }
    text = label("description", language, order_id=request["order_id"], amount=amount, payee=request["payee"])
    return {
        "action_requests": [{"name": REQUEST_REFUND, "args": args, "description": text}],
        "review_configs": [
            {"action_name": REQUEST_REFUND, "allowed_decisions": ["approve", "edit", "reject"]}
        ],
        "display": display(request, problem),
        "policy": policy(request),
    }


def display(request: Request, problem: str) -> dict[str, Any]:
    """Figures from the shop's database are facts; words of people and of the model are quotes."""
    language, currency = request["language"], request["currency"]
    facts = [
        ("order", request["order_id"], "id"),
        ("amount", str(amount_of(request)), "money"),
        ("paid", str(Money(request["paid"], currency)), "money"),
        ("refunded", str(Money(request["refunded"], currency)), "money"),
        ("payee", request["payee"], "text"),
        ("decides", deciders_of(request), "text"),
    ]
    if problem:
        facts.append(("problem", problem, "notice"))
    quotes = [("items", item) for item in request["items"]]
    if request["reason"]:
        quotes.append(("reason", request["reason"]))
    if request["reason_code"] != UNSTATED:
        quotes.append(("reason_code", word(request["reason_code"], language)))
    return {
        "title": label("title", language, order_id=request["order_id"]),
        "facts": [
            {"label": label(key, language), "value": value, "kind": kind} for key, value, kind in facts
        ],
        "tables": [],
        "quotes": [{"source": label(key, language), "text": text} for key, text in quotes],
    }


def deciders_of(request: Request) -> str:
    """Who decides and why, in words; of a reason that has none, its code."""
    language, terms = request["language"], request["terms"]
    who = ", ".join(label("owner", language) if role == OWNER else role for role in terms["roles"])
    why = word(terms["reason"], language)
    return label("deciders", language, who=who, count=terms["deciders"], why=why)


def policy(request: Request) -> dict[str, Any]:
    """Who decides by when; only the amount may be changed, and only downwards.

    What `read_answer` would refuse, the schema refuses first: a decision that was taken cannot be put right.
    """
    amount, terms = amount_of(request), request["terms"]
    decimals = exponent_of(amount.currency)
    part = rf"(\.[0-9]{{1,{decimals}}})?" if decimals else ""
    fixed = {name: {"const": request[name]} for name in ("order_id", "currency", "reason")}
    return {
        "request_id": request["request_id"],
        **{name: value for name, value in terms.items() if name != "escalate_to"},
        "on_expiry": {"escalate": terms["escalate_to"]} if terms["escalate_to"] else "reject",
        "edit_schema": {
            "type": "object",
            "properties": {
                **fixed,
                "amount": {
                    "title": label("amount", request["language"]),
                    "type": ["string", "integer"],
                    "pattern": rf"^[0-9]{{1,13}}{part}$(?!\n)",  # in Python $ comes before a last newline too
                    # For the decimal text as for a number: whoever reads the schema compares values.
                    "exclusiveMinimum": 0,
                    "maximum": float(major(amount)),
                },
            },
            "required": ["amount"],
            "additionalProperties": False,
        },
        "supersedes": request["supersedes"],
    }
