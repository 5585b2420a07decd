"""What became of a request, as the conversation hears it: always what the shop's books say."""

from typing import Any

from langchain_core.messages import AIMessage

from graph.approvals import Answer, made_id, shown, successor_id
from graph.callers import Deciders
from graph.lookups import major
from graph.prompts import sentence
from graph.state import REFUSED, SUPERSEDED, UNDECIDED, Request, State, remembered
from graph.workplace import Workplace
from tools.errors import (
    AmountTooHigh,
    OrderChanged,
    OrderNotFound,
    RefundRefused,
    RequestDecided,
    RequestSuperseded,
)
from tools.quotes import Quote, quote_refund
from tools.refunds import Decision, LedgerEntry, RefundStatus, apply_refund
from tools.requests import Asked, ask_refund
from tools.standings import Standing, find_standings

Update = dict[str, Any]

GONE: Any = {"status": "dropped"}


async def put_right(workplace: Workplace, subject: str, state: State, language: str) -> Update:
    """Everything that the conversation remembers of requests, as the shop's books have it."""
    held = remembered(state)
    standings = await find_standings(workplace.shop, subject, held)
    updates = [_superseded(standing) for standing in standings.values()]
    updates += [
        await stand(workplace, subject, standing, _status(held, standing))
        for standing in {found.current.request_id: found for found in standings.values()}.values()
    ]
    unknown = held.keys() - standings.keys()
    if unknown or not isinstance(state["requests"], dict):
        updates.append(dropped(sorted(unknown), language))
    told = joined(updates)
    news = {key: value for key, value in told["requests"].items() if value is None or held.get(key) != value}
    return {**told, "requests": news} if news or told["messages"] else {}


def _status(held: dict[str, Request | None], standing: Standing) -> str:
    """What the conversation takes the request for. Superseded it is only where another took its place."""
    request = held.get(standing.current.request_id)
    return request["status"] if request and request["status"] != SUPERSEDED else UNDECIDED


async def stand(workplace: Workplace, subject: str, standing: Standing, status: str) -> Update:
    """How a request stands that the conversation takes for `status`: told when that is news."""
    asked, entry = standing.current, standing.entry
    if entry is not None:
        if entry.status == RefundStatus.SUBMITTED:
            entry = await _end(workplace, subject, entry)
        update = outcome(asked, entry)
        if entry.status == status:
            del update["messages"]
    elif status == REFUSED:
        update = _known(shown(asked, REFUSED))
    elif standing.unchanged:
        update = _known(shown(asked))
    else:
        update = await ask_anew(workplace, subject, asked)
    return {**update, **joined([_superseded(standing), update])}


def _superseded(standing: Standing) -> Update:
    """The request itself, where another took its place."""
    asked = standing.asked
    return {} if asked == standing.current else _known(shown(asked, SUPERSEDED))


async def _end(workplace: Workplace, subject: str, entry: LedgerEntry) -> LedgerEntry:
    """A crash may have left the entry before the provider answered: the same key again ends it."""
    decision = Decision("approve", entry.decided_by, entry.decided_at)
    return await apply_refund(workplace.shop, workplace.provider, subject, entry.request_id, decision)


async def carry_out(
    workplace: Workplace, subject: str, asked: Asked, answer: Answer, who: Deciders
) -> Update:
    """Act on an answer, once for ever a request."""
    decision = Decision(answer.outcome, who.by, who.at, answer.message)
    try:
        entry = await apply_refund(
            workplace.shop, workplace.provider, subject, asked.request_id, decision, amount=answer.amount
        )
    except RequestSuperseded:
        return await _look_again(workplace, subject, asked)
    except OrderChanged:
        return await ask_anew(workplace, subject, asked)
    except (RefundRefused, OrderNotFound) as refusal:
        return _refused(asked, refusal)
    return outcome(asked, entry)


async def ask_anew(workplace: Workplace, subject: str, asked: Asked) -> Update:
    """The same wish at today's figures: another request that takes this one's place."""
    try:
        quote = await _quote_now(workplace, subject, asked)
        new = await _ask(workplace, subject, asked, successor_id(asked, quote), quote)
    except RequestDecided:
        return await _look_again(workplace, subject, asked)
    except (RefundRefused, OrderNotFound) as refusal:
        return _refused(asked, refusal)
    text = sentence("changed", asked.language, order_id=asked.quote.order_id, amount=new.quote.amount)
    update = _told(shown(asked, SUPERSEDED), text)
    update["requests"][new.request_id] = shown(new)
    return {**update, "request": shown(new), "problem": text}


async def ask_again(workplace: Workplace, subject: str, asked: Asked, problem: str, who: Deciders) -> Update:
    """Under its own id; a server that holds this very decision would give it again: under a new one."""
    if not who.stamped:
        return {"request": shown(asked), "problem": problem}
    try:
        new = await _ask(workplace, subject, asked, made_id("again", asked.request_id), asked.quote)
    except RequestDecided:
        return await _look_again(workplace, subject, asked)
    requests = {asked.request_id: shown(asked, SUPERSEDED), new.request_id: shown(new)}
    return {"request": shown(new), "requests": requests, "problem": problem}


async def _look_again(workplace: Workplace, subject: str, asked: Asked) -> Update:
    """It was decided or superseded in this very moment, from another conversation."""
    standing = (await find_standings(workplace.shop, subject, [asked.request_id]))[asked.request_id]
    return await stand(workplace, subject, standing, UNDECIDED)


async def _ask(workplace: Workplace, subject: str, old: Asked, request_id: str, quote: Quote) -> Asked:
    return await ask_refund(
        workplace.shop,
        subject,
        request_id,
        quote,
        whole=old.whole,
        language=old.language,
        supersedes=old.request_id,
    )


async def _quote_now(workplace: Workplace, subject: str, asked: Asked) -> Quote:
    """All that is left where all was asked, else what is left of what was asked."""
    wish = None if asked.whole else major(asked.quote.amount)
    order_id, reason = asked.quote.order_id, asked.quote.reason
    try:
        return await quote_refund(workplace.shop, subject, order_id, amount=wish, reason=reason)
    except AmountTooHigh:
        return await quote_refund(workplace.shop, subject, order_id, reason=reason)


def outcome(asked: Asked, entry: LedgerEntry) -> Update:
    """What the ledger says, in the customer's language."""
    status = str(entry.status)
    text = sentence(
        status if status != RefundStatus.REQUESTED else RefundStatus.SUBMITTED,
        asked.language,
        order_id=entry.order_id,
        amount=entry.amount,
        payee=asked.quote.payee,
    )
    if entry.message:
        text = f"{text} {sentence('message', asked.language, message=entry.message)}"
    return _told({**shown(asked, status), "amount": entry.amount.amount}, text)


def _refused(asked: Asked, refusal: RefundRefused | OrderNotFound) -> Update:
    why = refusal.sentence(asked.language)
    text = sentence("refused", asked.language, order_id=asked.quote.order_id, why=why)
    return _told(shown(asked, REFUSED), text)


def dropped(keys: list[str], language: str) -> Update:
    """Requests of which the shop knows nothing leave the conversation."""
    message = AIMessage(sentence("dropped", language), id=f"refund-{made_id('dropped', *keys)}-dropped")
    return {"messages": [message], "requests": dict.fromkeys(keys), "request": GONE}


def _told(request: Request, text: str) -> Update:
    """The message's id is made from the request's, so that it is said once however often it is put back."""
    card = {name: request[name] for name in ("request_id", "order_id", "amount", "currency", "status")}
    message = AIMessage(
        text, id=f"refund-{request['request_id']}-{request['status']}", additional_kwargs={"refund": card}
    )
    return {**_known(request), "messages": [message]}


def _known(request: Request) -> Update:
    return {"requests": {request["request_id"]: request}, "request": request}


def joined(updates: list[Update]) -> Update:
    """Updates of several requests as one of the conversation's state."""
    messages = [message for update in updates for message in update.get("messages", ())]
    requests = {key: value for update in updates for key, value in update.get("requests", {}).items()}
    return {"messages": messages, "requests": requests}
