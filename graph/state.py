"""What a conversation remembers. Plain JSON-able data, so that every checkpointer keeps it as it is."""

from typing import Annotated, Any, NotRequired

from langchain_core.messages import AnyMessage
from langgraph.graph.message import add_messages
from langgraph.managed import RemainingSteps
from typing_extensions import TypedDict

UNDECIDED = "undecided"
SUPERSEDED = "superseded"
REFUSED = "refused"
FACTS_KEPT = 8


class Request(TypedDict):
    """A refund somebody has to answer for: the quote's figures (minor units) as they are asked.
    `status` is `undecided`, `superseded`, `refused`, or what the ledger says of it."""

    request_id: str
    tool_call_id: str
    status: str
    language: str
    order_id: str
    order_version: int
    amount: int
    paid: int
    refunded: int
    currency: str
    items: list[str]
    reason: str
    payee: str
    payee_hash: str
    whole: bool
    supersedes: str | None


def merge_requests(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {**old, **{key: {**old.get(key, {}), **value} for key, value in new.items()}}


def merge_facts(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The newest facts of the last orders looked at; a fresh look moves an order to the end."""
    kept = {key: value for key, value in old.items() if key not in new} | new
    return dict(list(kept.items())[-FACTS_KEPT:])


class Said(TypedDict):
    """What a client may put in: requests and counters are not a client's to write."""

    messages: Annotated[list[AnyMessage], add_messages]


class Told(Said):
    """What a client is shown."""

    requests: Annotated[dict[str, Request], merge_requests]


class State(Told):
    facts: Annotated[dict[str, Any], merge_facts]
    model_turns: NotRequired[int]
    tool_calls: NotRequired[int]
    repairs: NotRequired[int]
    remaining_steps: RemainingSteps


class Asking(TypedDict):
    """One request on its way from the question to its outcome."""

    request: Request
    answer: NotRequired[Any]
    problem: NotRequired[str]
    messages: Annotated[list[AnyMessage], add_messages]
    requests: Annotated[dict[str, Request], merge_requests]


def undecided(requests: dict[str, Request]) -> list[Request]:
    return [request for request in requests.values() if request["status"] == UNDECIDED]
