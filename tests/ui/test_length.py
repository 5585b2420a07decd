"""A conversation of two thousand messages is as quick as a short one."""

from dataclasses import dataclass
from typing import Any

from playwright.async_api import Browser, CDPSession, expect

from tests.servers import Live
from tests.ui.windows import Window, window

MANY = 2000
WORDS = 150
FRAME_MS = 50
SCROLL = """async () => {
  const scroller = document.querySelector("holdfast-chat").shadowRoot.querySelector(".scroller");
  const pages = 60;
  for (let page = 1; page <= pages; page += 1) {
    scroller.scrollTop = scroller.scrollHeight * (1 - page / pages);
    await new Promise(requestAnimationFrame);
  }
  return pages;
}"""


@dataclass(frozen=True)
class Work:
    """What a page's thread has done, in ms: in all, and in scripts."""

    whole: float
    scripts: float

    def since(self, earlier: "Work", steps: int) -> "Work":
        return Work((self.whole - earlier.whole) / steps, (self.scripts - earlier.scripts) / steps)


async def work(devtools: CDPSession) -> Work:
    found = (await devtools.send("Performance.getMetrics"))["metrics"]
    seconds = {one["name"]: one["value"] for one in found}
    return Work(seconds["TaskDuration"] * 1000, seconds["ScriptDuration"] * 1000)


async def recital(chat: Window, devtools: CDPSession) -> Work:
    """The work for each word of a long answer."""
    await chat.say(str(WORDS))
    await chat.sees("word1 word2")
    before = await work(devtools)
    await chat.sees(f"word{WORDS - 1}")
    return (await work(devtools)).since(before, WORDS)


async def test_two_thousand_messages_cost_a_frame_no_more_than_a_few(browser: Browser, server: Live) -> None:
    sdk = server.sdk()
    async with window(browser, f"{server.url}/ui?assistant=recite", locale="en-US") as chat:
        devtools = await chat.page.context.new_cdp_session(chat.page)
        await devtools.send("Performance.enable")
        short = await recital(chat, devtools)

        thread: Any = await sdk.threads.create(graph_id="recite")
        paragraph = "Some **bold** words and `code`, a [link](https://example.com) too.\n\n- one\n- two\n"
        said = [
            {
                "role": ("user", "assistant")[number % 2],
                "content": f"{number}. {paragraph}",
                "id": f"m{number}",
            }
            for number in range(MANY)
        ]
        for half in (said[: MANY // 2], said[MANY // 2 :]):  # a thousand at once is the most
            await sdk.threads.update_state(thread["thread_id"], {"messages": half})
        await chat.open_thread(thread["thread_id"])
        await expect(chat.page.locator(".message")).to_have_count(MANY, timeout=30_000)
        await expect(chat.page.locator(".message").last).to_be_in_viewport()
        long = await recital(chat, devtools)
        await expect(chat.page.locator(".message").last).to_be_in_viewport()

        before = await work(devtools)
        frames = await chat.page.evaluate(SCROLL)
        scrolled = (await work(devtools)).since(before, frames)
        figures = f"a word: {short}, after {MANY} messages: {long}; a frame of scrolling: {scrolled}"
        assert long.whole < FRAME_MS, figures
        assert long.scripts < 1.5 * short.scripts + 1, figures
        assert scrolled.whole < FRAME_MS, figures
