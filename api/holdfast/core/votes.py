"""What an answer to a request comes to: whether its author may give it, and whether it decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from holdfast.core.answers import read_decisions
from holdfast.errors import Conflict, Decided, Forbidden, NothingPending
from holdfast.redis.approvals import Approval
from holdfast.redis.records import Caller
from holdfast.redis.stats import DecisionKind
from holdfast.wire.approvals import OWNER

Decisions = list[dict[str, Any]]

COUNTED_AS: dict[str, DecisionKind] = {
    "approve": "approved",
    "edit": "edited",
    "reject": "rejected",
    "respond": "answered",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The votes with the new one, and the decision that they make, if they do.

    `kind` is what it counts as.
    """

    votes: list[dict[str, Any]]
    said: dict[str, Any]
    decision: dict[str, Any] | None = None
    kind: DecisionKind = "approved"

    @property
    def act(self) -> str:
        return "decided" if self.decision else "voted"

    @property
    def kept(self) -> dict[str, Any]:
        """What is kept of it: the decision, else the vote."""
        return self.decision or self.votes[-1]


def judge(
    approval: Approval, question: Mapping[str, Any], caller: Caller, answer: Any, now: datetime
) -> Verdict:
    """Raises `Forbidden` (403), `NothingPending` and `Conflict` (409), and `Invalid` (422)."""
    check_open(approval, now)
    check_role(approval, caller)
    check_claim(approval, caller, now)
    decisions = read_decisions(question, answer)
    kind = kind_of(decisions)
    new = {"by": caller.subject, "at": now.isoformat(), "type": kind, "decisions": decisions}
    said = {"decisions": decisions}
    if kind not in ("approve", "edit"):
        decision = decide(approval, question, decisions, [caller.subject], now)
        return Verdict([*approval.votes, new], said, decision, COUNTED_AS[kind])
    votes = counting([] if kind == "edit" else approval.votes, new)
    by = [vote["by"] for vote in votes]
    if len(by) < approval.card["deciders"]:
        return Verdict(votes, said)
    decided = votes[0]["decisions"]
    return Verdict(votes, said, decide(approval, question, decided, by, now), COUNTED_AS[kind_of(decided)])


def decide(
    approval: Approval, question: Mapping[str, Any], decisions: Decisions, by: list[str], now: datetime
) -> dict[str, Any]:
    """The decision as the graph is given it."""
    return {
        "value": {"decisions": decisions},
        "by": by,
        "at": now.isoformat(),
        "interrupt_id": approval.interrupt_id,
        "asked": question.get("action_requests"),  # what it holds for
    }


def kind_of(decisions: Decisions) -> str:
    """What several decisions, one for each action, come to as one vote: the one that holds up most."""
    kinds = {decision["type"] for decision in decisions}
    return next((kind for kind in ("reject", "respond", "edit") if kind in kinds), "approve")


def counting(votes: Sequence[Mapping[str, Any]], new: dict[str, Any]) -> list[dict[str, Any]]:
    """Approvals of different people; the first says of what: an edit voids those before it."""
    for vote in votes:
        if vote["by"] == new["by"]:
            raise Conflict(f"You approved this at {vote['at']}: somebody else has to decide as well.")
    return [*map(dict, votes), new]


def check_open(approval: Approval, now: datetime) -> None:
    """Raises `NothingPending` unless the request waits for an answer."""
    match approval.status:
        case "decided" | "expired" if approval.decision and approval.decision["by"]:
            raise Decided(approval.request_id, approval.decision["by"], approval.decision["at"])
        case "expired":
            raise NothingPending(f"This request expired at {moment(approval.due)}.")
        case "superseded":
            raise NothingPending("This request was superseded: another one has taken its place.")
        case "withdrawn":
            raise NothingPending("This request was withdrawn: nobody waits for an answer any more.")
    if approval.due and approval.due <= now:
        raise NothingPending(f"This request expired at {moment(approval.due)}.")


def moment(due: datetime | None) -> str:
    return due.isoformat() if due else "some time ago"


def check_role(approval: Approval, caller: Caller) -> None:
    """Raises `Forbidden` unless the caller is among those who are asked."""
    if OWNER in approval.roles and caller.subject == approval.owner:
        return
    if not set(approval.roles) & set(caller.roles):
        raise Forbidden(f"This request is for {' or '.join(approval.roles)} to decide.")
    if approval.card["exclude_requester"] and caller.subject in (approval.card["requester"], approval.owner):
        raise Forbidden("This request is not for the one who asked to decide.")


def check_claim(approval: Approval, caller: Caller, now: datetime) -> None:
    """Raises `Conflict` while somebody else has the request in hand."""
    claim = claimed(approval, now)
    if claim and claim["by"] != caller.subject:
        raise Conflict(f"{claim['by']} has claimed this request until {claim['until']}.")


def claimed(approval: Approval, now: datetime) -> dict[str, Any] | None:
    claim = approval.claim
    return claim if claim and datetime.fromisoformat(claim["until"]) > now else None
