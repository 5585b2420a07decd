"""The desk beside the customer's chat, against `holdfast dev` and the demo model. One order a test: a refund
is for ever."""

import re
import time
from typing import Any

import httpx
from langgraph_sdk import get_client
from playwright.async_api import Browser, expect

from graph.demo import DemoModel
from tests.servers import said
from tests.ui.accessibility import findings
from tests.ui.conftest import Served
from tests.ui.desks import Desk, desk
from tests.ui.test_widget import ledger
from tests.ui.windows import Window, window
from tests.waiting import wait_until


async def refund_of(url: str, subject: str, *texts: str) -> str:
    """A customer asks; the id of the thread."""
    async with httpx.AsyncClient(base_url=url) as http:
        token = (await http.post("/dev/token", json={"subject": subject})).json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    async with get_client(url=url, headers=headers) as client:
        thread_id = (await client.threads.create())["thread_id"]
        for text in texts:
            await client.runs.wait(thread_id, "support", input=said(text))
    return thread_id


async def test_a_yes_at_the_desk_reaches_the_customer_within_a_second(
    browser: Browser, demo: Served, model: DemoModel
) -> None:
    async with window(browser, demo.page) as chat, desk(browser, demo.url) as olga:
        await chat.say("请把订单12358退款8000元")
        await chat.card.get_by_text("等待其他人处理").wait_for()
        await olga.row("8000.00 CNY").click()
        await expect(olga.detail.locator(".figure strong")).to_have_text("8000.00 CNY")
        await expect(olga.detail.locator("figure.quote .tag").first).to_have_text("quoted")
        await olga.page.locator(".beside .message.ai").first.wait_for()
        await olga.shoot("money")
        await olga.press("a")
        await olga.page.get_by_text("Approve 8000.00 CNY?").wait_for()
        await expect(olga.button("Approve")).to_be_focused()
        await olga.shoot("confirm")
        assert ledger(demo.data, "12358") == []
        started = time.monotonic()
        await olga.press("Enter")
        await expect(chat.card).to_have_count(0)
        assert time.monotonic() - started < 1
        await chat.sees("已办理")
        await expect(olga.detail.locator(".verdict")).to_have_text("Approved")
        await olga.detail.locator(".run", has_text="Carried out").wait_for()
        await expect(olga.page.locator(".beside .message.ai").last).to_contain_text("已办理")
        await olga.shoot("carried-out")
    assert ledger(demo.data, "12358") == [(800000, "settled")]


async def test_a_conversation_is_taken_over_and_handed_back(
    browser: Browser, demo: Served, model: DemoModel
) -> None:
    async with window(browser, demo.page) as chat, desk(browser, demo.url, at="#/conversations") as olga:
        await chat.say("转人工")
        thread_id = await chat.thread_id()
        asking = olga.page.locator(f'.rows a[href="#/conversations/{thread_id}"]')
        await asking.locator(".pill.asked").wait_for()
        await asking.click()
        await olga.button("Take over").click()
        box = olga.page.get_by_label("Message")
        await expect(box).to_be_focused()
        await box.fill("您好，我是 Olga，请问有什么可以帮您？")
        await box.press("Enter")
        await chat.sees("我是 Olga")
        talk = olga.page.locator(".talk .list")
        await expect(talk.get_by_text("我是 Olga")).to_have_count(1)
        await chat.say("我想换个地址")
        await expect(talk.locator(".message.human").last).to_contain_text("我想换个地址")
        await olga.shoot("talk")
        await told(olga, chat)


async def told(olga: Desk, chat: Window) -> None:
    """Hands back with a note, after which the model answers again."""
    await olga.button("Hand back").click()
    note = olga.page.get_by_label("What the assistant should know")
    await note.fill("Wants to change the address.")
    await olga.shoot("note")
    await olga.button("Hand back").last.click()
    await olga.page.get_by_text("with the assistant").wait_for()
    await expect(olga.page.get_by_label("Message")).to_have_count(0)
    await chat.say("谢谢")
    await chat.sees("不客气")
    await expect(olga.page.locator(".talk .message.ai").last).to_contain_text("不客气")


async def test_who_comes_second_to_a_conversation_is_told_who_has_it(
    browser: Browser, demo: Served, model: DemoModel
) -> None:
    thread_id = await refund_of(demo.url, "wang", "talk to a person")
    place = f"#/conversations/{thread_id}"
    async with desk(browser, demo.url, at=place) as olga, desk(browser, demo.url, "otto", at=place) as otto:
        await otto.button("Take over").wait_for()
        await olga.button("Take over").click()
        await otto.page.get_by_text("olga has it").wait_for()
        await expect(otto.button("Take over")).to_have_count(0)
        await olga.button("Hand back").click()
        await olga.button("Hand back").last.click()
        await otto.button("Take over").wait_for()


async def test_the_queue_goes_on_after_the_server_was_killed(
    browser: Browser, demo: Served, model: DemoModel
) -> None:
    asked = "Please refund 599.00 EUR of order B-50401"
    async with desk(browser, demo.url, bears="ERR_") as olga:
        first = await refund_of(demo.url, "bob", asked)
        await expect(olga.row("599.00 EUR")).to_have_count(1)
        await olga.row("599.00 EUR").click()
        await olga.button("Decline").click()
        reason: Any = olga.page.get_by_label("Why?")
        await reason.fill("not yet")
        await demo.kill()
        await expect(olga.page.locator(".live")).to_have_text("Connection lost. Trying again…")
        await olga.button("Decline").click()
        await olga.page.get_by_text("Not sent: the server cannot be reached.").wait_for()
        await olga.shoot("lost")
        await demo.start()
        await expect(olga.page.locator(".live")).to_have_text("Live")
        await expect(reason).to_have_value("not yet")
        await olga.button("Decline").click()
        await expect(olga.detail.locator(".verdict")).to_have_text("Declined")
        await expect(olga.row("599.00 EUR")).to_have_count(0)
        await refund_of(demo.url, "bob", asked)
        await expect(olga.row("599.00 EUR")).to_have_count(1)

        async def rejected() -> bool:
            return [status for _, status in ledger(demo.data, "B-50401")] == ["rejected"]

        await wait_until(rejected, f"the refund of {first} is declined in the ledger")


async def test_figures_of_the_platform_and_of_the_project_are_drawn(
    browser: Browser, demo: Served, model: DemoModel
) -> None:
    await refund_of(demo.url, "lin", "talk to a person")
    async with desk(browser, demo.url, at="#/figures") as olga:
        own, project = olga.page.locator(".charts").first, olga.page.locator(".project .chart")
        now = own.locator(".figures").first
        await expect(now.locator("dt")).to_have_text(["runs at work", "runs in line", "approvals waiting"])
        await expect(project.first).to_be_visible()
        runs = own.locator(".chart", has_text="Runs a day")
        drawn = runs.get_by_role("img")
        assert re.match(
            r"Runs a day\. \d\d-\d\d done: [1-9]\d* \(0 – [1-9]",
            await drawn.get_attribute("aria-label") or "",
        )
        await expect(runs.locator("rect.c0").last).to_be_visible()
        await olga.shoot("figures")
        await runs.get_by_role("button", name="Table: Runs a day").click()
        await expect(drawn).to_have_count(0)
        await expect(runs.locator("tr").last).to_contain_text("stopped")
        await olga.page.get_by_label("Days").select_option("7")
        await expect(runs.get_by_role("img")).to_be_visible()
        handoffs = own.locator(".numbers > div", has_text="hand-offs")
        await expect(handoffs.locator("dd")).to_have_text(re.compile(r"[1-9]\d*(\.\d)?%"))
        await project.first.scroll_into_view_if_needed()
        await olga.shoot("panels")
        assert await findings(olga.window) == []
