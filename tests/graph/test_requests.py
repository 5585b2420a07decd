"""What becomes of refund requests: together, stale, edited, refused, forgotten, forked."""

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from langgraph.types import Command

from graph.demo import DemoModel, Say, Script, ScriptedCall
from graph.workplace import Workplace
from tests.graph.dialogues import APPROVE, Dialogue, edit, label_of, reject
from tests.tools.providers import Instant
from tools.money import Money
from tools.payments import PaymentUnknown, Settlement
from tools.refunds import Decision, apply_refund
from tools.shop import Shop


async def test_two_refunds_in_one_message_are_two_requests(dialogue: Dialogue, model: DemoModel) -> None:
    first, second = await dialogue.request(model, o12345=None, o12346="99.00")
    await dialogue.answer(first, APPROVE)
    assert [entry.request_id for entry in await dialogue.ledger("12345")] == [first]
    assert await dialogue.ledger("12346") == []
    assert list(await dialogue.asked()) == [second]
    assert await dialogue.statuses() == {first: "settled", second: "undecided"}
    await dialogue.answer(second, reject())
    assert await dialogue.statuses() == {first: "settled", second: "rejected"}


async def test_what_was_paid_is_not_asked_again_when_the_customer_talks_on(
    dialogue: Dialogue, model: DemoModel
) -> None:
    """LangGraph drops what the paid request's subgraph wrote: status and message come from the ledger."""
    first, second = await dialogue.request(model, o12345=None, o12346="99.00")
    await dialogue.answer(first, APPROVE)
    await dialogue.say("谢谢")
    assert list(await dialogue.asked()) == [second]
    assert await dialogue.statuses() == {first: "settled", second: "undecided"}
    assert len(await dialogue.told(first)) == 1
    await dialogue.say("你好")
    await dialogue.answer(second, APPROVE)
    assert len(await dialogue.told(first)) == len(await dialogue.told(second)) == 1
    assert len(await dialogue.ledger("12345")) == len(await dialogue.ledger("12346")) == 1


async def test_the_model_knows_what_was_paid_meanwhile(dialogue: Dialogue, model: DemoModel) -> None:
    first, _ = await dialogue.request(model, o12345=None, o12346="99.00")
    await dialogue.answer(first, APPROVE)
    await dialogue.say("谢谢")
    sent = model.requests[-1]["body"]["messages"]
    assert sent[-1] == {"role": "user", "content": "谢谢"}
    assert any("已办理" in (message["content"] or "") for message in sent)


async def test_both_answers_in_one_resume(dialogue: Dialogue, model: DemoModel) -> None:
    first, second = await dialogue.request(model, o12345=None, o12346="99.00")
    asked = await dialogue.asked()
    await dialogue.run(Command(resume={asked[first].id: APPROVE, asked[second].id: reject("算了")}))
    assert await dialogue.statuses() == {first: "settled", second: "rejected"}


async def test_an_edit_lowers_the_amount(dialogue: Dialogue, model: DemoModel) -> None:
    (request_id,) = await dialogue.request(model, o12345=None)
    await dialogue.answer(request_id, edit(order_id="12345", amount="100.50", currency="CNY"))
    (entry,) = await dialogue.ledger("12345")
    assert (entry.request_id, entry.amount) == (request_id, Money(10050, "CNY"))
    assert "100.50 CNY" in (await dialogue.told(request_id))[0]


WRONG_ANSWERS: list[Any] = [
    edit(amount="6000.00"),
    edit(amount="5999.01"),
    edit(amount="-1"),
    edit(amount="0"),
    edit(amount="1e2"),
    edit(amount="\uff11\uff10\uff10"),
    edit(amount=True),
    edit(amount="10", order_id="12346"),
    edit(amount="10", currency="USD"),
    edit(amount="10", subject="lin"),
    edit(),
    {"decisions": [{"type": "edit", "edited_action": {"name": "query_order", "args": {"amount": "1"}}}]},
    {"decisions": [{"type": "respond", "message": "yes"}]},
    {"decisions": [{"type": "approve"}, {"type": "approve"}]},
    {"decisions": []},
    {
        "decisions": [
            {"type": "approve", "edited_action": {"name": "request_refund", "args": {"amount": "1"}}}
        ]
    },
    [{"type": "accept", "args": None}],
    "approve",
    True,
    0,
    {},
]


@pytest.mark.parametrize("wrong", WRONG_ANSWERS, ids=repr)
async def test_a_wrong_answer_pays_nothing_and_is_asked_again(
    dialogue: Dialogue, model: DemoModel, wrong: Any
) -> None:
    (request_id,) = await dialogue.request(model, o12345=None)
    await dialogue.answer(request_id, wrong)
    assert await dialogue.ledger("12345") == []
    again, payload = await dialogue.asked_once()
    assert again == request_id
    assert len(label_of(payload, "notice")) == 1
    await dialogue.answer(request_id, APPROVE)
    assert len(await dialogue.ledger("12345")) == 1


async def test_a_wrong_answer_the_server_keeps_is_not_asked_under_its_id_again(
    dialogue: Dialogue, model: DemoModel
) -> None:
    """The server would give the answer it keeps for that request_id at once, without end."""
    (request_id,) = await dialogue.request(model, o12345=None)
    stamp = {"request_id": request_id, "by": ["li"]}
    await dialogue.answer(request_id, edit(amount="9999"), holdfast_decision=stamp)
    again, payload = await dialogue.asked_once()
    assert again != request_id
    assert payload["policy"]["supersedes"] == request_id


async def test_a_bare_resume_with_a_wrong_answer_does_not_answer_the_next_question(
    dialogue: Dialogue, model: DemoModel
) -> None:
    (request_id,) = await dialogue.request(model, o12345=None)
    await dialogue.run(Command(resume=edit(amount="6000")))
    assert list(await dialogue.asked()) == [request_id]
    assert await dialogue.ledger("12345") == []


async def test_a_rejection_is_kept_with_its_message(dialogue: Dialogue, model: DemoModel) -> None:
    (request_id,) = await dialogue.request(model, o12345=None)
    await dialogue.answer(request_id, reject("我想换货" + "。" * 2_400))
    (entry,) = await dialogue.ledger("12345")
    assert (entry.status, entry.message) == ("rejected", "我想换货".ljust(2_000, "。"))
    assert "我想换货" in (await dialogue.told(request_id))[0]
    await dialogue.say("谢谢")
    assert not await dialogue.asked()


async def test_who_decided_is_what_the_server_stamped(dialogue: Dialogue, model: DemoModel) -> None:
    (request_id,) = await dialogue.request(model, o12345=None)
    stamp = {"request_id": request_id, "by": ["demo", "li"], "at": "2026-11-20T08:00:00+00:00"}
    await dialogue.answer(request_id, APPROVE, holdfast_decision=stamp)
    (entry,) = await dialogue.ledger("12345")
    assert (entry.decided_by, entry.decided_at) == (("demo", "li"), datetime(2026, 11, 20, 8, tzinfo=UTC))


@pytest.mark.parametrize("stamp", [None, {"request_id": "another", "by": ["mallory"], "at": "2026-11-20"}])
async def test_an_answer_that_the_server_did_not_decide_pays_nothing(
    dialogue: Dialogue, model: DemoModel, stamp: object
) -> None:
    (request_id,) = await dialogue.request(model, o12345=None)
    await dialogue.answer(request_id, APPROVE, holdfast_decision=stamp)
    assert await dialogue.ledger("12345") == []
    assert list(await dialogue.asked()) == [request_id]


async def test_a_stale_decision_pays_nothing_and_asks_anew(dialogue: Dialogue, model: DemoModel) -> None:
    (old,) = await dialogue.request(model, o12345=None)
    await dialogue.refund_elsewhere("12345", "1000")
    await dialogue.answer(old, APPROVE)
    new, payload = await dialogue.asked_once()
    assert new != old
    assert payload["policy"]["supersedes"] == old
    assert payload["action_requests"][0]["args"]["amount"] == "4999.00"
    assert len(label_of(payload, "notice")) == 1
    assert [entry.request_id for entry in await dialogue.ledger("12345")].count(old) == 0
    await dialogue.answer(new, APPROVE)
    assert await dialogue.statuses() == {old: "superseded", new: "settled"}
    assert (await dialogue.ledger("12345"))[-1].request_id == new


async def test_a_stale_decision_with_nothing_left_says_so(dialogue: Dialogue, model: DemoModel) -> None:
    (request_id,) = await dialogue.request(model, o12345=None)
    await dialogue.refund_elsewhere("12345", None)
    await dialogue.answer(request_id, APPROVE)
    assert not await dialogue.asked()
    assert await dialogue.statuses() == {request_id: "refused"}
    assert "已全额退款" in (await dialogue.told(request_id))[0]


async def test_moved_figures_are_asked_anew_at_once(dialogue: Dialogue, model: DemoModel) -> None:
    (old,) = await dialogue.request(model, o12345="5999.00")
    await dialogue.refund_elsewhere("12345", "1000")
    await dialogue.say("你好")
    new, payload = await dialogue.asked_once()
    assert payload["policy"]["supersedes"] == old
    assert payload["action_requests"][0]["args"]["amount"] == "4999.00"
    await dialogue.say("谢谢")
    assert list(await dialogue.asked()) == [new]


async def test_a_successor_paid_and_forgotten_is_found(dialogue: Dialogue, model: DemoModel) -> None:
    """The request that superseded a stale one was minted and paid in a subgraph whose writes were dropped."""
    old, sibling = await dialogue.request(model, o12345=None, o12346="99.00")
    await dialogue.refund_elsewhere("12345", "1000")
    await dialogue.answer(old, APPROVE)
    (new,) = set(await dialogue.asked()) - {sibling}
    await dialogue.answer(new, APPROVE)
    await dialogue.say("谢谢")
    assert list(await dialogue.asked()) == [sibling]
    assert await dialogue.statuses() == {old: "superseded", new: "settled", sibling: "undecided"}
    assert len(await dialogue.told(new)) == 1


async def test_a_stale_decision_again_asks_the_same(dialogue: Dialogue, model: DemoModel) -> None:
    old, sibling = await dialogue.request(model, o12345=None, o12346="99.00")
    await dialogue.refund_elsewhere("12345", "1000")
    await dialogue.answer(old, APPROVE)
    first = set(await dialogue.asked()) - {sibling}
    await dialogue.say("谢谢")
    assert set(await dialogue.asked()) - {sibling} == first


async def test_the_same_refund_again_is_the_same_request(dialogue: Dialogue, model: DemoModel) -> None:
    (request_id,) = await dialogue.request(model, o12345="100")
    assert await dialogue.request(model, o12345="100.00") == []
    assert list(await dialogue.asked()) == [request_id]


async def test_another_amount_supersedes_the_waiting_one(dialogue: Dialogue, model: DemoModel) -> None:
    (old,) = await dialogue.request(model, o12345="100")
    (new,) = await dialogue.request(model, o12345="50")
    asked, payload = await dialogue.asked_once()
    assert (asked, payload["policy"]["supersedes"]) == (new, old)


async def test_a_request_outlives_the_return_window(workplace: Workplace, model: DemoModel) -> None:
    now = datetime.now(UTC)
    async with Shop.open(workplace.settings.database_url, clock=lambda: now) as shop:
        dialogue = Dialogue(replace(workplace, shop=shop))
        (request_id,) = await dialogue.request(model, o12345=None)
        now += timedelta(days=10)
        await dialogue.say("你好")
        assert list(await dialogue.asked()) == [request_id]
        await dialogue.answer(request_id, APPROVE)
        assert [entry.status for entry in await dialogue.ledger("12345")] == ["settled"]


async def test_a_fork_from_before_the_payment_does_not_pay_twice(
    dialogue: Dialogue, model: DemoModel
) -> None:
    (request_id,) = await dialogue.request(model, o12345="100")
    before = (await dialogue.snapshot()).config
    pointer = (await dialogue.asked())[request_id].id
    await dialogue.answer(request_id, APPROVE)
    fork = copy.deepcopy(before)
    fork["configurable"].update(dialogue.config()["configurable"])
    await dialogue.run(Command(resume={pointer: APPROVE}), fork)
    assert [entry.request_id for entry in await dialogue.ledger("12345")] == [request_id]
    assert await dialogue.statuses() == {request_id: "settled"}


class Silent(Instant):
    """Makes the refund and says nothing about it the first time."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    async def refund(self, key: str, payment_reference: str, amount: Money) -> Settlement:
        self.keys.append(key)
        if len(self.keys) == 1:
            raise PaymentUnknown
        return await super().refund(key, payment_reference, amount)


async def test_a_step_that_is_done_again_asks_for_the_same(dialogue: Dialogue, model: DemoModel) -> None:
    """As after a crash between the shop's books and the checkpoint; here the figures have moved meanwhile."""
    (request_id,) = await dialogue.request(model, o12345=None)
    history = dialogue.graph.aget_state_history(dialogue.config())
    before = [step.config async for step in history if step.next == ("tools",)][-1]
    await dialogue.run(
        None, {"configurable": {**before["configurable"], **dialogue.config()["configurable"]}}
    )
    assert list(await dialogue.asked()) == [request_id]
    await dialogue.refund_elsewhere("12345", "1000")
    await dialogue.run(
        None, {"configurable": {**before["configurable"], **dialogue.config()["configurable"]}}
    )
    asked, payload = await dialogue.asked_once()
    assert payload["policy"]["supersedes"] == request_id
    assert payload["action_requests"][0]["args"]["amount"] == "4999.00"
    assert asked != request_id


async def test_what_became_of_it_later_is_told(workplace: Workplace, model: DemoModel) -> None:
    provider = Silent()
    dialogue = Dialogue(replace(workplace, provider=provider))
    (request_id,) = await dialogue.request(model, o12345="100")
    await dialogue.answer(request_id, APPROVE)
    assert await dialogue.statuses() == {request_id: "unknown"}
    decision = Decision("approve", ("demo",), datetime.now(UTC))
    await apply_refund(workplace.shop, provider, "demo", request_id, decision)
    await dialogue.say("谢谢")
    await dialogue.say("你好")
    assert await dialogue.statuses() == {request_id: "settled"}
    unknown, settled = await dialogue.told(request_id)
    assert ("没有确认" in unknown, "已办理" in settled) == (True, True)
    assert provider.keys == [request_id] * 2


async def test_an_unknown_outcome_is_told_as_such(workplace: Workplace, model: DemoModel) -> None:
    dialogue = Dialogue(replace(workplace, provider=Silent()))
    (request_id,) = await dialogue.request(model, o12345="100")
    await dialogue.answer(request_id, APPROVE)
    assert await dialogue.statuses() == {request_id: "unknown"}
    assert "没有确认" in (await dialogue.told(request_id))[0]
    await dialogue.say("谢谢")
    assert not await dialogue.asked()


async def test_two_parts_of_one_order_in_one_message(dialogue: Dialogue, model: DemoModel) -> None:
    """Paying one moves the order's figures: the other is asked anew and not lost."""
    wishes = [{"order_id": "12345", "amount": amount} for amount in ("100", "50")]
    calls = tuple(ScriptedCall(name="request_refund", args=wish) for wish in wishes)
    model.play(Script(steps=(Say(calls=calls),)))
    await dialogue.say("退两笔")
    first, second = await dialogue.asked()
    await dialogue.answer(first, APPROVE)
    await dialogue.answer(second, APPROVE)
    third, payload = await dialogue.asked_once()
    assert payload["policy"]["supersedes"] == second
    await dialogue.answer(third, APPROVE)
    paid = sorted(entry.amount.amount for entry in await dialogue.ledger("12345"))
    assert paid == [5000, 10000]


async def test_a_refused_refund_is_told_by_the_model(dialogue: Dialogue) -> None:
    assert await dialogue.say("请把订单12354退款10元")
    (result,) = await dialogue.tool_results()
    assert (result.status, "already_refunded" in result.text) == ("error", True)
    assert not await dialogue.asked()
