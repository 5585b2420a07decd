"""Answers to what waits: matched to it, and read in every form they come in.

An interrupt whose payload carries a `policy` asks for an approval: see `core.approvals`. Any other takes any
JSON.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from operator import ge, gt, le, lt
from typing import Any

from jsonschema import Draft202012Validator

from holdfast.errors import Decided, Invalid, NothingPending
from holdfast.redis.records import ThreadRecord

BOUNDS = {
    "minimum": (ge, "at least"),
    "exclusiveMinimum": (gt, "more than"),
    "maximum": (le, "at most"),
    "exclusiveMaximum": (lt, "less than"),
}
INBOX = {"accept": "approve", "edit": "edit", "response": "respond", "ignore": "reject"}
KINDS = {"approve", "edit", "reject", "respond", *INBOX}


@dataclass(frozen=True, slots=True)
class Pending:
    """An interrupt that waits for an answer."""

    interrupt_id: str
    value: Any

    @property
    def policy(self) -> Mapping[str, Any] | None:
        policy = self.value.get("policy") if isinstance(self.value, dict) else None
        return policy if isinstance(policy, dict) and policy.get("request_id") else None

    @property
    def request_id(self) -> str | None:
        return str(self.policy["request_id"]) if self.policy else None


def pending(thread: ThreadRecord) -> list[Pending]:
    return [
        Pending(interrupt["id"], interrupt.get("value"))
        for interrupts in thread.interrupts.values()
        for interrupt in interrupts
    ]


def match(thread: ThreadRecord, resume: Any) -> list[tuple[Pending, Any]] | None:
    """What a resume answers, each with its answer; None when it is for LangGraph to make sense of.

    What waits no more is not among it. Raises `NothingPending` (409) when it answers a decided request, or
    does not say which one it means.
    """
    waiting = {one.interrupt_id: one for one in pending(thread)}
    by_id = resume if is_map(resume) else None
    if by_id is None:
        chosen = choose(thread, list(waiting.values()))
        if chosen is None and len(waiting) > 1:
            return None
        by_id = {chosen.interrupt_id: resume} if chosen else {}
    for interrupt_id in by_id.keys() - waiting.keys():
        check_gone(thread, interrupt_id, waiting.values())
    return [
        (waiting[interrupt_id], value) for interrupt_id, value in by_id.items() if interrupt_id in waiting
    ]


def is_map(resume: Any) -> bool:
    """Whether a resume is `{interrupt_id: value}`: an interrupt's id is 32 hexadecimal digits."""
    return (
        isinstance(resume, dict)
        and bool(resume)
        and all(len(key) == 32 and not set(key) - set("0123456789abcdef") for key in resume)
    )


def choose(thread: ThreadRecord, waiting: Sequence[Pending]) -> Pending | None:
    """What a bare answer means: never a guess, so a request must be the only one, on an idle thread."""
    approvals = [one for one in waiting if one.policy]
    if approvals and (len(waiting) > 1 or thread.status == "busy"):
        ids = ", ".join(one.interrupt_id for one in waiting)
        raise NothingPending(f"Say which interrupt this answers, as {{id: answer}}. Waiting: {ids}.")
    return waiting[0] if len(waiting) == 1 else None


def check_gone(thread: ThreadRecord, interrupt_id: str, waiting: Any) -> None:
    """Refuses the answer to a request that does not wait any more; to a plain interrupt it has no effect."""
    for request_id, decision in thread.decisions.items():
        if decision.get("interrupt_id") == interrupt_id:
            raise Decided(request_id, decision["by"], decision["at"])
    approvals = [one.interrupt_id for one in waiting if one.policy]
    if approvals:
        raise NothingPending(f"Interrupt {interrupt_id} is not waiting. Waiting: {', '.join(approvals)}.")


def is_decision(resume: Any) -> bool:
    """Whether an answer has a form that only an answer to a request has."""
    kinds = [one.get("type") if isinstance(one, dict) else None for one in listed(resume)]
    return bool(kinds) and all(isinstance(kind, str) and kind in KINDS for kind in kinds)


def listed(answer: Any) -> list[Any]:
    given = answer.get("decisions") if isinstance(answer, dict) and "decisions" in answer else answer
    return given if isinstance(given, list) else [given]


def read_decisions(request: Mapping[str, Any], answer: Any) -> list[dict[str, Any]]:
    """An answer in LangChain's form, whichever of the forms in use it came in. Raises `Invalid`."""
    given = listed(answer)
    actions, configs = request.get("action_requests") or [], request.get("review_configs") or []
    if len(given) != len(actions):
        raise Invalid(f"Send {len(actions)} decision(s), one for each action, in order; got {len(given)}.")
    schema = (request.get("policy") or {}).get("edit_schema")
    return [
        read_decision(action, allowed(action, configs), schema, one)
        for action, one in zip(actions, given, strict=True)
    ]


def allowed(action: Mapping[str, Any], configs: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    for config in configs:
        if config.get("action_name") == action["name"]:
            return list(config.get("allowed_decisions") or ())
    return ("approve", "reject")


def read_decision(
    action: Mapping[str, Any], kinds: Sequence[str], schema: Mapping[str, Any] | None, given: Any
) -> dict[str, Any]:
    form = f'a decision is {{"type": {" | ".join(kinds)}}}'
    if not isinstance(given, dict) or not isinstance(given.get("type"), str):
        raise Invalid(f"The answer is not understood: {form}.")
    kind = INBOX.get(given["type"], given["type"])
    if kind not in kinds:
        raise Invalid(f"{given['type']!r} is not a decision that this request takes: {form}.")
    if kind == "edit":
        return {"type": "edit", "edited_action": read_edit(action, schema, given)}
    message = given.get("message", given.get("args") if given["type"] in INBOX else None)
    if message is None or kind == "approve":
        return {"type": kind}
    if not isinstance(message, str):
        raise Invalid("`message` must be text.")
    return {"type": kind, "message": message}


def read_edit(
    action: Mapping[str, Any], schema: Mapping[str, Any] | None, given: Mapping[str, Any]
) -> dict[str, Any]:
    edited = given.get("edited_action", given.get("args"))
    if isinstance(edited, dict) and "action" in edited and "name" not in edited:
        edited = {"name": edited["action"], "args": edited.get("args")}
    if not isinstance(edited, dict) or not isinstance(edited.get("args"), dict):
        raise Invalid('An edit is {"type": "edit", "edited_action": {"name": …, "args": {…}}}.')
    if edited.get("name") != action["name"]:
        raise Invalid(f"An edit may change the arguments only: the action is {action['name']!r}.")
    if schema is not None:
        check_edit(schema, edited["args"])
    return {"name": action["name"], "args": edited["args"]}


def check_edit(schema: Mapping[str, Any], args: Mapping[str, Any]) -> None:
    """JSON Schema, and its bounds for decimal text too: amounts travel as text so that none is rounded."""
    for error in Draft202012Validator(dict(schema)).iter_errors(dict(args)):
        where = "".join(f"{part}: " for part in error.absolute_path)
        raise Invalid(f"The edit is refused: {where}{error.message}.")
    for name, rule in (schema.get("properties") or {}).items():
        if name in args and isinstance(rule, dict):
            check_bounds(name, rule, args[name])


def check_bounds(name: str, rule: Mapping[str, Any], value: Any) -> None:
    for bound, (holds, words) in BOUNDS.items():
        if bound in rule and not holds(amount(value), Decimal(str(rule[bound]))):
            raise Invalid(f"The edit is refused: {name} must be {words} {rule[bound]}.")


def amount(value: Any) -> Decimal:
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise Invalid(f"The edit is refused: {value!r} is not an amount.")
    return found
