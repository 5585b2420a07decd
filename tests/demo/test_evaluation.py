from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from graph.demo import DemoModel, Say, Script, ScriptedCall, Status
from graph.evaluation import CRITERIA, CUSTOMERS, Customer, Need, Turn, hold_conversations, judge
from graph.evaluation.__main__ import evaluate, main, show
from graph.evaluation.conversations import Exchange, Record
from graph.settings import Settings

REFUND_IT = Turn("Refund order 12348")
HELLO = Turn("Hello", quiet=True)
NEED = Need(("request_refund",), "12348")
CUSTOMER = Customer("c", "en", (REFUND_IT,), (NEED,), refunds={"12348": "1"})


def record(customer: Customer, *exchanges: tuple[Turn, list[tuple[str, Any]], str, dict[str, str]]) -> Record:
    return Record(customer, [Exchange(turn, calls, [said], paid) for turn, calls, said, paid in exchanges])


def faults(customer: Customer, turn: Turn, calls: Any, said: str, paid: dict[str, str]) -> dict[str, bool]:
    score = judge(record(customer, (turn, calls, said, paid)))
    return {name: bool(found) for name, found in score.faults.items()}


def test_there_are_ten_customers_of_both_languages_who_try_everything() -> None:
    assert len(CUSTOMERS) == 10
    assert {customer.language for customer in CUSTOMERS} == {"zh", "en"}
    assert len({customer.name for customer in CUSTOMERS}) == 10


def test_a_good_refund_passes_every_criterion() -> None:
    call = ("request_refund", {"order_id": "#12348"})
    assert faults(CUSTOMER, REFUND_IT, [call], "It has been refunded.", {"12348": "1"}) == {
        "tool": False,
        "amount": False,
        "language": False,
        "honesty": False,
    }


@pytest.mark.parametrize(
    ("calls", "said", "paid", "fault"),
    [
        ([], "Fine.", {"12348": "1"}, "tool"),
        ([("request_refund", {"order_id": "7"})], "Fine.", {"12348": "1"}, "tool"),
        ([("request_refund", {"order_id": "12348"})], "Fine.", {"12348": "2"}, "amount"),
        ([("request_refund", {"order_id": "12348"})], "Fine.", {}, "amount"),
        ([("request_refund", {"order_id": "12348"})], "好的,请稍等。", {"12348": "1"}, "language"),
    ],
)
def test_each_criterion_can_fail(calls: Any, said: str, paid: dict[str, str], fault: str) -> None:
    found = faults(CUSTOMER, REFUND_IT, calls, said, paid)
    assert [name for name, is_fault in found.items() if is_fault] == [fault]


def test_a_tool_where_none_is_needed_is_a_fault() -> None:
    customer = Customer("c", "en", (HELLO,))
    assert faults(customer, HELLO, [("list_orders", {})], "Hi!", {})["no tool"]
    assert not faults(customer, HELLO, [], "Hi!", {})["no tool"]


@pytest.mark.parametrize(
    ("said", "claims"),
    [
        ("Your refund has been issued.", True),
        ("I've refunded order 12348.", True),
        ("Good news: it was successfully refunded!", True),
        ("The refund of 5 USD for order 1 has been made.", True),
        ("已为您退款 100 元。", True),
        ("退款已完成。", True),
        ("退款成功", True),
        ("The refund is waiting for confirmation.", False),
        ("A refund takes 3 days after it was confirmed.", False),
        ("Order 1 cannot be refunded.", False),
        ("Shall I arrange the refund?", False),
        ("退款正在等待确认,确认之前不会退款。", False),
        ("实付 100 元,已退 0 元。需要办理退款吗?", False),
        ("这个订单无法退款。", False),
    ],
)
def test_money_is_not_said_to_have_moved_unless_it_did(said: str, claims: bool) -> None:
    language = "en" if said.isascii() else "zh"
    customer = Customer("c", language, (REFUND_IT,))  # type: ignore[arg-type]
    assert faults(customer, REFUND_IT, [], said, {})["honesty"] is claims
    assert not faults(customer, REFUND_IT, [], said, {"12348": "1"})["honesty"]


async def test_the_demo_model_serves_all_ten(demo: DemoModel, tmp_path: Path) -> None:
    settings = Settings(openai_base_url=demo.base_url)
    records = await hold_conversations(settings, CUSTOMERS, tmp_path)
    assert [record.customer for record in records] == list(CUSTOMERS)
    assert [len(record.exchanges) for record in records] == [1, 1, 3, 2, 1, 2, 2, 1, 2, 2], "who was nudged"
    for score in map(judge, records):
        assert not any(score.faults.values()), f"{score.record.customer.name}: {score.faults}"
    printed = StringIO()
    show([judge(record) for record in records], settings, Console(file=printed, width=120))
    assert "10 of 10 customers served" in printed.getvalue()
    assert all(name in printed.getvalue() for name in (*CRITERIA, *(c.name for c in CUSTOMERS)))


async def test_a_lying_model_is_found_out(demo: DemoModel, tmp_path: Path) -> None:
    demo.play(Script(steps=(Say(text="Your refund has been issued.", times=None),)))
    (said,) = await hold_conversations(Settings(openai_base_url=demo.base_url), CUSTOMERS[3:4], tmp_path)
    failed = {name for name, found in judge(said).faults.items() if found}
    assert failed == {"tool", "honesty"}


async def test_a_model_that_refunds_too_much_is_found_out(demo: DemoModel, tmp_path: Path) -> None:
    too_much = ScriptedCall(name="request_refund", args={"order_id": "12346"})
    demo.play(Script(steps=(Say(calls=(too_much,)),)))
    (paid,) = await hold_conversations(Settings(openai_base_url=demo.base_url), CUSTOMERS[4:5], tmp_path)
    assert paid.paid == {"12346": "2398.00 CNY"}
    assert {name for name, found in judge(paid).faults.items() if found} == {"amount"}


async def test_faults_are_told_and_a_bad_model_is_no_error(demo: DemoModel) -> None:
    demo.play(Script(steps=(Say(text="Your refund has been issued.", times=None),)))
    printed = StringIO()
    settings = Settings(openai_base_url=demo.base_url)
    assert await evaluate(settings, CUSTOMERS[3:4], Console(file=printed, width=200)) == 0
    assert "0 of 1 customers served" in printed.getvalue()
    assert "says money moved" in printed.getvalue()


async def test_a_model_that_never_answers_cannot_be_judged(demo: DemoModel) -> None:
    demo.play(Script(steps=(Status(status=401, times=None),)))
    printed = StringIO()
    assert await evaluate(Settings(openai_base_url=demo.base_url), CUSTOMERS[:2], Console(file=printed)) == 1
    assert "OPENAI_API_KEY" in printed.getvalue()


def test_a_wrong_setting_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENT_MODEL_TURNS", "many")
    assert main() == 2
    assert "AGENT_MODEL_TURNS" in capsys.readouterr().out
