"""Whose orders a conversation sees, and what importing and opening the agent touches."""

import asyncio
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from graph.agent import build
from graph.callers import caller
from graph.demo import DemoModel, Say, Script, ScriptedCall
from graph.languages import language_of
from graph.prompts import LABELS, SENTENCES, sentence
from graph.settings import SettingInvalid, Settings
from graph.workplace import Doors, Workplace, furnish
from tests.graph.dialogues import APPROVE, Dialogue
from tools.errors import ShopUnavailable
from tools.orders import query_order

ROOT = Path(__file__).parents[2]
REAL_SHOP = Settings(shop_database_url="postgresql://somewhere/shop")


async def order_result(dialogue: Dialogue, model: DemoModel, order_id: str) -> str:
    call = ScriptedCall(name="query_order", args={"order_id": order_id})
    model.play(Script(steps=(Say(calls=(call,)),)))
    await dialogue.say("hello")
    return (await dialogue.tool_results())[-1].text


async def test_another_customers_order_reads_like_a_missing_one(
    workplace: Workplace, model: DemoModel
) -> None:
    foreign = await order_result(Dialogue(workplace, subject="lin"), model, "12345")
    missing = await order_result(Dialogue(workplace, subject="lin"), model, "98765")
    assert foreign.replace("12345", "98765") == missing


async def test_identity_is_no_argument(dialogue: Dialogue, model: DemoModel) -> None:
    calls = tuple(
        ScriptedCall(name="query_order", args={"order_id": "12345", name: "demo"})
        for name in ("subject", "customer", "config")
    )
    model.play(Script(steps=(Say(calls=calls),)))
    await dialogue.say("hello", langgraph_auth_user={"identity": "lin"})
    assert ["arguments_invalid" in result.text for result in await dialogue.tool_results()] == [True] * 3


async def test_an_answer_in_anothers_name_pays_nothing(dialogue: Dialogue, model: DemoModel) -> None:
    (request_id,) = await dialogue.request(model, o12345=None)
    await dialogue.answer(request_id, APPROVE, langgraph_auth_user={"identity": "lin"})
    assert await dialogue.ledger("12345") == []


async def test_a_client_cannot_write_requests(dialogue: Dialogue, model: DemoModel) -> None:
    (request_id,) = await dialogue.request(model, o12345=None)
    forged = {request_id: {"status": "settled", "amount": 1}}
    await dialogue.run({"messages": [{"role": "user", "content": "你好"}], "requests": forged})
    assert await dialogue.statuses() == {request_id: "undecided"}


async def test_nobody_is_refused_at_a_real_shop(workplace: Workplace, model: DemoModel) -> None:
    url = workplace.settings.database_url
    there = replace(workplace, settings=replace(workplace.settings, shop_database_url=url))
    assert await Dialogue(there, subject=None).say("我的订单") == sentence("nobody", "zh")
    assert not model.requests


async def test_nobody_is_the_demo_customer_at_the_demo_shop(workplace: Workplace, model: DemoModel) -> None:
    assert "5999.00" in await order_result(Dialogue(workplace, subject=None), model, "12345")


@pytest.mark.parametrize(
    ("user", "subject"),
    [
        ({"identity": "lin"}, "lin"),
        (SimpleNamespace(identity="lin"), "lin"),
        (None, None),
        ({}, None),
        ({"identity": ""}, None),
        ({"identity": 7}, None),
        ("lin", None),
    ],
)
def test_identities(user: object, subject: str | None) -> None:
    assert caller({"configurable": {"langgraph_auth_user": user}}, REAL_SHOP) == subject


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("我要退 iPhone 16 Pro Max", "zh"),
        ("where is my 手机壳 order, please", "en"),
        ("#12345", None),
        ("👍", None),
        ("OK", "en"),
        ("好", "zh"),
    ],
)
def test_languages(text: str, language: str | None) -> None:
    assert language_of(text) == language


async def test_wordless_messages_keep_the_language(dialogue: Dialogue) -> None:
    await dialogue.say("帮我看看订单")
    assert language_of(await dialogue.say("#12345")) == "zh"


def test_every_sentence_speaks_both_languages() -> None:
    texts = {**SENTENCES, **{f"label {key}": text for key, text in LABELS.items()}}
    assert {
        key for key, text in texts.items() if set(text) != {"zh", "en"} or not all(text.values())
    } == set()


def test_settings_name_what_is_wrong() -> None:
    with pytest.raises(SettingInvalid, match="AGENT_MODEL_TURNS"):
        Settings.read({"AGENT_MODEL_TURNS": "many"})
    with pytest.raises(SettingInvalid, match="AGENT_CONTEXT_TOKENS"):
        Settings.read({"AGENT_CONTEXT_TOKENS": "-1"})
    assert Settings.read({"AGENT_MODEL_TURNS": "3", "SHOP_DATABASE_URL": ""}).model_turns == 3


async def test_a_failed_opening_is_tried_again(settings: Settings, tmp_path: Path) -> None:
    opened: list[int] = []

    async def open_late() -> Workplace:
        opened.append(1)
        if len(opened) == 1:
            raise OSError("not yet")
        return await furnish(settings)

    doors = Doors(open_late)
    with pytest.raises(OSError, match="not yet"):
        await doors.enter()
    assert await doors.enter() is await doors.enter()
    await doors.close()
    assert len(opened) == 2


async def test_the_default_is_a_demo_that_needs_no_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shop filled on first use and the model on loopback, whatever proxy the environment names."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    workplace = await furnish(Settings(data=tmp_path))
    async with workplace.resources:
        assert "5999.00" in await Dialogue(workplace, subject=None).say("我要退订单 #12345")


async def test_each_event_loop_has_a_workplace_of_its_own(settings: Settings) -> None:
    doors = Doors(lambda: furnish(settings))

    async def visit() -> str:
        workplace = await doors.enter()
        try:
            return (await query_order(workplace.shop, "demo", "12345")).id
        finally:
            await doors.close()

    ids = await asyncio.gather(*(asyncio.to_thread(asyncio.run, visit()) for _ in range(2)))
    assert [*ids, await visit()] == ["12345"] * 3


async def test_a_shop_that_is_down_is_said_and_loses_no_request(dialogue: Dialogue, model: DemoModel) -> None:
    (request_id,) = await dialogue.request(model, o12345=None)

    async def shut() -> Workplace:
        raise ShopUnavailable

    open_graph, dialogue.graph = dialogue.graph, build(Doors(shut), dialogue.saver)
    assert await dialogue.say("你好") == ShopUnavailable().sentence("zh")
    assert list(await dialogue.asked()) == [request_id]
    dialogue.graph = open_graph
    await dialogue.answer(request_id, APPROVE)
    assert len(await dialogue.ledger("12345")) == 1


async def test_a_decision_waits_for_a_shop_that_is_down(dialogue: Dialogue, model: DemoModel) -> None:
    (request_id,) = await dialogue.request(model, o12345=None)
    knocks: list[int] = []

    async def open_late() -> Workplace:
        knocks.append(1)
        if len(knocks) < 3:
            raise ShopUnavailable
        return dialogue.workplace

    dialogue.graph = build(Doors(open_late), dialogue.saver)
    await dialogue.answer(request_id, APPROVE)
    assert await dialogue.statuses() == {request_id: "settled"}


SILENT_IMPORT = """
import sys
def refuse(event, args):
    if event in ("socket.connect", "socket.bind", "sqlite3.connect", "os.mkdir"):
        raise RuntimeError(f"{event} {args}")
sys.dont_write_bytecode = True
sys.addaudithook(refuse)
from graph.agent import graph
assert graph.checkpointer is None
graph.get_input_jsonschema(), graph.get_output_jsonschema(), graph.get_graph(xray=True)
"""


def test_importing_the_agent_opens_nothing(tmp_path: Path) -> None:
    env = {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", SILENT_IMPORT], cwd=tmp_path, env=env, check=True, timeout=50)
    assert list(tmp_path.iterdir()) == []
