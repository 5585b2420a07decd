"""Refunds that take more than the customer's yes."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from graph.demo import DemoModel, Say, Script, ScriptedCall
from graph.prompts import sentence
from graph.settings import SettingInvalid, Settings
from graph.workplace import Workplace, open_shop
from tests.graph.dialogues import APPROVE, Dialogue, edit, label_of, reject
from tools.errors import DecidersMissing, RequestExpired
from tools.money import Money
from tools.policy import SHIPPED_FILE, read_policy
from tools.shop import Shop

POLICY = read_policy()


def by(request_id: str, *names: str) -> dict[str, Any]:
    """What the server stamps on the run that carries a decision out."""
    return {"holdfast_decision": {"request_id": request_id, "by": names, "at": datetime.now(UTC).isoformat()}}


@pytest.mark.parametrize(
    ("wish", "yes", "language"),
    [("我要退订单 #12357", "好的,帮我退款", "zh"), ("I want to return order #12357", "Yes, please", "en")],
)
async def test_a_colleague_has_to_look_at_it_first(
    dialogue: Dialogue, wish: str, yes: str, language: str
) -> None:
    await dialogue.say(wish)
    said = await dialogue.say(yes)
    assert said == sentence("operator_first", language, order_id="12357", amount="12999.00 CNY")
    request_id, payload = await dialogue.asked_once()
    policy = payload["policy"]
    asked_at = datetime.fromisoformat(policy["expires_at"]) - timedelta(hours=72)
    assert policy == {
        **policy,
        "request_id": request_id,
        "version": POLICY.version,
        "reason": "above_customer_limit",
        "roles": ["operator"],
        "deciders": 1,
        "exclude_requester": True,
        "remind_at": (asked_at + timedelta(hours=4)).isoformat(),
        "on_expiry": {"escalate": ["supervisor"]},
        "supersedes": None,
    }
    assert datetime.now(UTC) - asked_at < timedelta(minutes=1)
    assert "waiting_for_review" in (await dialogue.tool_results())[-1].text
    assert any("operator" in text for text in label_of(payload, "text"))
    await dialogue.answer(request_id, APPROVE, **by(request_id, "li"))
    assert [(entry.status, entry.decided_by) for entry in await dialogue.ledger("12357")] == [
        ("settled", ("li",))
    ]


async def test_the_customers_own_tier(dialogue: Dialogue, model: DemoModel) -> None:
    await dialogue.request(model, o12345=None)
    policy = (await dialogue.asked_once())[1]["policy"]
    assert (policy["reason"], policy["roles"], policy["deciders"]) == ("customer_confirms", ["owner"], 1)
    assert (policy["exclude_requester"], policy["on_expiry"]) == (False, "reject")


async def test_the_customer_does_not_approve_what_an_operator_has_to(
    dialogue: Dialogue, model: DemoModel
) -> None:
    (old,) = await dialogue.request(model, o12357=None)
    await dialogue.answer(old, APPROVE, **by(old, "demo"))
    assert await dialogue.ledger("12357") == []
    new, payload = await dialogue.asked_once()
    assert payload["policy"]["supersedes"] == old != new
    assert label_of(payload, "notice") == [DecidersMissing(1).sentence("zh")]


async def test_a_server_that_keeps_no_decisions_pays_no_such_refund(
    dialogue: Dialogue, model: DemoModel
) -> None:
    (request_id,) = await dialogue.request(model, o12357=None)
    await dialogue.answer(request_id, APPROVE)
    assert await dialogue.ledger("12357") == []
    assert list(await dialogue.asked()) == [request_id]


async def test_two_operators_who_are_two(dialogue: Dialogue, model: DemoModel) -> None:
    (request_id,) = await dialogue.request(model, o12358=None)
    policy = (await dialogue.asked_once())[1]["policy"]
    assert (policy["deciders"], policy["reason"], policy["on_expiry"]) == (
        2,
        "above_operator_limit",
        "reject",
    )
    assert sentence("operators_first", "zh", order_id="12358", amount="44799.00 CNY") in [
        message.text for message in await dialogue.messages()
    ]
    for too_few in (["li"], ["li", "li"], ["li", "demo"]):
        await dialogue.answer(request_id, APPROVE, **by(request_id, *too_few))
        assert await dialogue.ledger("12358") == []
        new, payload = await dialogue.asked_once()
        assert payload["policy"]["supersedes"] == request_id
        assert label_of(payload, "notice") == [DecidersMissing(2).sentence("zh")]
        request_id = new
    await dialogue.answer(request_id, APPROVE, **by(request_id, "li", "mei"))
    assert [entry.decided_by for entry in await dialogue.ledger("12358")] == [("li", "mei")]


async def test_one_operator_may_give_less(dialogue: Dialogue, model: DemoModel) -> None:
    (request_id,) = await dialogue.request(model, o12358=None)
    await dialogue.answer(request_id, edit(amount="19000.00"), **by(request_id, "li"))
    assert [entry.amount for entry in await dialogue.ledger("12358")] == [Money(1_900_000, "CNY")]


async def test_one_operator_may_say_no(dialogue: Dialogue, model: DemoModel) -> None:
    (request_id,) = await dialogue.request(model, o12358=None)
    await dialogue.answer(request_id, reject("请先寄回"), **by(request_id, "li"))
    assert await dialogue.statuses() == {request_id: "rejected"}
    assert "请先寄回" in (await dialogue.told(request_id))[0]


async def test_what_happened_meanwhile_may_need_an_operator(workplace: Workplace, model: DemoModel) -> None:
    """The seed has refunded the customer twice; here the fifth refund is the last that is his to confirm."""
    policy = replace(POLICY, repeats=replace(POLICY.repeats, of_customer=5))
    async with Shop.open(workplace.settings.database_url, policy=policy) as shop:
        dialogue = Dialogue(replace(workplace, shop=shop))
        (old,) = await dialogue.request(model, o12345=None)
        for _ in range(3):
            await dialogue.refund_elsewhere("12346", "1")
        await goes_to_an_operator(dialogue, old)


async def goes_to_an_operator(dialogue: Dialogue, old: str) -> None:
    await dialogue.answer(old, APPROVE, **by(old, "demo"))
    assert await dialogue.ledger("12345") == []
    new, payload = await dialogue.asked_once()
    policy = payload["policy"]
    assert (policy["supersedes"], policy["reason"]) == (old, "repeated_refunds")
    assert (policy["roles"], policy["deciders"]) == (["operator"], 1)
    await dialogue.say("你好")
    (told,) = await dialogue.told(old)
    assert sentence("operator_first", "zh", order_id="12345", amount="5999.00 CNY") in told
    await dialogue.answer(new, APPROVE, **by(new, "li"))
    assert await dialogue.statuses() == {old: "superseded", new: "settled"}
    assert len(await dialogue.told(old)) == 1


@pytest.fixture
async def later(workplace: Workplace) -> AsyncIterator[tuple[Dialogue, list[datetime]]]:
    """A conversation whose time a test sets forward."""
    now = [datetime.now(UTC)]
    async with Shop.open(workplace.settings.database_url, clock=lambda: now[0]) as shop:
        yield Dialogue(replace(workplace, shop=shop)), now


async def test_what_nobody_confirmed_in_time_is_over(
    later: tuple[Dialogue, list[datetime]], model: DemoModel
) -> None:
    dialogue, now = later
    (request_id,) = await dialogue.request(model, o12351=None)
    now[0] += timedelta(days=15)
    await dialogue.say("你好")
    assert not await dialogue.asked()
    assert await dialogue.statuses() == {request_id: "refused"}
    (told,) = await dialogue.told(request_id)
    assert RequestExpired().sentence("zh") in told
    (again,) = await dialogue.request(model, o12351=None)
    await dialogue.answer(again, APPROVE)
    assert [entry.request_id for entry in await dialogue.ledger("12351")] == [again]


async def test_a_yes_that_comes_too_late(later: tuple[Dialogue, list[datetime]], model: DemoModel) -> None:
    dialogue, now = later
    (request_id,) = await dialogue.request(model, o12351=None)
    stamp = {"request_id": request_id, "by": ["demo"], "at": (now[0] + timedelta(days=15)).isoformat()}
    await dialogue.answer(request_id, APPROVE, holdfast_decision=stamp)
    assert await dialogue.ledger("12351") == []
    assert await dialogue.statuses() == {request_id: "refused"}


CASE = {"sku": "SNY-CASE-XM5", "quantity": 1}


async def ask_for(dialogue: Dialogue, model: DemoModel, **args: Any) -> None:
    call = ScriptedCall(name="request_refund", args={"order_id": "12346", **args})
    model.play(Script(steps=(Say(calls=(call,)),)))
    await dialogue.say("请退款")


async def test_items_of_an_order(dialogue: Dialogue, model: DemoModel) -> None:
    await ask_for(dialogue, model, items=[CASE], reason="裂了", reason_code="damaged")
    request_id, payload = await dialogue.asked_once()
    assert payload["action_requests"][0]["args"]["amount"] == "99.00"
    quotes = {quote["source"]: quote["text"] for quote in payload["display"]["quotes"]}
    assert quotes == {"商品": "耳机收纳包 × 1", "申请原因": "裂了", "原因类别": "商品损坏"}
    await ask_for(dialogue, model, items=[CASE])
    assert list(await dialogue.asked()) == [request_id]
    await dialogue.refund_elsewhere("12346", "1")
    await dialogue.answer(request_id, APPROVE)
    again, payload = await dialogue.asked_once()
    assert payload["action_requests"][0]["args"]["amount"] == "99.00"
    await dialogue.answer(again, APPROVE)
    assert [str(entry.amount) for entry in await dialogue.ledger("12346")] == ["1.00 CNY", "99.00 CNY"]


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"items": [{"sku": "none of it"}]}, "items_invalid"),
        ({"items": [{**CASE, "quantity": 2}]}, "items_invalid"),
        ({"items": [CASE], "amount": "1"}, "items_invalid"),
        ({"items": [{**CASE, "quantity": 0}]}, "arguments_invalid"),
        ({"items": [{**CASE, "quantity": "all"}]}, "arguments_invalid"),
        ({"items": [{**CASE, "price": "1"}]}, "arguments_invalid"),
        ({"items": "everything"}, "arguments_invalid"),
        ({"items": [CASE] * 51}, "arguments_invalid"),
        ({"reason_code": "because"}, "reason_not_allowed"),
        ({"reason_code": ["damaged"]}, "arguments_invalid"),
        ({"reason_code": "x" * 33}, "arguments_invalid"),
    ],
    ids=str,
)
async def test_what_the_policy_does_not_allow_is_told_to_the_model(
    dialogue: Dialogue, model: DemoModel, args: dict[str, Any], code: str
) -> None:
    await ask_for(dialogue, model, **args)
    (result,) = await dialogue.tool_results()
    assert f'"code": "{code}"' in result.text
    assert not await dialogue.asked()


def test_a_policy_of_ones_own_is_a_setting(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    settings = Settings.read({"HOLDFAST_DATA": str(tmp_path), "REFUND_POLICY": str(path)})
    with pytest.raises(SettingInvalid, match=r"REFUND_POLICY: .*policy\.toml cannot be read"):
        open_shop(settings)
    path.write_text(SHIPPED_FILE.read_text(encoding="utf-8").replace("version = 2", "version = 9"))
    assert open_shop(settings).policy.version == 9
    assert open_shop(Settings(data=tmp_path)).policy == POLICY
