"""What the customer wants, rule by rule, and what the demo model does about it.

A rule is a pattern a language and a function of the request. The first rule that matches answers.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest

from graph.demo import phrases
from graph.demo.conversation import Conversation
from graph.demo.obedience import obey_everything
from graph.demo.phrases import Phrase
from graph.demo.reading import Language, find_amounts, find_orders, language_of, normal
from graph.demo.replies import Call, Reply
from graph.demo.results import tell

REASON_LENGTH = 100

TECHNICAL = re.compile(
    r"蓝牙|配对|固件|连不上|连不了|开不了机|充不进电|重置|怎么(设置|安装|连接)"
    r"|\bbluetooth\b|\bpair(ing)?\b|\bfirmware\b|\bset (it )?up\b|\b(factory )?reset\b"
    r"|\bwon't (turn on|charge|connect)\b|\b(does not|doesn't) (turn on|charge|connect)\b",
    re.IGNORECASE,
)
_NOTED_ORDER = re.compile(r"order_id[\"'\s:=]+#?([A-Za-z0-9-]{1,32})")


@dataclass(frozen=True, slots=True)
class Turn:
    """The customer's last message with what was read off it."""

    conversation: Conversation
    text: str
    language: Language
    orders: list[str]
    amounts: list[str]

    @property
    def known_orders(self) -> list[str]:
        """The orders this message is about: named in it, or else the last one of the conversation."""
        return self.orders or _last_order(self.conversation)

    def say(self, phrase: Phrase, **values: str) -> Reply:
        return Reply(phrase[self.language].format(**values))

    def call(self, *calls: Call) -> Reply:
        """These calls, as far as their tools are offered."""
        offered = tuple(call for call in calls if call.name in self.conversation.tools)
        return Reply(calls=offered) if offered else self.say(phrases.CANNOT)


def answer(conversation: Conversation, *, obey: bool = False) -> Reply:
    """The demo model's next turn in this conversation."""
    commanded = obey_everything(conversation) if obey else ()
    if commanded:
        return Reply(calls=commanded)
    turn = read_turn(conversation)
    results = conversation.fresh_results()
    if results:
        return Reply(tell(results, turn.language, refund_wanted=wants_refund(turn.text)))
    if conversation.answered:
        return turn.say(phrases.ANYTHING_ELSE)
    return specialize(turn) or next(rule.act(turn) for rule in RULES if rule.pattern.search(turn.text))


def specialize(turn: Turn) -> Reply | None:
    """What is about devices goes to the agent for them, whose model looks into its manual; None where there
    is neither."""
    tools = turn.conversation.tools
    if "search_manual" in tools:
        return turn.call(Call.of("search_manual", query=turn.text))
    if "hand_off" in tools and TECHNICAL.search(turn.text):
        return turn.call(Call.of("hand_off", question=turn.text))
    return None


def read_turn(conversation: Conversation) -> Turn:
    texts = [normal(text) for text in conversation.user_texts]
    text = texts[-1] if texts else ""
    return Turn(conversation, text, language_of(texts), find_orders(text), find_amounts(text))


def _last_order(conversation: Conversation) -> list[str]:
    for message in reversed(conversation.messages):
        called = [str(order) for call in message.calls if (order := call.read().get("order_id"))]
        named = find_orders(normal(message.text)) if message.role == "user" else []
        if called or named:
            return [(called or named)[-1]]
    return _last_noted_order(conversation)


def _last_noted_order(conversation: Conversation) -> list[str]:
    """The order that the facts kept of older turns name last: they come in a system message."""
    notes = "\n".join(message.text for message in conversation.messages if message.role == "system")
    return _NOTED_ORDER.findall(notes)[-1:]


def ask_person(turn: Turn) -> Reply:
    if "talk_to_person" not in turn.conversation.tools:
        return turn.say(phrases.NO_PERSON)
    return turn.call(Call.of("talk_to_person", reason=_reason(turn)))


def tell_refund_time(turn: Turn) -> Reply:
    orders = turn.known_orders
    return turn.say(phrases.REFUND_TIME_OF, order=orders[0]) if orders else turn.say(phrases.REFUND_TIME)


def find_out(turn: Turn) -> Reply:
    if "search_knowledge" not in turn.conversation.tools:
        return turn.say(phrases.POLICY)
    return turn.call(Call.of("search_knowledge", query=turn.text))


def look_up(turn: Turn) -> Reply:
    return _for_orders(turn, "query_order")


def track(turn: Turn) -> Reply:
    return _for_orders(turn, "query_logistics")


def list_orders(turn: Turn) -> Reply:
    return turn.call(Call.of("list_orders"))


def refund(turn: Turn) -> Reply:
    """A single order is looked up first: the customer hears the facts before he is asked anything."""
    orders = turn.known_orders
    if not orders:
        return turn.say(phrases.WHICH_ORDER)
    if len(orders) == 1 and not turn.amounts and not _looked_up(turn.conversation, orders[0]):
        return look_up(turn)
    spread = turn.amounts if len(turn.amounts) > 1 else turn.amounts * len(orders)
    pairs = zip_longest(orders, spread[: len(orders)])
    return turn.call(*(_refund_call(order, amount, turn) for order, amount in pairs))


def _refund_call(order: str, amount: str | None, turn: Turn) -> Call:
    return Call.of("request_refund", order_id=order, amount=amount, reason=_reason(turn))


def confirm(turn: Turn) -> Reply:
    """A bare yes is about a refund only when that is what was asked."""
    asked = normal(turn.conversation.last_answer)
    return refund(turn) if asked.endswith("?") and wants_refund(asked) else turn.say(phrases.DEMO)


def say(phrase: Phrase) -> Callable[[Turn], Reply]:
    return lambda turn: turn.say(phrase)


def _for_orders(turn: Turn, tool: str) -> Reply:
    if orders := turn.known_orders:
        return turn.call(*(Call.of(tool, order_id=order) for order in orders))
    if "list_orders" in turn.conversation.tools:
        return list_orders(turn)
    return turn.say(phrases.WHICH_ORDER)


def _looked_up(conversation: Conversation, order: str) -> bool:
    return any(call.read().get("order_id") == order for call in conversation.calls)


def _reason(turn: Turn) -> str:
    return turn.text[:REASON_LENGTH]


@dataclass(frozen=True, slots=True)
class Rule:
    pattern: re.Pattern[str]
    act: Callable[[Turn], Reply]


def _rule(act: Callable[[Turn], Reply], *patterns: str) -> Rule:
    return Rule(re.compile("|".join(patterns), re.IGNORECASE), act)


_WHEN_ZH = "(多久|多长时间|几天|什么时候|何时)"
_NO_ORDER_EN = r"^(?!(?s:.*)(#|\d{4}|\b(my|this|orders?|package|parcel)\b))"
_YES_ZH = "(好的?|是的?|对的?|可以|行|嗯|确认|同意|没问题|需要|要|[,。.!!~吧啊呀哦 ])"
_WANTS_REFUND = re.compile(
    r"退|赔|\brefund|\bmoney back\b|\breturn(ing)?\b|\bsend (it|them) back\b|\breimburse",
    re.IGNORECASE,
)


def wants_refund(text: str) -> bool:
    return bool(_WANTS_REFUND.search(text))


RULES = [
    _rule(
        ask_person,
        r"人工|真人|转接|找.{0,4}(客服|人来)",
        r"\b(talk|speak|chat|connect|transfer|put)\b.*\b(person|human|someone|agent|representative|colleague)\b",
        r"\ba (real |live )?(person|human)\b|\bhuman (agent|being)\b|\brepresentative\b",
    ),
    _rule(
        find_out,
        r"政策|规则|规定|无理由|退货期|(几天|多久)之?内",
        r"运费|包邮|配送(时间|范围|费)|发货时间|收货地址",
        r"\b(shipping|delivery) (cost|fee|time|address|polic)|\bfree (shipping|delivery)\b",
        rf"{_NO_ORDER_EN}.*\bhow (long|much|many days|fast|soon)\b.*\b(shipping|delivery|ship|deliver)\b",
        rf"{_NO_ORDER_EN}.*\bdo you (ship|deliver)\b",
        r"\bpolic(y|ies)\b|\breturn (window|period)\b|\brules?\b|\bhow (long|many days) do i have\b",
    ),
    _rule(
        tell_refund_time,
        rf"到账|[退钱款].*{_WHEN_ZH}|{_WHEN_ZH}.*[退钱款]",
        r"\bhow (long|many days|soon|fast)\b.*\b(refund|money)|\b(refund|money)\b.*\bhow (long|soon)\b",
        r"\bwhen\b.*\b(refund|money)\b",
    ),
    _rule(
        look_up,
        r"退款.*(进度|状态|了吗|了没|怎么样|成功)",
        r"\brefund\b.*\b(status|through|done|arrived?|progress)\b|\b(status|progress)\b.*\brefund\b",
    ),
    _rule(
        say(phrases.KEPT),
        r"(不要|不用|不想|(?<!还)不|别)退|取消退款|不用了|算了",
        r"\b(do not|don't|no) (want )?(a |the |to )?refund|\bcancel the refund|\bnever mind\b",
        r"^no[,. !]*(thanks?|thank you)?[,. !]*$",
    ),
    _rule(
        track,
        rf"到哪|物流|快递|运单|配送|派送|发货|送到|包裹|{_WHEN_ZH}(能|会)?到",
        r"\bwhere('s| is| are)\b.*\b(orders?|package|parcel|delivery|it)\b",
        r"\btrack|\bshipp|\bshipment|\bdeliver|\bcourier",
    ),
    _rule(refund, _WANTS_REFUND.pattern),
    _rule(
        list_orders,
        r"(我的|哪些|所有|全部|最近的?)订单(?! ?#?\d)|订单列表|买了(什么|哪些)",
        r"\b(my|all|recent|list|past)\b.*\borders\b|\border history\b|\bwhat (have|did) i (bought|buy|order)",
    ),
    _rule(
        confirm,
        rf"^{_YES_ZH}+(请|麻烦您?)?(帮我)?(办理|处理)?{_YES_ZH}*$",
        r"^(yes|yeah|yep|y|ok|okay|sure|please do|go ahead|do it|confirm(ed)?)\b"
        r"[ ,.!]*(please|go ahead|do it)?[ .!]*$",
    ),
    _rule(look_up, r"订单|#\s?[a-z0-9]|\border\b|\d{4,}"),
    _rule(say(phrases.THANKS), r"谢", r"\bthank|\bthx\b|\bcheers\b"),
    _rule(say(phrases.FAREWELL), r"再见|拜拜", r"\b(good)?bye\b|\bsee you\b"),
    _rule(
        say(phrases.GREETING),
        r"你好|您好|在吗|早上好|晚上好",
        r"^(hi|hello|hey)\b|\bgood (morning|afternoon|evening|day)\b",
    ),
    _rule(say(phrases.DEMO), r""),
]
