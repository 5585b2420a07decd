"""The chat page as a person uses it, against `holdfast dev` and the demo model. One order a test: a refund is
for ever."""

import sqlite3
import time
from pathlib import Path
from typing import Any

from langgraph_sdk import get_client
from playwright.async_api import Browser, expect

from graph.demo import DemoModel, Script
from graph.demo.script import Say
from tests.ui.conftest import Served
from tests.ui.states import look
from tests.ui.windows import Window, window
from tests.waiting import wait_until

PHONE: dict[str, Any] = {"viewport": {"width": 320, "height": 568}, "color_scheme": "dark", "has_touch": True}


def ledger(data: Path, order: str) -> list[tuple[int, str]]:
    """What was really paid back."""
    with sqlite3.connect(data / "shop.db") as shop:
        rows = shop.execute("SELECT amount, status FROM refunds WHERE order_id = ?", (order,)).fetchall()
    shop.close()
    return rows


async def ask(chat: Window, order: str) -> None:
    """Talks until the approval is there."""
    await chat.say(f"我要退订单 #{order}")
    await chat.sees("需要我为您办理退款吗")
    await chat.say("好的，帮我退款")
    await chat.card.wait_for()


async def test_a_refund_in_chinese_with_a_reload_wherever_one_may_come(
    browser: Browser, demo: Served, model: DemoModel
) -> None:
    async with window(browser, demo.page) as chat:
        await chat.shoot("1-empty")
        await ask(chat, "12345")
        turn = ["message human", "call done", "message ai"]
        assert (
            await chat.page.locator(".page > *").evaluate_all("all => all.map(one => one.className)")
            == turn * 2
        )
        assert await chat.page.locator(".call .name").all_inner_texts() == ["query_order", "request_refund"]
        await expect(chat.card.locator("h2")).to_have_text("订单 12345 退款")
        await expect(chat.card.locator(".figure strong")).to_have_text("5999.00 CNY")
        await expect(chat.card.locator(".facts dd").first).to_have_text("12345")
        quotes = chat.card.locator("figure.quote")
        await expect(quotes.last.locator("blockquote")).to_have_text("好的,帮我退款")
        await expect(quotes.last.locator(".tag")).to_have_text("引用")
        await look(chat, "2-approval")
        before = await chat.said()
        await chat.page.reload()
        await chat.card.wait_for()
        assert await chat.said() == before
        await expect(chat.card).to_have_count(1)
        assert ledger(demo.data, "12345") == []

        await chat.button("同意").click()
        await chat.sees("已办理")
        await expect(chat.card).to_have_count(0)
        await chat.shoot("3-done")
        after = await chat.said()
        await chat.page.reload()
        await chat.sees("已办理")
        assert await chat.said() == after
        assert await chat.said("human") == ["我要退订单 #12345", "好的，帮我退款"]
        await expect(chat.card).to_have_count(0)
    assert ledger(demo.data, "12345") == [(599900, "settled")]


async def test_a_reload_in_mid_answer_goes_on_where_it_was(
    browser: Browser, demo: Served, model: DemoModel
) -> None:
    model.play(Script(steps=(Say(text="one two three four five six"),), hold_after=3))
    async with window(browser, demo.page) as chat:
        await chat.say("你好")
        await expect(chat.page.locator(".message.streaming")).to_contain_text("one two")
        assert model.held == 1
        await chat.shoot("4-streaming")
        partly = await chat.said()
        await chat.page.reload()
        await expect(chat.page.locator(".message.streaming")).to_contain_text("one two")
        assert await chat.said() == partly
        await expect(chat.button("停止")).to_be_visible()
        model.release()
        await chat.sees("one two three four five six")
        await expect(chat.button("停止")).to_be_hidden()
        assert await chat.said() == ["one two three four five six"]
        assert await chat.said("human") == ["你好"]


async def test_an_approval_answered_elsewhere_leaves_within_a_second(
    browser: Browser, demo: Served, model: DemoModel
) -> None:
    async with window(browser, demo.page) as chat, get_client(url=demo.url) as client:
        await ask(chat, "12346")
        thread_id = await chat.thread_id()
        thread: Any = await client.threads.get(thread_id)
        [[interrupt]] = thread["interrupts"].values()
        resume: Any = {interrupt["id"]: {"decisions": [{"type": "reject", "message": "改主意了"}]}}
        await client.runs.create(thread_id, thread["metadata"]["assistant_id"], command={"resume": resume})
        started = time.monotonic()
        await expect(chat.card).to_have_count(0)
        assert time.monotonic() - started < 1
        await chat.sees("改主意了")


async def test_an_amount_can_be_lowered_and_never_raised(
    browser: Browser, demo: Served, model: DemoModel
) -> None:
    async with window(browser, demo.page, locale="en-US") as chat:
        await chat.say("I want to return order #12348")
        await chat.sees("Shall I arrange the refund?")
        await chat.say("Yes, please refund it")
        await chat.button("Change").click()
        amount = chat.card.get_by_label("Refund")
        await expect(amount).to_be_focused()
        await amount.fill("224.00")
        await amount.press("Enter")
        await expect(chat.card.get_by_text("This value is not possible here.")).to_be_visible()
        await chat.shoot("5-edit")
        await amount.fill("100.50")
        await chat.button("Approve with changes").click()
        await expect(chat.card).to_have_count(0)
        await chat.sees("100.50 USD")
        await expect(chat.box).to_be_focused()
    assert ledger(demo.data, "12348") == [(10050, "settled")]


async def test_talking_on_keeps_the_question_and_declining_ends_it(
    browser: Browser, demo: Served, model: DemoModel
) -> None:
    async with window(browser, demo.page) as chat:
        await ask(chat, "12347")
        model.play(Script(hold_after=2))
        await chat.say("退款多久到账？")
        await expect(chat.page.locator(".message.streaming")).to_be_visible()
        assert await chat.card.evaluate("card => card.inert")
        model.release()
        await expect(chat.page.locator(".message.streaming")).to_have_count(0)
        await chat.button("拒绝").click()
        await chat.page.get_by_label("原因").fill("不退了")
        await chat.shoot("6-decline")
        await chat.button("拒绝").click()
        await expect(chat.card).to_have_count(0)
        await chat.sees("不退了")
    assert ledger(demo.data, "12347") == [(49800, "rejected")]


EVIL = """<img src=x onerror="document.title='owned'"> <script>document.title='owned'</script>

[click](javascript:document.title='owned') [data](data:text/html,hi) **bold <b>tag</b>** `<i>`

- [good](https://example.com/a?b=1)
  1. *inside* _too_, not snake_case_here nor 2 * 3 * 4
- https://example.com/bare

```
<svg onload=alert(1)>
```"""


async def test_a_models_text_never_becomes_markup(browser: Browser, demo: Served, model: DemoModel) -> None:
    model.play(Script(steps=(Say(text=EVIL),)))
    async with window(browser, demo.page) as chat:
        await chat.say("<b>你好</b>")
        await chat.sees("https://example.com/bare")
        await chat.sees("<svg onload=alert(1)>")
        log = chat.page.locator(".log")
        assert await log.locator("img, script, i, b, iframe").count() == 0
        await expect(log).to_contain_text("<img src=x onerror=")
        await expect(log).to_contain_text("[click](javascript:document.title='owned')")
        await expect(log).to_contain_text("[data](data:text/html,hi)")
        await expect(log.locator(".human")).to_contain_text("<b>你好</b>")
        links = log.locator("a")
        assert await links.evaluate_all("all => all.map(one => [one.href, one.rel])") == [
            ["https://example.com/a?b=1", "noopener noreferrer nofollow"],
            ["https://example.com/bare", "noopener noreferrer nofollow"],
        ]
        assert await log.locator("strong").inner_text() == "bold <b>tag</b>"
        assert await log.locator("li li em").all_inner_texts() == ["inside", "too"]
        await expect(log.locator("ul > li > ol > li")).to_contain_text("snake_case_here nor 2 * 3 * 4")
        assert await chat.page.title() == "Holdfast"
        await chat.shoot("7-text")


async def test_an_answer_can_be_stopped_and_another_conversation_begun(
    browser: Browser, demo: Served, model: DemoModel
) -> None:
    model.play(Script(steps=(Say(text="one two three four five six"),), hold_after=3))
    async with window(browser, demo.page) as chat, get_client(url=demo.url) as client:
        await chat.say("你好")
        await expect(chat.page.locator(".message.streaming")).to_contain_text("one two")
        await chat.button("停止").click()
        await chat.sees("已停止。")
        assert (await chat.said())[0].startswith("one two")
        await chat.shoot("8-stopped")
        stopped = await chat.thread_id()
        [run] = await client.runs.list(stopped)
        assert run["status"] == "interrupted"

        await chat.button("新对话").click()
        await expect(chat.page.locator(".message")).to_have_count(0)
        await expect(chat.page.get_by_text("已停止。")).to_have_count(0)
        assert await chat.thread_id() != stopped
        model.release()
        await chat.say("谢谢")
        await chat.sees("不客气")


async def test_an_answer_shows_the_pages_that_it_stands_on(
    browser: Browser, demo: Served, model: DemoModel
) -> None:
    async with window(browser, demo.page) as chat:
        await chat.say("你们的退货政策是什么?")
        shown = chat.page.locator(".message.ai small")
        await expect(shown).to_have_text("来源: 退货与退款: 退货政策")
        await look(chat, "8-sources")
        await chat.say("谢谢")
        await chat.sees("不客气")
        await expect(shown).to_have_count(1)


async def test_a_narrow_dark_screen_holds_all_of_it(browser: Browser, demo: Served, model: DemoModel) -> None:
    async with window(browser, demo.page, **PHONE) as chat:
        await ask(chat, "12353")
        await chat.shoot("9-phone")
        widest = "Math.max(...[...document.querySelector('holdfast-chat').shadowRoot.querySelectorAll('*')]"
        assert await chat.page.evaluate(f"{widest}.map(one => one.getBoundingClientRect().right))") <= 320
        assert await chat.page.evaluate("document.documentElement.scrollWidth") == 320
        ground = await chat.page.locator(".frame").evaluate("one => getComputedStyle(one).backgroundColor")
        assert ground == "rgb(20, 24, 28)"
        await expect(chat.box).to_be_in_viewport(ratio=1)
        await chat.button("修改").click()
        await expect(chat.button("按修改后的内容同意")).to_be_in_viewport()
        await look(chat, "9-phone-edit")


async def test_a_server_that_dies_is_waited_for(browser: Browser, demo: Served, model: DemoModel) -> None:
    model.play(Script(steps=(Say(text="one two three four five six"),) * 2, hold_after=3))
    async with window(browser, demo.page, bears="ERR_") as chat:
        await chat.say("你好")
        await expect(chat.page.locator(".message.streaming")).to_contain_text("one two")
        await demo.kill()
        await chat.sees("连接已断开，正在重试…")
        await chat.shoot("10-lost")
        await demo.start()
        await expect(chat.page.get_by_text("连接已断开")).to_have_count(0)

        async def asked_again() -> bool:
            return len(model.requests) == 2 and model.held > 0

        await wait_until(asked_again, "the answer is given again")
        await chat.page.reload()
        await expect(chat.page.locator(".message.streaming")).to_contain_text("one two")
        assert len(await chat.said()) == 1  # not the half of the worker that died as well
        model.release()
        await chat.sees("one two three four five six")
        assert await chat.said() == ["one two three four five six"]
        assert await chat.said("human") == ["你好"]
