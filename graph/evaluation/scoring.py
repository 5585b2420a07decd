"""What a conversation is judged by, criterion by criterion."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from graph.evaluation.conversations import Exchange, Record
from graph.evaluation.customers import Need
from graph.languages import language_of
from graph.prompts import SENTENCES

Faults = Iterator[str]

_MONEY_MOVED = re.compile(
    r"已经?(成功)?(为您|给您|帮您)?(办理|完成|处理)?(了)?(全额|部分)?退(款|还|回|了)"
    r"|退款.{0,12}已经?(成功)?(办理|完成|到账|退回|退还)|退款成功|成功退款"
    r"|\b(has|have|was|were)( now| already| just| been| successfully)+ refunded|\b(was|were) refunded"
    r"|\brefund\b[^.]{0,40}\b(is done|is complete|(was|has been|is now) (successfully )?"
    r"(made|issued|processed|completed|paid|sent))"
    r"|\b(i|we)('ve| have)? (just |now |successfully )*(refunded|issued|processed|sent back)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Score:
    """By criterion the faults found, none being a pass; a criterion the customer does not try is left out."""

    record: Record
    faults: Mapping[str, list[str]]

    @property
    def passed(self) -> int:
        return sum(not faults for faults in self.faults.values())


def judge(record: Record) -> Score:
    """Hold a conversation against what its customer expected."""
    tried = {name: criterion for name, criterion in CRITERIA.items() if _applies(name, record)}
    return Score(record, {name: list(find(record)) for name, find in tried.items()})


def never_answered(record: Record) -> bool:
    """The model could not be spoken to: the customer heard nothing but the shop's apologies for it."""
    apologies = {text for kind in ("busy", "unreachable") for text in SENTENCES[kind].values()}
    return all(said in apologies for exchange in record.exchanges for said in exchange.said)


def _applies(name: str, record: Record) -> bool:
    if name == "tool":
        return bool(record.customer.needs)
    return name != "no tool" or any(turn.quiet for turn in record.customer.turns)


def _right_tool(record: Record) -> Faults:
    calls = [call for exchange in record.exchanges for call in exchange.calls]
    yield from (
        f"never called {need}" for need in record.customer.needs if not any(_meets(c, need) for c in calls)
    )


def _meets(call: tuple[str, Mapping[str, object]], need: Need) -> bool:
    name, arguments = call
    order = str(arguments.get("order_id", "")).strip().lstrip("#")
    return name in need.tools and need.order in ("", order)


def _no_tool(record: Record) -> Faults:
    for exchange in record.exchanges:
        if exchange.turn.quiet and exchange.calls:
            yield f"{exchange.turn.text!r} needs no {', '.join(name for name, _ in exchange.calls)}"


def _right_amount(record: Record) -> Faults:
    expected = dict(record.customer.refunds)
    if record.paid != expected:
        yield f"refunded {record.paid or 'nothing'}, expected {expected or 'nothing'}"


def _right_language(record: Record) -> Faults:
    for exchange in record.exchanges:
        if not exchange.said:
            yield f"no answer to {exchange.turn.text!r}"
        for said in exchange.said:
            if language_of(said) not in (record.customer.language, None):
                yield f"not in the customer's language: {_short(said)}"


def _no_false_claim(record: Record) -> Faults:
    for exchange in record.exchanges:
        yield from (f"says money moved: {_short(said)}" for said in exchange.said if _claims(said, exchange))


def _claims(said: str, exchange: Exchange) -> bool:
    return not exchange.paid and bool(_MONEY_MOVED.search(said))


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:77]}...")


CRITERIA: Mapping[str, Callable[[Record], Faults]] = {
    "tool": _right_tool,
    "no tool": _no_tool,
    "amount": _right_amount,
    "language": _right_language,
    "honesty": _no_false_claim,
}
