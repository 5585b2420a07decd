"""The graph that runs on a clock, and the runs that it starts in customers' conversations."""

from dataclasses import replace
from typing import Any

import pytest

from graph.demo import DemoModel
from graph.reconcile import build, has_heard
from graph.workplace import Doors, Workplace
from tests.graph.dialogues import APPROVE, Dialogue
from tests.graph.test_handoff import LI
from tests.servers import free_port
from tests.tools.databases import Clock
from tests.tools.policies import LENIENT
from tests.tools.providers import Silent
from tests.tools.test_reconciling import left_open as opened
from tests.tools.test_tiers import with_policy
from tools.reconciling import BATCH, News, list_news
from tools.refunds import RefundStatus


async def clerk(workplace: Workplace, **settings: Any) -> Any:
    async def opened() -> Workplace:
        return replace(workplace, settings=replace(workplace.settings, **settings))

    return await build(Doors(opened)).ainvoke({})


async def left_open(workplace: Workplace, model: DemoModel) -> tuple[Dialogue, str]:
    """A conversation with a refund of which nobody knows whether it was made."""
    dialogue = Dialogue(replace(workplace, provider=Silent()))
    (request_id,) = await dialogue.request(model, o12346="99.00")
    await dialogue.answer(request_id, APPROVE)
    assert await dialogue.statuses() == {request_id: "unknown"}
    return dialogue, request_id


async def test_without_the_server_it_stays_to_be_told(workplace: Workplace, model: DemoModel) -> None:
    workplace.shop.clock = clock = Clock()
    dialogue, request_id = await left_open(workplace, model)
    nowhere = {"server_url": f"http://127.0.0.1:{free_port()}"}
    assert await clerk(workplace, **nowhere) == {"asked": 0, "ended": 0, "told": 0, "untold": 0}
    clock.forward(minutes=2)
    assert await clerk(workplace, **nowhere) == {"asked": 1, "ended": 1, "told": 0, "untold": 1}
    clock.forward(minutes=2)
    assert await clerk(workplace, **nowhere) == {"asked": 0, "ended": 0, "told": 0, "untold": 1}
    assert await list_news(workplace.shop) == [News(request_id, RefundStatus.SETTLED, dialogue.thread_id)]


async def test_the_run_it_starts_puts_the_outcome_back_and_asks_no_model(
    workplace: Workplace, model: DemoModel
) -> None:
    workplace.shop.clock = clock = Clock()
    dialogue, request_id = await left_open(workplace, model)
    clock.forward(minutes=2)
    await clerk(workplace, server_url=f"http://127.0.0.1:{free_port()}")
    # The customer's last words, of a run that was canceled: they wait, and are not taken for the clerk's.
    said = {"messages": [{"role": "user", "content": "still nothing?"}]}
    await dialogue.graph.aupdate_state(dialogue.config(), said, as_node="settle")
    asked_of_model = len(model.requests)
    await dialogue.run({"messages": []}, put_back_only=True, holdfast_speaker=LI)
    await dialogue.run({"messages": []}, put_back_only=True)
    assert len(model.requests) == asked_of_model
    assert await dialogue.statuses() == {request_id: "settled"}
    unknown, settled = await dialogue.told(request_id)
    assert "支付渠道还没有确认" in unknown
    assert "已办理" in settled
    assert [(m.type, m.text) for m in (await dialogue.messages())[-2:]] == [
        ("human", "still nothing?"),
        ("ai", settled),
    ]


async def test_nothing_is_told_of_a_refund_that_ended_in_its_conversation(
    dialogue: Dialogue, workplace: Workplace, model: DemoModel
) -> None:
    (request_id,) = await dialogue.request(model, o12346="99.00")
    await dialogue.answer(request_id, APPROVE)
    assert await clerk(workplace) == {"asked": 0, "ended": 0, "told": 0, "untold": 0}


async def test_thousands_do_not_wait_for_a_tick_each_fifty(workplace: Workplace) -> None:
    workplace.shop.clock = clock = Clock()
    await opened(with_policy(workplace.shop, LENIENT), 2 * BATCH + 1)
    clock.forward(minutes=2)
    found = await clerk(workplace, server_url=f"http://127.0.0.1:{free_port()}")
    assert (found["asked"], found["ended"]) == (2 * BATCH + 1, 2 * BATCH + 1)


SETTLED = News("r1", RefundStatus.SETTLED, "t")


@pytest.mark.parametrize(
    ("values", "heard"),
    [
        ({"requests": {"r1": {"status": "settled"}}}, True),
        ({"requests": {"r1": {"status": "unknown"}}}, False),
        ({"requests": {"r1": 7}}, False),
        ({"requests": {}}, True),
        ({"requests": None}, False),
        ({"__error__": {"error": "x"}}, False),
        ([], False),
        (None, False),
    ],
)
def test_whether_a_conversation_has_heard(values: Any, heard: bool) -> None:
    assert has_heard(values, SETTLED) is heard


async def test_it_tells_whoever_runs_it_counts_only(workplace: Workplace, model: DemoModel) -> None:
    workplace.shop.clock = clock = Clock()
    _, request_id = await left_open(workplace, model)
    clock.forward(minutes=2)
    found = await clerk(workplace, server_url=f"http://127.0.0.1:{free_port()}")
    assert request_id not in str(found)
    assert "12346" not in str(found)
