"""What a conversation remembers. Plain JSON-able data, so that every checkpointer keeps it as it is.

What it remembers of requests is for showing only: whoever may write a thread's state may write anything
there, so it is read as carefully as a stranger's words, and the shop's books say what is true.
"""

from typing import Annotated, Any, NotRequired

from langchain_core.messages import AnyMessage
from langgraph.graph.message import add_messages
from langgraph.managed import RemainingSteps
from pydantic import Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

UNDECIDED = "undecided"
SUPERSEDED = "superseded"
REFUSED = "refused"
FACTS_KEPT = 8
REQUESTS_READ = 100

MinorUnits = Annotated[int, Field(ge=0)]


@with_config(strict=True)
class Terms(TypedDict):
    """Who decides, by the policy: as an approval's `policy` has it."""

    version: int
    reason: str
    roles: list[str]
    deciders: int
    exclude_requester: bool
    expires_at: str | None
    remind_at: str | None
    escalate_to: list[str]


@with_config(strict=True)
class Request(TypedDict):
    """A refund somebody has to answer for: the quote's figures (minor units) as they are asked.
    `status` is `undecided`, `superseded`, `refused`, or what the ledger says of it."""

    request_id: str
    status: str
    language: str
    order_id: str
    order_version: int
    amount: MinorUnits
    paid: MinorUnits
    refunded: MinorUnits
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    items: list[str]
    reason: str
    reason_code: str
    payee: str
    payee_hash: str
    terms: Terms
    supersedes: str | None


class HandbackNote(TypedDict):
    """What a person wrote for the model when giving the conversation back."""

    by: str
    note: str
    at: str


_REQUEST = TypeAdapter(Request)
_NOTES = TypeAdapter(list[HandbackNote])


def merge_requests(old: Any, new: Any) -> dict[str, Any]:
    """What is said of a request takes the place of what was; None forgets it."""
    merged = {**_mapping(old), **_mapping(new)}
    return {key: value for key, value in merged.items() if value is not None}


def collect_requests(old: Any, new: Any) -> dict[str, Any]:
    """As merge_requests, but on the way to the conversation: it has yet to hear what to forget."""
    return {**_mapping(old), **_mapping(new)}


def merge_facts(old: Any, new: Any) -> dict[str, Any]:
    """The newest facts of the last orders looked at; a fresh look moves an order to the end."""
    new = _mapping(new)
    kept = {key: value for key, value in _mapping(old).items() if key not in new} | new
    return dict(list(kept.items())[-FACTS_KEPT:])


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


class Said(TypedDict):
    """What a client may put in: requests and counters are not a client's to write."""

    messages: Annotated[list[AnyMessage], add_messages]


class Told(Said):
    """What a client is shown."""

    requests: Annotated[dict[str, Request], merge_requests]


class State(Told):
    facts: Annotated[dict[str, Any], merge_facts]
    heard: NotRequired[str | None]
    notes: NotRequired[list[HandbackNote]]
    model_turns: NotRequired[int]
    tool_calls: NotRequired[int]
    repairs: NotRequired[int]
    remaining_steps: RemainingSteps


class Outcome(TypedDict):
    """What one request tells its conversation."""

    messages: Annotated[list[AnyMessage], add_messages]
    requests: Annotated[dict[str, Request], collect_requests]


class Asking(Outcome):
    """One request on its way from the question to its outcome. `request` is what is shown of it."""

    request: Request
    answer: NotRequired[Any]
    problem: NotRequired[str]


def read_request(value: Any) -> Request | None:
    """A request as it can be shown; None when it is not one."""
    try:
        return _REQUEST.validate_python(value)
    except ValidationError:
        return None


def read_notes(state: Any) -> list[HandbackNote]:
    """What was noted for the model; nothing where that cannot be read."""
    try:
        return _NOTES.validate_python(state.get("notes") or [])
    except ValidationError:
        return []


def remembered(state: Any) -> dict[str, Request | None]:
    """The conversation's last requests by id; None where what it holds under that id cannot be read."""
    held = list(_mapping(state.get("requests")).items())[-REQUESTS_READ:]
    return {str(key): _under(str(key), value) for key, value in held}


def _under(key: str, value: Any) -> Request | None:
    request = read_request(value)
    return request if request and request["request_id"] == key else None


def requests_in(state: Any) -> dict[str, Request]:
    """Those of them that can be shown."""
    return {key: request for key, request in remembered(state).items() if request}


def undecided(state: Any) -> list[Any]:
    """Those that wait for an answer, and by its id alone what cannot be read: the books may know it."""
    return [
        request or {"request_id": key, "status": UNDECIDED}
        for key, request in remembered(state).items()
        if request is None or request["status"] == UNDECIDED
    ]
