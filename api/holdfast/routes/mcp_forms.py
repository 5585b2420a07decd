"""What waits, as a form that an MCP client shows to a person (elicitation), and the answer to it."""

from collections.abc import Iterator, Mapping
from typing import Any

from mcp.types import ElicitRequest, ElicitRequestFormParams, ElicitResult

from holdfast.core.answers import Pending
from holdfast.core.chat import display
from holdfast.core.tools import Question
from holdfast.events import dump

DECISIONS = ("approve", "reject")  # what a form may ask for; an edit needs the desk or the tool `answer`
DECISION = {
    "type": "object",
    "properties": {
        "decision": {"type": "string", "title": "Decision", "enum": list(DECISIONS)},
        "message": {"type": "string", "title": "Message", "description": "Why, if it is rejected"},
    },
    "required": ["decision"],
}
FREE = {
    "type": "object",
    "properties": {"answer": {"type": "string", "title": "Answer"}},
    "required": ["answer"],
}


def form(question: Question) -> ElicitRequest:
    one = question.pending
    schema = DECISION if is_request(one) else FREE
    asked = ElicitRequestFormParams(message="\n".join(lines(one)), requested_schema=schema)
    return ElicitRequest(params=asked)


def is_request(one: Pending) -> bool:
    return isinstance(one.value, dict) and bool(one.value.get("action_requests"))


def lines(one: Pending) -> Iterator[str]:
    """What is asked, in words; what people or a model said stands in quotation marks, behind who said it."""
    shown = display(one)
    if not (isinstance(shown, dict) and "facts" in shown):
        yield dump(shown).decode()
        return
    yield str(shown.get("title") or "")
    for fact in shown["facts"]:
        yield f"{fact.get('label')}: {fact.get('value')}"
    for table in shown.get("tables") or ():
        yield dump(table).decode()
    for quote in shown.get("quotes") or ():
        yield f"{quote.get('source')}: {dump(quote.get('text')).decode()}"


def read(one: Pending | None, response: Any) -> dict[str, Any] | None:
    """The answer to a question, by the key `value`; None where the person gave none.

    Of what waits no more (`one` is None) only that somebody answered it is of interest.
    """
    if not isinstance(response, ElicitResult) or response.action == "cancel":
        return None
    given = response.content or {}
    if one is not None and not is_request(one):
        return {"value": given["answer"]} if response.action == "accept" and "answer" in given else None
    decision = given.get("decision") if response.action == "accept" else "reject"
    if decision not in DECISIONS:
        return None
    return {"value": decided(one, str(decision), given.get("message"))}


def decided(one: Pending | None, decision: str, message: Any) -> Mapping[str, Any]:
    made = {"type": decision, "message": message} if message and decision == "reject" else {"type": decision}
    actions = one.value["action_requests"] if one else ()
    return {"decisions": [made for _ in actions or (None,)]}
