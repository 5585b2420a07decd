"""What the widget weighs: each file that a browser loads for it, as it is sent."""

from urllib.parse import urlsplit

from playwright.async_api import Browser, Request, expect

from tests.servers import Live
from tests.ui.windows import Window

KB = 1024
AROUND = ("/ui", "/ui/chat/page.js", "/ui/chat/page.css")  # the page, not the widget
AT_ONCE_KB = 20
WITH_CARDS_KB = 24
WITH_ALL_KB = 27


async def weight_kb(requests: list[Request]) -> float:
    sizes = {}
    for request in requests:
        path = urlsplit(request.url).path
        if path.startswith("/ui/") and path not in AROUND:
            sizes[path] = (await request.sizes())["responseBodySize"]
    return sum(sizes.values()) / KB


async def test_the_widget_is_light(browser: Browser, server: Live) -> None:
    async with await browser.new_context(locale="zh-CN") as context:
        page = await context.new_page()
        loaded: list[Request] = []
        page.on("requestfinished", lambda request: loaded.append(request))
        await page.goto(f"{server.url}/ui?assistant=ask")
        chat = Window(page)
        await chat.box.wait_for()
        assert await weight_kb(loaded) <= AT_ONCE_KB
        await chat.say("你好")
        await chat.card.wait_for()
        assert await weight_kb(loaded) <= WITH_CARDS_KB
        await chat.button("全部对话").click()
        await chat.button("结束对话").click()
        await expect(page.locator(".rating")).to_be_visible()
        assert await weight_kb(loaded) <= WITH_ALL_KB
