"""What became of a request, as the conversation hears it: always what the shop's books say."""

from dataclasses import replace
from functools import partial
from typing import Any

from langchain_core.messages import AIMessage

from graph.approvals import Answer, made_id, next_step, shown, successor_id
from graph.callers import Deciders
from graph.lookups import major
from graph.prompts import sentence
from graph.state import REFUSED, SUPERSEDED, UNDECIDED, Request, State, remembered
from graph.workplace import Workplace
from tools.errors import (
    AmountTooHigh,
    DecidersMissing,
    OrderChanged,
    OrderNotFound,
    RefundRefused,
    RequestDecided,
    RequestExpired,
    RequestSuperseded,
)
from tools.policy import RefundPolicy
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
    policy = workplace.shop.policy
    updates = [_superseded(policy, standing) for standing in standings.values()]
    # One for each that is current, its own where the conversation knows it already.
    own = {found.current.request_id: found for found in sorted(standings.values(), key=_is_current)}
    updates += [
        await stand(workplace, subject, standing, _status(held, standing)) for standing in own.values()
    ]
    unknown = held.keys() - standings.keys()
    if unknown or not isinstance(state["requests"], dict):
        updates.append(dropped(sorted(unknown), language))
    told = joined(updates)
    news = {key: value for key, value in told["requests"].items() if value is None or held.get(key) != value}
    return {**told, "requests": news} if news or told["messages"] else {}


def _is_current(standing: Standing) -> bool:
    return standing.asked == standing.current


def _status(held: dict[str, Request | None], standing: Standing) -> str:
    """What the conversation takes the request for. Superseded it is only where another took its place."""
    request = held.get(standing.current.request_id)
    return request["status"] if request and request["status"] != SUPERSEDED else UNDECIDED


async def stand(workplace: Workplace, subject: str, standing: Standing, status: str) -> Update:
    """How a request stands that the conversation takes for `status`: told when that is news."""
    asked, entry, policy = standing.current, standing.entry, workplace.shop.policy
    if entry is not None:
        if entry.status == RefundStatus.SUBMITTED:
            entry = await _end(workplace, subject, entry)
        update = outcome(policy, asked, entry)
        if entry.status == status:
            del update["messages"]
    elif status == REFUSED:
        update = _known(shown(policy, asked, REFUSED))
    elif standing.expired:
        update = _refused(policy, asked, RequestExpired())
    elif not standing.unchanged:
        update = await ask_anew(workplace, subject, asked)
    elif _is_current(standing):
        update = _known(shown(policy, asked))
    else:
        update = _replaced(policy, standing.asked, asked)
    return {**update, **joined([_superseded(policy, standing), update])}


def _superseded(policy: RefundPolicy, standing: Standing) -> Update:
    """The request itself, where another took its place."""
    asked = standing.asked
    return {} if _is_current(standing) else _known(shown(policy, asked, SUPERSEDED))


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
    except DecidersMissing as missing:
        return await _ask_others(workplace, subject, asked, missing, who)
    except (RefundRefused, OrderNotFound) as refusal:
        return _refused(workplace.shop.policy, asked, refusal)
    return outcome(workplace.shop.policy, asked, entry)


async def ask_anew(workplace: Workplace, subject: str, asked: Asked) -> Update:
    """The same wish at today's figures: another request that takes this one's place."""
    try:
        quote = await _quote_now(workplace, subject, asked)
        new = await _ask(workplace, subject, asked, successor_id(asked, quote), quote)
    except RequestDecided:
        return await _look_again(workplace, subject, asked)
    except (RefundRefused, OrderNotFound) as refusal:
        return _refused(workplace.shop.policy, asked, refusal)
    problem = sentence("changed", asked.language, order_id=asked.quote.order_id)
    return _replaced(workplace.shop.policy, asked, new, problem)


async def _ask_others(
    workplace: Workplace, subject: str, asked: Asked, missing: DecidersMissing, who: Deciders
) -> Update:
    """Too few have decided, or not those whom the policy wants by now."""
    problem = missing.sentence(asked.language)
    if missing.tier == asked.quote.tier:
        return await ask_again(workplace, subject, asked, problem, who)
    quote = replace(asked.quote, tier=missing.tier, because=missing.reason)
    try:
        new = await _ask(workplace, subject, asked, successor_id(asked, quote), quote)
    except RequestDecided:
        return await _look_again(workplace, subject, asked)
    return _replaced(workplace.shop.policy, asked, new, problem)


async def ask_again(workplace: Workplace, subject: str, asked: Asked, problem: str, who: Deciders) -> Update:
    """Under its own id; a server that holds this very decision would give it again: under a new one."""
    policy = workplace.shop.policy
    if not who.stamped:
        return {"request": shown(policy, asked), "problem": problem}
    try:
        new = await _ask(workplace, subject, asked, made_id("again", asked.request_id), asked.quote)
    except RequestDecided:
        return await _look_again(workplace, subject, asked)
    requests = {asked.request_id: shown(policy, asked, SUPERSEDED), new.request_id: shown(policy, new)}
    return {"request": shown(policy, new), "requests": requests, "problem": problem}


def _replaced(policy: RefundPolicy, old: Asked, new: Asked, problem: str = "") -> Update:
    """Another request has taken its place: the customer hears why, and what comes next."""
    request = shown(policy, new)
    update = _told(shown(policy, old, SUPERSEDED), f"{problem} {next_step(request)}".strip())
    update["requests"][new.request_id] = request
    return {**update, "request": request, "problem": problem}


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
        thread_id=old.thread_id,
    )


async def _quote_now(workplace: Workplace, subject: str, asked: Asked) -> Quote:
    """All that is left where all was asked, else what is left of what was asked."""
    old = asked.quote
    quote = partial(
        quote_refund, workplace.shop, subject, old.order_id, reason=old.reason, reason_code=old.reason_code
    )
    by_amount = not asked.whole and not old.pieces
    try:
        return await quote(amount=major(old.amount) if by_amount else None, pieces=old.pieces)
    except AmountTooHigh:
        return await quote()


def outcome(policy: RefundPolicy, asked: Asked, entry: LedgerEntry) -> Update:
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
    return _told({**shown(policy, asked, status), "amount": entry.amount.amount}, text)


def _refused(policy: RefundPolicy, asked: Asked, refusal: RefundRefused | OrderNotFound) -> Update:
    why = refusal.sentence(asked.language)
    text = sentence("refused", asked.language, order_id=asked.quote.order_id, why=why)
    return _told(shown(policy, asked, REFUSED), text)


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
