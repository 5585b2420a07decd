"""What is left of a refund when the server's memory is gone, or the shop's database is away for a while."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from graph.demo import DemoModel, Script
from graph.workplace import Workplace
from tests.graph.dialogues import APPROVE, Dialogue, label_of
from tests.tools.databases import Postgres
from tests.waiting import wait_until
from tools.errors import LookupFailed
from tools.shop import Shop

TRIES = 6  # the sixth comes when some seconds have passed


def forgotten(dialogue: Dialogue) -> Dialogue:
    """The same conversation with a server that remembers nothing."""
    return Dialogue(dialogue.workplace, thread_id=dialogue.thread_id)


async def test_what_was_paid_is_not_asked_for_again(dialogue: Dialogue, model: DemoModel) -> None:
    (request_id,) = await dialogue.request(model, o12346=None)
    await dialogue.answer(request_id, APPROVE)
    anew = forgotten(dialogue)
    assert await anew.request(model, o12346=None) == []
    assert "already_refunded" in (await anew.tool_results())[-1].text
    assert [entry.request_id for entry in await anew.ledger("12346")] == [request_id]


async def test_a_part_that_was_paid_is_shown_to_whoever_decides_on_another(
    dialogue: Dialogue, model: DemoModel
) -> None:
    (request_id,) = await dialogue.request(model, o12346="100.00")
    await dialogue.answer(request_id, APPROVE)
    anew = forgotten(dialogue)
    (again,) = await anew.request(model, o12346="100.00")
    assert again != request_id
    _, payload = await anew.asked_once()
    assert label_of(payload, "money") == ["100.00 CNY", "2398.00 CNY", "100.00 CNY"], "asked, paid, refunded"
    assert len(await anew.ledger("12346")) == 1


async def test_of_a_question_that_was_forgotten_and_the_one_asked_anew_one_is_paid(
    dialogue: Dialogue, model: DemoModel
) -> None:
    """There is money left for both."""
    (first,) = await dialogue.request(model, o12346="100.00")
    anew = forgotten(dialogue)
    (second,) = await anew.request(model, o12346="100.00")
    assert first != second
    await anew.answer(second, APPROVE)
    # An old copy of the memory turns up, and with it the first question.
    await dialogue.answer(first, APPROVE)
    assert [entry.request_id for entry in await dialogue.ledger("12346")] == [second]
    _, payload = await dialogue.asked_once()
    assert payload["policy"]["supersedes"] == first
    assert label_of(payload, "money")[-1] == "100.00 CNY", "refunded before"


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    postgres = Postgres()
    yield postgres
    postgres.delete()


@pytest.fixture
async def elsewhere(workplace: Workplace, postgres: Postgres) -> AsyncIterator[Workplace]:
    """A workplace whose shop is on that server."""
    async with Shop.open(await asyncio.to_thread(postgres.start)) as shop:
        await shop.migrate()
        await shop.seed()
        yield replace(workplace, shop=shop)


async def test_a_decision_waits_for_the_shops_database_and_chat_goes_on(
    elsewhere: Workplace, postgres: Postgres, model: DemoModel, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "langgraph")
    dialogue, another = Dialogue(elsewhere), Dialogue(elsewhere)
    (request_id,) = await dialogue.request(model, o12346="99.00")
    await asyncio.to_thread(postgres.stop)
    deciding = asyncio.create_task(dialogue.answer(request_id, APPROVE))
    model.play(Script())
    assert await another.say("hello")
    assert LookupFailed().sentence("en") in await another.say("where is order 12348?")

    async def tried() -> bool:
        return deciding.done() or sum("Retrying" in line for line in caplog.messages) >= TRIES

    await wait_until(tried, "the decision was tried again and again", 40)
    assert not deciding.done()
    await asyncio.to_thread(postgres.start)
    await deciding
    assert [(entry.request_id, entry.status) for entry in await dialogue.ledger("12346")] == [
        (request_id, "settled")
    ]
    assert "12348" in await another.say("where is order 12348?")
