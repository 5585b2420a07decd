"""What of a conversation a model is sent: the newest turns that fit, never a call without its result."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from graph.handoff import is_by_operator
from graph.languages import plain_text
from graph.lookups import dumps
from graph.state import HandbackNote, Request
from tools.money import Money

INTERRUPTED = dumps(
    {"error": {"code": "interrupted", "message": "This call was interrupted; call again if needed."}}
)
NOTE = "The shop's records, as this conversation knows them (undecided: waits for confirmation):"
HANDED_BACK = "What colleagues noted for you when they gave this conversation back, the newest last:"
BY_COLLEAGUE = "[A colleague of the shop wrote:] "
REQUESTS_NOTED = 10
_MESSAGE_SHARE = 4


def tokens_in(text: str) -> int:
    """About: a Chinese character is three bytes and roughly a token, four English letters a little less."""
    return len(text.encode("utf-8", "replace")) // 3 + 4


def compose(messages: Sequence[AnyMessage], *, system: str, note: str, budget: int) -> list[BaseMessage]:
    """The prompt, at most about `budget` tokens of dialogue after the system messages. The customer's last
    message is always in it; a single message takes at most a quarter of the budget."""
    limit = max(budget // _MESSAGE_SHARE, 100)
    kept: list[list[BaseMessage]] = []
    left, heard = budget, False
    for block in _blocks_backwards(messages):
        short = [_shorten(message, limit) for message in block]
        cost = sum(_cost(message) for message in short)
        if cost > left and kept:
            if heard:
                break
            # The turn alone is too long: its oldest steps go, the question stays.
            if not isinstance(block[0], HumanMessage):
                continue
        kept.append(short)
        left -= cost
        heard = heard or isinstance(block[0], HumanMessage)
    dialogue = [message for block in reversed(kept) for message in block]
    opening: list[BaseMessage] = [SystemMessage(system)]
    if note:
        opening.append(SystemMessage(note))
    return opening + _question_last(_from_first_question(dialogue))


def describe(facts: Any, requests: dict[str, Request], notes: Sequence[HandbackNote] = ()) -> str:
    """What must be known when older turns are left out: the orders looked at, how their refunds stand, and
    what colleagues noted."""
    handed_back = f"{HANDED_BACK} {dumps([*notes])}" if notes else ""
    return "\n".join(part for part in (_records(facts, requests), handed_back) if part)


def _records(facts: Any, requests: dict[str, Request]) -> str:
    refunds = [
        {"order_id": r["order_id"], "amount": str(Money(r["amount"], r["currency"])), "status": r["status"]}
        for r in list(requests.values())[-REQUESTS_NOTED:]
    ]
    looked_up = list(facts.values()) if isinstance(facts, dict) else []
    if not looked_up and not refunds:
        return ""
    known = {"orders_looked_up_so_far": looked_up, "refund_requests": refunds}
    return f"{NOTE} {dumps(known)}"


def _blocks_backwards(messages: Sequence[AnyMessage]) -> Iterator[list[BaseMessage]]:
    """Newest first: a question, an answer, or an answer's calls with all of their results."""
    results: dict[str, ToolMessage] = {}
    for message in reversed(messages):
        match message:
            case ToolMessage():
                results[message.tool_call_id] = message
            case AIMessage(tool_calls=[_, *_]):
                yield [message, *_results_of(message, results)]
            case AIMessage():
                yield [_as_answer(message)]
            case _:
                yield [_as_question(message)]


def _results_of(message: AIMessage, results: dict[str, ToolMessage]) -> Iterator[ToolMessage]:
    for call in message.tool_calls:
        known = results.get(str(call["id"]))
        yield known or ToolMessage(INTERRUPTED, tool_call_id=str(call["id"]), status="error")


def _as_answer(message: AIMessage) -> AIMessage:
    """As the shop's side said it; a colleague's words are known as such, for names break some servers."""
    by = BY_COLLEAGUE if is_by_operator(message) else ""
    return AIMessage(by + message.text, id=message.id) if by or message.name else message


def _as_question(message: BaseMessage) -> HumanMessage:
    """Whatever a client put in, system messages too, is the customer speaking; names break some servers."""
    return HumanMessage(plain_text(message.text) or "[attachment]", id=message.id)


def _shorten(message: BaseMessage, limit: int) -> BaseMessage:
    text = message.text
    if tokens_in(text) <= limit:
        return message
    half = limit // 2
    return message.model_copy(update={"content": f"{text[:half]} … [shortened] … {text[-half:]}"})


def _cost(message: BaseMessage) -> int:
    calls: Iterable[Any] = getattr(message, "tool_calls", ())
    return tokens_in(message.text) + sum(tokens_in(str(call["args"])) for call in calls)


def _from_first_question(dialogue: list[BaseMessage]) -> list[BaseMessage]:
    first = next((n for n, message in enumerate(dialogue) if isinstance(message, HumanMessage)), 0)
    return dialogue[first:]


def _question_last(dialogue: list[BaseMessage]) -> list[BaseMessage]:
    """Outcomes that were put back when the customer's message came in belong before it."""
    asked = max((n for n, message in enumerate(dialogue) if isinstance(message, HumanMessage)), default=-1)
    tail = dialogue[asked + 1 :]
    if asked < 0 or not tail or any(not _is_plain(message) for message in tail):
        return dialogue
    return [*dialogue[:asked], *tail, dialogue[asked]]


def _is_plain(message: BaseMessage) -> bool:
    return isinstance(message, AIMessage) and not message.tool_calls
