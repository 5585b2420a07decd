"""Several conversations, who takes part in them, and what ends them."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from langgraph_sdk import get_client
from playwright.async_api import Browser, Route, expect

from graph.demo import DemoModel
from tests.servers import Live, live
from tests.ui.conftest import Served
from tests.ui.states import look, operator
from tests.ui.windows import Window, window
from tests.waiting import wait_until

HIDE = """hidden => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


async def test_a_person_is_asked_for_comes_speaks_and_goes(
    browser: Browser, demo: Served, model: DemoModel
) -> None:
    async with (
        window(browser, demo.page, locale="en-US") as chat,
        await operator(demo.url, "mia") as mia,
    ):
        await look(chat, "30-empty")
        await chat.button("Talk to a person").click()
        await chat.sees("A person has been asked for")
        await chat.button("Never mind").click()
        await expect(chat.page.locator(".attending")).to_be_hidden()
        await chat.button("Talk to a person").click()
        await chat.sees("A person has been asked for")
        await chat.say("My parcel is broken")
        await expect(chat.page.locator(".message.ai")).to_have_count(1)
        thread_id = await chat.thread_id()
        await mia.http.put(f"/threads/{thread_id}/hold", json={})
        await chat.sees("mia joined the conversation")
        await expect(chat.page.locator(".attending")).to_have_text("mia is here", use_inner_text=True)
        said: Any = {"messages": [{"role": "user", "content": "I am Mia. Let me **look**."}]}
        thread = await mia.threads.get(thread_id)
        assistant = (thread["metadata"] or {})["assistant_id"]
        await mia.runs.create(thread_id, str(assistant), input=said)
        theirs = chat.page.locator(".message.person")
        await expect(theirs).to_contain_text("I am Mia.")
        await expect(theirs.locator(".by")).to_have_text("mia")
        await look(chat, "31-person")
        await chat.page.reload()
        await expect(theirs.locator(".by")).to_have_text("mia")
        await chat.sees("mia joined the conversation")
        await expect(chat.button("Talk to a person")).to_be_hidden()

        await mia.http.delete(f"/threads/{thread_id}/hold", json={"note": "sends a new one"})
        await chat.sees("You are talking to the assistant again")
        await expect(chat.page.locator(".attending")).to_be_hidden()
        await expect(chat.page.locator(".rating")).to_be_visible()  # who was helped is asked how it was
        await chat.say("Thank you")
        answer = chat.page.locator(".message.ai").last
        await expect(answer.locator(".by")).to_have_text("Assistant")
        await look(chat, "32-back")
        await chat.page.get_by_role("radio", name="Good", exact=True).check()
        await chat.page.get_by_label("Anything to add?").fill("Mia was kind")
        await look(chat, "33-rating")
        await chat.page.locator(".rating").get_by_role("button", name="Send").click()
        await chat.sees("Thank you!")
        thread = await mia.threads.get(thread_id)
        rating = (thread["metadata"] or {})["rating"]
        assert (rating["score"], rating["comment"]) == (4, "Mia was kind")


async def test_forced_colors_and_reduced_motion_are_followed(browser: Browser, server: Live) -> None:
    async with window(
        browser, f"{server.url}/ui?assistant=ask", forced_colors="active", reduced_motion="reduce"
    ) as chat:
        await chat.say("你好")
        await chat.card.wait_for()
        card, said = chat.card, chat.page.locator(".message.human .body").first
        assert await card.evaluate("card => getComputedStyle(card).animationName") == "none"
        assert await said.evaluate("body => getComputedStyle(body).borderTopStyle") == "solid"


async def test_conversations_are_listed_opened_and_deleted(
    browser: Browser, demo: Served, model: DemoModel
) -> None:
    async with window(browser, demo.page, locale="en-US") as chat, get_client(url=demo.url) as client:
        await chat.say("Where is my parcel? It is late.")
        await expect(chat.page.locator(".message.ai")).to_have_count(1)
        first = await chat.thread_id()
        await chat.button("New conversation").click()
        await expect(chat.page.locator(".message")).to_have_count(0)
        await chat.box.fill("half a thou")
        await chat.button("Conversations").click()
        entries = chat.page.locator(".entry")
        await expect(entries).to_have_count(1)
        await expect(entries.locator("span")).to_have_text("Where is my parcel?")
        await entries.click()
        await chat.sees("It is late.")
        assert await chat.thread_id() == first
        await chat.box.fill("not yet sent")
        await chat.page.reload()
        await expect(chat.box).to_have_value("not yet sent")
        await chat.sees("It is late.")

        await chat.button("New conversation").click()
        await chat.say("Hello")
        await expect(chat.page.locator(".message.ai")).to_have_count(1)
        await chat.button("Conversations").click()
        await expect(entries).to_have_count(2)
        await look(chat, "34-conversations")
        await chat.button("Delete: Where is my parcel?").click()
        await chat.sees("Delete this conversation for good?")
        await expect(chat.button("Keep")).to_be_focused()
        await look(chat, "35-delete")
        await chat.button("Delete").click()
        await expect(entries).to_have_count(1)

        async def gone() -> bool:
            return first not in [one["thread_id"] for one in await client.threads.search(limit=100)]

        await wait_until(gone, "the conversation is deleted at the server")
        await chat.page.keyboard.press("Escape")
        await expect(entries).to_have_count(0)
        await expect(chat.button("Conversations")).to_be_focused()


async def test_a_failed_run_is_tried_again_where_it_failed(browser: Browser, server: Live) -> None:
    async with window(browser, f"{server.url}/ui?assistant=flaky", locale="en-US") as chat:
        await chat.say("Hello")
        await chat.sees("Something went wrong")
        await look(chat, "36-failed")
        await chat.button("Try again").click()
        await chat.sees("echo: Hello")
        assert await chat.said("human") == ["Hello"]
        await expect(chat.page.get_by_text("Something went wrong")).to_have_count(0)


async def test_an_operator_decides_and_the_customer_knows_within_a_second(
    browser: Browser, demo: Served, model: DemoModel
) -> None:
    async with (
        window(browser, demo.page) as chat,
        await operator(demo.url, "mia") as mia,
    ):
        await chat.say("我要退订单 #12357")
        await chat.sees("需要我为您办理退款吗")
        await chat.say("好的，帮我退款")
        await chat.card.wait_for()
        await expect(chat.card.locator(".others")).to_contain_text("operator")
        await look(chat, "37-others")
        thread_id = await chat.thread_id()
        [approval] = await mia.http.get("/approvals", params={"thread_id": thread_id})
        await mia.http.post(f"/approvals/{approval['approval_id']}/decisions", json={"type": "approve"})
        decided = time.monotonic()
        await expect(chat.card).to_have_count(0)
        assert time.monotonic() - decided < 1
        await chat.sees("已办理")


async def test_a_second_answer_is_told_that_it_came_too_late(browser: Browser, server: Live) -> None:
    """The answer is on its way when another one is taken."""
    sdk = server.sdk()
    async with window(browser, f"{server.url}/ui?assistant=ask", locale="en-US") as chat:
        await chat.say("hello")
        await chat.card.wait_for()

        async def late(route: Route) -> None:
            await sdk.runs.wait(await chat.thread_id(), "ask", command={"resume": "by another"})
            await route.continue_()

        await chat.page.route("**/commands", late)
        await chat.card.get_by_label("Your answer").fill("yes")
        await chat.button("Answer").click()
        await chat.sees("This was already decided elsewhere.")
        await expect(chat.card).to_have_count(0)


def dated(days_ago: int) -> str:
    """An id with a time in it."""
    at = int((datetime.now(UTC) - timedelta(days=days_ago)).timestamp() * 1000)
    return f"{at >> 16:08x}-{at & 0xFFFF:04x}-7abc-8def-0123456789ab"


async def test_times_are_known_or_not_shown(browser: Browser, redis_url: str) -> None:
    """Once the log is gone nothing but an id tells when a message was."""
    said: Any = [
        {"role": "user", "content": "first", "id": dated(40)},
        {"role": "assistant", "content": "second", "id": f"lc_run--{dated(1)}"},
        {"role": "user", "content": "third", "id": "nobody-knows-when"},
    ]
    async with live(redis_url, events_keep_s=1) as brief:
        thread: Any = await brief.sdk().threads.create(graph_id="echo")
        await brief.sdk().threads.update_state(thread["thread_id"], {"messages": said})
        log = brief.platform.keys.events(thread["thread_id"])

        async def gone() -> bool:
            return not await brief.platform.client.redis.xlen(log)

        await wait_until(gone, "the log is gone")
        async with window(
            browser, f"{brief.url}/ui?assistant=echo", locale="en-US", timezone_id="UTC"
        ) as chat:
            await chat.open_thread(thread["thread_id"])
            await chat.sees("third")
            await expect(chat.page.locator(".message time")).to_have_count(2)
            days = await chat.page.locator(".line.day").all_inner_texts()
            long_ago = datetime.now(UTC) - timedelta(days=40)
            assert days == [f"{long_ago:%B} {long_ago.day}, {long_ago.year}", "yesterday"]
            await chat.say("and now")
            await expect(chat.page.locator(".message time")).to_have_count(4)
            await expect(chat.page.locator(".line.day").last).to_have_text("today")
            await look(chat, "40-days")


async def test_two_tabs_and_a_hidden_one(browser: Browser, demo: Served, model: DemoModel) -> None:
    async with window(browser, demo.page, locale="en-US") as chat:
        await chat.say("hello")
        await expect(chat.page.locator(".message.ai")).to_have_count(1)
        other = Window(await chat.page.context.new_page())
        await other.page.goto(demo.page)
        await expect(other.page.locator(".message.ai:not(.streaming)")).to_have_count(1)  # it counts as read
        await other.page.evaluate(HIDE, True)
        await chat.say("and once more")
        for one in (chat, other):
            await expect(one.page.locator(".message.ai")).to_have_count(2)
            assert await one.said("human") == ["hello", "and once more"]
        await expect(other.page).to_have_title("(1) Holdfast")
        await expect(other.page.locator(".line.new")).to_have_count(1)
        await other.page.evaluate(HIDE, False)
        await expect(other.page).to_have_title("Holdfast")
        await expect(other.page.locator(".line.new")).to_have_count(1)
        await other.shoot("38-new")

        aloud = chat.page.locator(".conversation > .unseen[role=status]")
        answers = await chat.said()
        await expect(aloud).to_have_text(f"Assistant: {answers[-1]}")  # once, and whole
        await chat.page.reload()
        await expect(chat.page.locator(".message.ai")).to_have_count(2)
        await expect(aloud).to_have_text("")


async def test_a_visitor_who_is_offline_is_told_so(browser: Browser, demo: Served, model: DemoModel) -> None:
    async with window(browser, demo.page, locale="en-US", bears="ERR_") as chat:
        await chat.say("hello")
        await expect(chat.page.locator(".message.ai")).to_have_count(1)
        await chat.page.context.set_offline(True)
        await chat.sees("You are offline.")
        await chat.say("are you there?")
        await chat.sees("Not sent.")
        await look(chat, "39-offline")
        await chat.page.context.set_offline(False)
        await expect(chat.page.get_by_text("You are offline.")).to_have_count(0)
        await chat.button("Try again").click()
        await expect(chat.page.locator(".message.ai")).to_have_count(2)
        assert await chat.said("human") == ["hello", "are you there?"]
