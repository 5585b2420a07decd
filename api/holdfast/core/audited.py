"""Requests for approval as they are kept, held against what the audit trail says of them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
from pydantic import BaseModel, ValidationError

from holdfast.core.kept import Kept, Line, Raw, is_gone, read_kept, read_raw
from holdfast.core.platform import Platform
from holdfast.core.trail import Chain, Deed, Finding, Request
from holdfast.core.votes import kind_of
from holdfast.errors import Invalid
from holdfast.redis import approvals as stored
from holdfast.redis import traces
from holdfast.redis.acts import details_of
from holdfast.redis.audit import digest

TRIES = 10
BEGINS = ("requested", "reopened")
STATUS = dict.fromkeys(BEGINS, "open") | {
    kind: kind for kind in ("decided", "expired", "superseded", "withdrawn")
}
ABOUT = {"created_at", "salt", "requester"}  # of a card, what its question does not say
# Earlier versions put no digest of what these say into the trail.
ONCE_WITHOUT_DIGEST = ("carried_out", "escalated", "superseded")

Names = Mapping[str, str]  # of those who were not erased, by pseudonym


class Complaint(NamedTuple):
    """Something that is wrong or, where it is not `sure`, that cannot be known any more."""

    what: str
    sure: bool = True


@dataclass(slots=True)
class Checked:
    requests: int = 0
    gone: int = 0
    findings: list[Finding] = field(default_factory=list)
    unchecked: list[Finding] = field(default_factory=list)

    def add(self, lane: int, request: Request, complaint: Complaint) -> None:
        where = f"request {request[1]} of thread {request[0]}"
        (self.findings if complaint.sure else self.unchecked).append(Finding(lane, where, complaint.what))


async def check_requests(
    platform: Platform, chain: Chain, names: Names, kept: Collection[Request]
) -> Checked:
    """Checks all requests of the chain's lane: those that it tells of, and those that are kept."""
    checked = Checked()
    for request in sorted({*chain.deeds, *kept}):
        raw = await read_raw(platform, request)
        found = judge(raw, chain.deeds.get(request, ()), names)
        if found:
            raw, found = await judge_again(platform, chain, names, request, raw)
        checked.requests += 1
        checked.gone += is_gone(raw)
        for complaint in found:
            checked.add(chain.lane, request, complaint)
    return checked


async def judge_again(
    platform: Platform, chain: Chain, names: Names, request: Request, raw: Raw
) -> tuple[Raw, list[Complaint]]:
    """Servers go on meanwhile: what is wrong counts once the request was the same before and after the trail
    was read on."""
    for _ in range(TRIES):
        await chain.read(platform)
        before, raw = raw, await read_raw(platform, request)
        if before == raw:
            break
    return raw, judge(raw, chain.deeds.get(request, ()), names)


# judged


def judge(raw: Raw, deeds: Sequence[Deed], names: Names) -> list[Complaint]:
    """What is wrong with a request, by the trail's entries about it."""
    if is_gone(raw):
        return list(check_gone(deeds))
    if not deeds:
        return [Complaint("is kept, and the trail knows nothing of it")]
    try:
        kept = read_kept(raw)
    except (ValueError, ValidationError):
        return [Complaint("what is kept of it is nothing that the server writes")]
    life = life_of(kept, deeds)
    return [complaint for check in CHECKS for complaint in check(kept, life, names)]


def check_gone(deeds: Sequence[Deed]) -> Iterator[Complaint]:
    """Threads go with their requests; while one waits, an entry says so."""
    told = [deed for deed in deeds if deed.kind in STATUS or deed.kind == "deleted"]
    if told and STATUS.get(told[-1].kind) == "open":
        yield Complaint(f"waits, says entry {told[-1].seq}, but is not kept any more")


def life_of(kept: Kept, deeds: Sequence[Deed]) -> Sequence[Deed]:
    """The entries about this request: a thread of the same id may have had one of the same id before."""
    asked = digest(kept.card.salt, kept.question)
    begun_at = str(kept.history[0].at) if kept.history else ""
    begun = [index for index, deed in enumerate(deeds) if deed.kind == "requested"]

    def likely(index: int) -> tuple[bool, bool]:
        return deeds[index].at == begun_at, deeds[index].digest == asked

    return deeds[max(begun, key=likely, default=0) :]


def check_question(kept: Kept, life: Sequence[Deed], names: Names) -> Iterator[Complaint]:
    """It may have been asked in other words before: those are not kept."""
    first, last = life[0], next((deed for deed in reversed(life) if deed.kind == "requested"), life[0])
    yield from compare(kept.card.salt, kept.question, last.digest, "its question", last)
    yield from compare_details(kept, kept.card, last, "what its card says of its owner, its run or its time")
    if kept.card.tenant != last.tenant:
        yield Complaint(f"its card is of another tenant than entry {last.seq}")
    if not same_person(kept.card.requester, first, names):
        yield Complaint(f"its card names another as who asked than entry {first.seq}")


def check_history(kept: Kept, life: Sequence[Deed], names: Names) -> Iterator[Complaint]:
    for line, deed in zip(kept.history, life, strict=False):
        if (str(line.at), line.kind) != (deed.at, deed.kind):
            yield Complaint(f"its history and entry {deed.seq} tell different things")
            return
        if not same_person(line.by, deed, names):
            yield Complaint(f"its history names another than entry {deed.seq} ({deed.kind})")
        yield from check_line(kept, line, deed)
    for deed in life[len(kept.history) :]:
        yield Complaint(f"its history lacks what entry {deed.seq} ({deed.kind}) tells")
    for line in kept.history[len(life) :]:
        yield Complaint(f"its history tells of something ({line.kind}) that the trail does not know")


def check_line(kept: Kept, line: Line, deed: Deed) -> Iterator[Complaint]:
    if deed.digest and deed.kind != "requested":
        yield from compare(kept.card.salt, line.said, deed.digest, "what its history says", deed)
    elif line.said is not None and deed.kind not in ONCE_WITHOUT_DIGEST:
        yield Complaint(f"its history says more than entry {deed.seq} ({deed.kind})")


def check_outcome(kept: Kept, life: Sequence[Deed], _names: Names) -> Iterator[Complaint]:
    """That of the first run that carried the decision out, as the history has it."""
    since = len(life) - len(round_of(life, BEGINS))
    told = [line.said for line in kept.history[since:] if line.kind == "carried_out"]
    if kept.outcome != (told[0] if told else None):
        yield Complaint("its outcome is not what its history says of the run")


def check_status(kept: Kept, life: Sequence[Deed], _names: Names) -> Iterator[Complaint]:
    last = [deed for deed in life if deed.kind in STATUS][-1:]
    if last and kept.status != STATUS[last[0].kind]:
        yield Complaint(f"is {kept.status}, but by entry {last[0].seq} it is {STATUS[last[0].kind]}")


def check_rules(kept: Kept, _life: Sequence[Deed], _names: Names) -> Iterator[Complaint]:
    """The card repeats what the question says: who may decide, how many, until when, and the figures."""
    try:
        asked = stored.ask("", kept.question, {"requester": ""})
    except (Invalid, KeyError, TypeError, AttributeError):
        yield Complaint("its question is nothing that a server keeps")
        return
    card = kept.card.model_dump(mode="json")
    rules = {name: rule for name, rule in orjson.loads(asked.card).items() if name not in ABOUT}
    others = [name for name, rule in rules.items() if name in card and card[name] != rule]
    if others:
        yield Complaint(f"its card says another {', '.join(others)} than its question")


def check_roles(kept: Kept, life: Sequence[Deed], _names: Names) -> Iterator[Complaint]:
    since = round_of(life, BEGINS)
    others = kept.card.escalates_to if any(deed.kind == "escalated" for deed in since) else None
    if kept.roles != others:
        yield Complaint("is for others to decide than its policy and the trail say")


def check_votes(kept: Kept, life: Sequence[Deed], names: Names) -> Iterator[Complaint]:
    """The votes that count are the last ones: an edit voids those before it."""
    cast = [deed for deed in round_of(life, (*BEGINS, "escalated")) if deed.kind in ("voted", "decided")]
    votes = kept.votes
    if len(votes) > len(cast):
        yield Complaint("has a vote that the trail does not know")
        return
    voided = len(cast) - len(votes)
    found: list[Complaint] = []
    for vote, deed in zip(votes, cast[voided:], strict=True):
        found += compare(kept.card.salt, {"decisions": vote.decisions}, deed.digest, "the vote", deed)
        if deed.kind == "voted":
            found += compare_details(kept, vote, deed, "the time of the vote")
        if vote.type != kind_of(vote.decisions):
            found.append(Complaint(f"the vote of entry {deed.seq} is said to be another than it is"))
        if not same_person(vote.by, deed, names):
            found.append(Complaint(f"the vote is by another than entry {deed.seq} says"))
    yield from found
    if voided and not found and not (votes and kind_of(votes[0].decisions) == "edit"):
        yield Complaint(f"lacks the vote of entry {cast[voided - 1].seq}")


def round_of(life: Sequence[Deed], kinds: Sequence[str]) -> Sequence[Deed]:
    """The entries since the last one of these kinds."""
    begun = [index for index, deed in enumerate(life) if deed.kind in kinds]
    return life[begun[-1] + 1 :] if begun else life


def check_decision(kept: Kept, life: Sequence[Deed], _names: Names) -> Iterator[Complaint]:
    """It has to be what the votes make, and made when the last one was cast."""
    decision = kept.decision
    if (decision is not None) != (kept.status in ("decided", "expired")):
        yield Complaint(f"is {kept.status}, {'with a' if decision else 'without a'} decision")
        return
    if decision is None:
        return
    if decision.value.get("decisions") != made(kept) or not same_names(decision.by, deciders(kept)):
        yield Complaint("its decision is not the one that was made")
    if decision.asked != kept.question.get("action_requests"):
        yield Complaint("its decision is about something else than its question")
    if kept.status == "decided" and kept.votes and decision.at != kept.votes[-1].at:
        yield Complaint("its decision and its last vote are of different times")
    for deed in [deed for deed in life if deed.kind in ("decided", "expired")][-1:]:
        yield from compare_details(kept, decision, deed, "the time or the interrupt of its decision")


def made(kept: Kept) -> list[dict[str, Any]] | None:
    """What the votes decide; time that has run out decides by itself."""
    if kept.status == "expired":
        said = kept.decision.value.get("decisions", []) if kept.decision else []
        return said if {one.get("type") for one in said} <= {"reject"} else None
    if not kept.votes:
        return None
    return kept.votes[-1 if by_one(kept) else 0].decisions


def deciders(kept: Kept) -> list[str]:
    if kept.status == "expired":
        return []
    return [vote.by for vote in (kept.votes[-1:] if by_one(kept) else kept.votes)]


def by_one(kept: Kept) -> bool:
    """Whether the last vote decides by itself: anything but a yes does."""
    last = kept.votes[-1].decisions if kept.votes else []
    return not {str(one.get("type")) for one in last} <= {"approve", "edit"}


def check_carried(kept: Kept, _life: Sequence[Deed], _names: Names) -> Iterator[Complaint]:
    """What the thread hands to the graph."""
    carried, decision = kept.carried, kept.decision
    if carried is None:
        return
    if decision is None:
        yield Complaint("its thread holds a decision that was not made")
    elif carried != decision.model_copy(update={"by": carried.by}) or not same_names(carried.by, decision.by):
        yield Complaint("its thread holds another decision than was made")


CHECKS = (
    check_question, check_history, check_outcome, check_status, check_rules, check_roles, check_votes,
    check_decision, check_carried,
)  # fmt: skip


# compared


def compare(salt: str, value: Any, expected: str, what: str, deed: Deed) -> Iterator[Complaint]:
    if digest(salt, value) == expected:
        return
    if is_nameless(value):
        yield Complaint(
            f"{what} named somebody who was erased: it cannot be held against entry {deed.seq}", False
        )
    else:
        yield Complaint(f"{what} is not that of entry {deed.seq} ({deed.kind})")


def compare_details(kept: Kept, one: BaseModel, deed: Deed, what: str) -> Iterator[Complaint]:
    """Of a card, a vote or a decision; entries of earlier versions do not cover them."""
    if deed.details:
        yield from compare(kept.card.salt, details_of(one.model_dump()), deed.details, what, deed)


def is_nameless(value: Any, *, named: bool = False) -> bool:
    """Whether an erasure may have taken a name out of it."""
    match value:
        case dict():
            return any(is_nameless(item, named=key in traces.NAMED) for key, item in value.items())
        case list():
            return any(is_nameless(item, named=named) for item in value)
    return named and value == traces.NOBODY


def same_person(name: str, deed: Deed, names: Names) -> bool:
    """Whether a name is that of who did it, as far as that is still known; "" where nobody did."""
    return name == "" if deed.actor == "" else deed.actor not in names or names[deed.actor] == name


def same_names(one: Sequence[str], other: Sequence[str]) -> bool:
    """An erasure takes a name out of one place after the other."""
    return len(one) == len(other) and all(
        a == b or traces.NOBODY in (a, b) for a, b in zip(one, other, strict=True)
    )
