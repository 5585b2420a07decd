"""The chat with graphs that know nothing of it."""

import re
from typing import Any

from playwright.async_api import Browser, expect

from tests.servers import Live, live
from tests.ui.windows import window
from tests.waiting import wait_until


async def test_a_run_that_fails_says_so(browser: Browser, server: Live) -> None:
    async with window(browser, f"{server.url}/ui?assistant=fail") as chat:
        await chat.say("你好")
        await chat.sees("出了点问题，没能完成。")
        await chat.sees("boom")
        await chat.shoot("11-failed")
        await chat.page.reload()
        await chat.sees("出了点问题，没能完成。")
        assert await chat.said("human") == ["你好"]


async def test_an_unknown_assistant_is_a_sentence_and_nothing_is_lost(browser: Browser, server: Live) -> None:
    async with window(browser, f"{server.url}/ui?assistant=nobody", locale="en-US") as chat:
        await chat.say("hello")
        await chat.sees("That was not possible:")
        await expect(chat.page.locator(".message.human")).to_contain_text("hello")
        await expect(chat.button("Try again")).to_be_visible()
        await chat.shoot("12-refused")


async def test_a_plain_question_is_shown_as_quoted_and_answered(browser: Browser, server: Live) -> None:
    async with window(browser, f"{server.url}/ui?assistant=ask", locale="en-US") as chat:
        await chat.say("hello")
        await expect(chat.card.locator("figure.quote blockquote")).to_have_text("go on?")
        await chat.shoot("13-question")
        await chat.card.get_by_label("Your answer").fill("yes")
        await chat.button("Answer").click()
        await expect(chat.card).to_have_count(0)
        sdk, thread_id = server.sdk(), await chat.thread_id()

        async def answered() -> bool:
            values = (await sdk.threads.get(thread_id))["values"]
            return isinstance(values, dict) and values.get("answer") == "yes"

        await wait_until(answered, "the answer has arrived")


async def test_a_question_that_was_written_over_is_gone(browser: Browser, server: Live) -> None:
    sdk = server.sdk()
    async with window(browser, f"{server.url}/ui?assistant=ask", locale="en-US") as chat:
        await chat.say("hello")
        await expect(chat.card).to_have_count(1)
        said: Any = {"answer": "by hand", "messages": [{"role": "assistant", "content": "It was decided."}]}
        await sdk.threads.update_state(await chat.thread_id(), said, as_node="question")
        await chat.sees("It was decided.")
        await expect(chat.card).to_have_count(0)


async def test_sources_are_links_where_they_lead_to_the_web(browser: Browser, server: Live) -> None:
    title = '<b>Returns</b> & "refunds"'
    sources = [
        {"title": title, "url": "https://shop.example/help?a=1&b=\"'<"},
        {"title": "Script", "url": "javascript:alert(1)"},
        {"title": "Shipping"},
    ]
    said: Any = [{"role": "assistant", "content": "See there.", "additional_kwargs": {"sources": sources}}]
    thread: Any = await server.sdk().threads.create(graph_id="echo")
    await server.sdk().threads.update_state(thread["thread_id"], {"messages": said})
    async with window(browser, f"{server.url}/ui?assistant=echo", locale="en-US") as chat:
        await chat.open_thread(thread["thread_id"])
        shown = chat.page.locator(".message.ai small")
        await expect(shown).to_have_text(f"Sources: {title} · Script · Shipping")
        link = shown.locator("a")
        await expect(link).to_have_count(1)
        await expect(link).to_have_text(title)
        await expect(link).to_have_attribute("href", "https://shop.example/help?a=1&b=%22%27%3C")
        await expect(link).to_have_attribute("target", "_blank")
        await expect(link).to_have_attribute("rel", re.compile("noopener noreferrer"))
        await chat.shoot("sources")


async def test_several_approvals_are_cards_of_their_own(browser: Browser, server: Live) -> None:
    sdk = server.sdk()
    async with window(browser, f"{server.url}/ui?assistant=desk", locale="en-US") as chat:
        thread_id = (await sdk.threads.create())["thread_id"]
        await chat.open_thread(thread_id)
        given: Any = {"messages": [{"role": "user", "content": "two"}], "questions": ["one", "two"]}
        await sdk.runs.create(thread_id, "desk", input=given)
        await expect(chat.card).to_have_count(2)
        await chat.button("Approve").first.click()
        await expect(chat.card).to_have_count(1)
        await chat.shoot("14-cards")
        await chat.page.reload()
        await expect(chat.card).to_have_count(1)
        await chat.button("Decline").click()
        await chat.button("Decline").click()
        await expect(chat.card).to_have_count(0)


async def test_what_was_stopped_before_its_turn_can_be_sent_again(browser: Browser, redis_url: str) -> None:
    async with (
        live(redis_url, worker=False) as waiting,
        window(browser, f"{waiting.url}/ui?assistant=echo", locale="en-US") as chat,
    ):
        await chat.say("hello")
        await expect(chat.page.locator(".thinking")).to_be_visible()
        await expect(chat.page.locator(".message.sent")).to_be_visible()
        await chat.button("Stop").click()
        await chat.sees("Not sent.")
        await expect(chat.page.locator(".thinking")).to_be_hidden()
        await expect(chat.button("Stop")).to_be_hidden()
        await chat.button("Try again").click()
        await expect(chat.page.locator(".message.sent")).to_be_visible()
        runs = await waiting.sdk().runs.list(await chat.thread_id())
        assert [run["status"] for run in runs].count("pending") == 1
