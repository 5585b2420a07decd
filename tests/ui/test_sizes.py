"""What the pages weigh: all that a browser loads of them, as it is sent, gzipped."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from playwright.async_api import Browser, Page, Request

from tests.servers import Live
from tests.ui.windows import Window

KB = 1024
MOST_KB = 60
SIGNED_OUT = ".signin"
PAGES = (("/", ".runs .graph"), ("/ui/desk", SIGNED_OUT), ("/ui?assistant=ask", ".composer textarea"))


class Scales:
    """Weighs each file that a page loads once."""

    def __init__(self, page: Page) -> None:
        self.weights: dict[str, int] = {}
        self._finished: list[Request] = []
        page.on("requestfinished", lambda request: self._finished.append(request))

    async def weigh(self) -> None:
        for request in self._finished:
            path = urlsplit(request.url).path
            if path == "/" or path.startswith("/ui"):
                sizes = await request.sizes()
                self.weights[path] = max(self.weights.get(path, 0), sizes["responseBodySize"])
        self._finished.clear()


def kilobytes(weights: Mapping[str, int]) -> float:
    return sum(weights.values()) / KB


async def test_all_pages_together_are_light(browser: Browser, server: Live) -> None:
    async with await browser.new_context(locale="zh-CN") as context:
        page = await context.new_page()
        scales = Scales(page)
        for path, ready in PAGES:
            await page.goto(f"{server.url}{path}")
            await page.locator(ready).first.wait_for()
            await scales.weigh()
        chat = Window(page)
        await chat.say("你好")
        await chat.card.wait_for()
        await scales.weigh()
    assert {"/ui/home/page.js", "/ui/desk/desk.js", "/ui/chat.js"} <= scales.weights.keys()
    assert all(scales.weights.values()), scales.weights
    assert kilobytes(scales.weights) <= MOST_KB, scales.weights
