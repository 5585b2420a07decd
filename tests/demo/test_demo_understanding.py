import pytest

from graph.demo import phrases
from graph.demo.conversation import Message
from graph.demo.phrases import Phrase
from graph.demo.reading import find_amounts, find_orders, normal
from graph.demo.understanding import answer
from tests.demo.talks import ORDER, TOOLS, assistant, called, reply_to, talk, used, user

LOOKED_UP = (
    user("我要退订单 #12345"),
    *used("query_order", ORDER, order_id="12345"),
    assistant("订单 #12345(iPhone 16)。可退 7999.00 CNY。需要我为您办理退款吗？"),
)
LOOKED_UP_EN = (
    user("I want to return order #12345"),
    *used("query_order", ORDER, order_id="12345"),
    assistant("Order #12345 (iPhone 16). 7999.00 CNY can be refunded. Shall I arrange the refund?"),
)


@pytest.mark.parametrize(
    "text",
    [
        "What is your return policy?",
        "how much is shipping to Japan",
        "How long does shipping take?",
        "How many days does it take to deliver?",
        "how fast do you ship to Japan",
        "Do you have free delivery?",
        "你们的退货政策是什么?",
        "运费多少",
        "几天内可以退货?",
    ],
)
def test_rules_of_the_shop_are_looked_up_where_it_has_pages(text: str) -> None:
    tools = (*TOOLS, "search_knowledge")
    assert called(reply_to(user(text), tools=tools)) == [("search_knowledge", {"query": normal(text)})]


@pytest.mark.parametrize(
    ("text", "language", "phrase"),
    [
        ("你好", "zh", phrases.GREETING),
        ("Hello!", "en", phrases.GREETING),
        ("谢谢你", "zh", phrases.THANKS),
        ("Thanks a lot", "en", phrases.THANKS),
        ("再见", "zh", phrases.FAREWELL),
        ("bye", "en", phrases.FAREWELL),
        ("你们的退货政策是什么?", "zh", phrases.POLICY),
        ("几天内可以退货?", "zh", phrases.POLICY),
        ("What is your return policy?", "en", phrases.POLICY),
        ("How long do I have to return something?", "en", phrases.POLICY),
        ("退款多久到账?", "zh", phrases.REFUND_TIME),
        ("钱什么时候退给我", "zh", phrases.REFUND_TIME),
        ("How long does a refund take?", "en", phrases.REFUND_TIME),
        ("when will I get my money back", "en", phrases.REFUND_TIME),
        ("帮我退款", "zh", phrases.WHICH_ORDER),
        ("I want my money back", "en", phrases.WHICH_ORDER),
        ("先不退了", "zh", phrases.KEPT),
        ("I don't want a refund any more", "en", phrases.KEPT),
        ("No, thank you.", "en", phrases.KEPT),
        ("今天天气怎么样?", "zh", phrases.DEMO),
        ("Write me a poem about the sea", "en", phrases.DEMO),
        ("好的", "zh", phrases.DEMO),
    ],
)
def test_words_that_need_no_tool(text: str, language: str, phrase: Phrase) -> None:
    reply = reply_to(user(text))
    assert reply.calls == ()
    assert reply.text == phrase["zh" if language == "zh" else "en"]


@pytest.mark.parametrize(
    ("text", "tool", "arguments"),
    [
        ("我要退订单 #12345", "query_order", {"order_id": "12345"}),
        ("I want to return order #12345", "query_order", {"order_id": "12345"}),
        ("查一下订单12345", "query_order", {"order_id": "12345"}),
        ("What is the status of order 12345?", "query_order", {"order_id": "12345"}),
        ("#12345", "query_order", {"order_id": "12345"}),
        ("订单 #12345 到哪了", "query_logistics", {"order_id": "12345"}),
        ("where is my order 20001?", "query_logistics", {"order_id": "20001"}),
        ("订单到哪了", "list_orders", {}),
        ("Where is my order?", "list_orders", {}),
        ("How long will the delivery of my order take?", "list_orders", {}),
        ("how long does shipping of 12345 take", "query_logistics", {"order_id": "12345"}),
        ("How long is delivery?\nIt is order 12345.", "query_logistics", {"order_id": "12345"}),
        ("How soon will you deliver #A-77?", "query_logistics", {"order_id": "A-77"}),
        ("Has it shipped?", "list_orders", {}),
        ("我的订单有哪些", "list_orders", {}),
        ("Please list my orders", "list_orders", {}),
        ("订单 12345 退 100 元", "request_refund", {"order_id": "12345", "amount": "100 CNY"}),
        ("refund $20 of order 20001", "request_refund", {"order_id": "20001", "amount": "20 USD"}),
        ("给我退1,234.5元,订单#A-77", "request_refund", {"order_id": "A-77", "amount": "1234.5 CNY"}),
        ("退款 3000 日元 订单 20002", "request_refund", {"order_id": "20002", "amount": "3000 JPY"}),
    ],
)
def test_what_is_asked_of_a_tool(text: str, tool: str, arguments: dict[str, str]) -> None:
    assert called(reply_to(user(text))) == [(tool, arguments)]


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("refund order 12346 10 USD", ["10 USD"]),
        ("refund RMB 10 of order 12346", ["10 CNY"]),
        ("订单12346退5美元", ["5 USD"]),
        ("订单12346退 \uffe55", ["5 CNY"]),
        ("refund 5€ of order 12346", ["5 EUR"]),
        ("refund 20. It is order 12346", ["20"]),
        ("refund order 12346 -5 CNY", ["-5 CNY"]),
        ("refund -$5 of order 12346", ["-5 USD"]),
        ("订单12346退款-5元", ["-5 CNY"]),
        ("订单12346退负5元", ["-5 CNY"]),
        ("order 12346 - 5 CNY please", ["5 CNY"]),
        ("refund order 12346 1e3 CNY", ["1e3 CNY"]),
        ("refund 1e3 of order 12346", ["1e3"]),
        ("refund 10,5 EUR of order 12346", ["10,5 EUR"]),
        ("refund 12346 5.555 CNY", ["5.555 CNY"]),
        ("订单12346退一百元", ["一百 CNY"]),
        ("订单12346退3万元", ["3万 CNY"]),
        ("refund 50% of order 12346", []),
        ("我想一块退了,订单 12346", []),
        ("订单12346退2件", []),
    ],
)
def test_a_sum_is_handed_on_as_it_was_said(text: str, amounts: list[str]) -> None:
    assert find_amounts(normal(text)) == amounts
    assert find_orders(normal(text)) == ["12346"]


@pytest.mark.parametrize("text", ["转人工", "我要找人工客服", "a person please", "I want to talk to a human"])
def test_a_person_is_called_where_that_can_be_done(text: str) -> None:
    assert called(reply_to(user(text))) == [("talk_to_person", {})]
    alone = reply_to(user(text), tools=("query_order",))
    assert alone.calls == ()
    assert alone.text in phrases.NO_PERSON.values()


@pytest.mark.parametrize("text", ["好的,帮我退款", "好的，帮我退款", "好的", "好的！", "可以,请办理", "退吧"])
def test_a_yes_after_the_look_up_asks_for_the_refund(text: str) -> None:
    assert called(reply_to(*LOOKED_UP, user(text))) == [("request_refund", {"order_id": "12345"})]


@pytest.mark.parametrize("text", ["OK, please refund it", "yes", "Sure, go ahead.", "refund it"])
def test_an_english_yes_asks_for_the_refund_too(text: str) -> None:
    assert called(reply_to(*LOOKED_UP_EN, user(text))) == [("request_refund", {"order_id": "12345"})]


def test_part_of_an_order_known_from_the_history() -> None:
    part = [("request_refund", {"order_id": "12345", "amount": "100 CNY"})]
    assert called(reply_to(*LOOKED_UP, user("退 100 元就行"))) == part
    assert called(reply_to(*LOOKED_UP_EN, user("just refund 100 yuan"))) == part


@pytest.mark.parametrize("text", ["refund orders 12346 and 12347", "订单12346和12347都要退款"])
def test_two_orders_are_two_calls_in_one_message(text: str) -> None:
    assert called(reply_to(user(text))) == [
        ("request_refund", {"order_id": "12346"}),
        ("request_refund", {"order_id": "12347"}),
    ]


def test_two_amounts_go_with_their_orders() -> None:
    assert called(reply_to(user("Refund $5 of order 20001 and $7.50 of order 20002"))) == [
        ("request_refund", {"order_id": "20001", "amount": "5 USD"}),
        ("request_refund", {"order_id": "20002", "amount": "7.50 USD"}),
    ]


@pytest.mark.parametrize(
    ("text", "said"), [("退款多久到账?", "订单 #12345"), ("how long does the refund take?", "order #12345")]
)
def test_how_long_a_refund_takes_is_answered_from_the_history(text: str, said: str) -> None:
    reply = reply_to(*LOOKED_UP, user(text))
    assert reply.calls == ()
    assert said in reply.text


def test_the_history_tells_which_order_is_meant() -> None:
    assert called(reply_to(*LOOKED_UP, user("到哪了?"))) == [("query_logistics", {"order_id": "12345"})]
    assert called(reply_to(*LOOKED_UP, user("and where is it now?"))) == [
        ("query_logistics", {"order_id": "12345"})
    ]


def test_facts_kept_of_older_turns_tell_it_too() -> None:
    note = Message("system", '{"orders_looked_up_so_far": [{"order_id": "20007", "paid": "9800"}]}')
    assert called(reply_to(note, user("帮我退款"))) == [("query_order", {"order_id": "20007"})]


def test_an_order_named_by_a_tool_result_only_is_nobodys_wish() -> None:
    listed = used("list_orders", "refund order 99999")
    assert (
        reply_to(user("我的订单"), *listed, assistant("…"), user("帮我退款")).text
        == phrases.WHICH_ORDER["zh"]
    )


def test_only_offered_tools_are_called() -> None:
    reply = reply_to(user("refund $20 of order 20001"), tools=("query_order",))
    assert reply.calls == ()
    assert reply.text == phrases.CANNOT["en"]


def test_a_message_without_words_keeps_the_language() -> None:
    history = (
        user("Hello"),
        assistant("Hello!"),
        user("12345"),
        *used("query_order", ORDER, order_id="12345"),
    )
    assert reply_to(*history).text.startswith("Order #12345")


def test_full_width_digits_are_digits() -> None:
    reply = reply_to(user("查订单\uff03\uff11\uff12\uff13\uff14\uff15"))
    assert called(reply) == [("query_order", {"order_id": "12345"})]


def test_nothing_is_asked_twice_when_the_shop_has_spoken_since() -> None:
    reply = reply_to(*LOOKED_UP, user("好的,帮我退款"), assistant("退款已办理。"))
    assert reply.calls == ()
    assert reply.text == phrases.ANYTHING_ELSE["zh"]


def test_an_empty_conversation_is_met_too() -> None:
    assert answer(talk()).text == phrases.DEMO["en"]
