"""The chat in pages of other origins: one script tag, whatever the page around it does."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Browser, expect

from graph.demo import DemoModel, Script
from tests.servers import Live
from tests.ui.accessibility import findings
from tests.ui.conftest import Served
from tests.ui.hosts import PAGE, hosting
from tests.ui.windows import window

HOSTILE = """<style>
* { color: red !important; font: 40px/3 serif !important; text-transform: uppercase !important;
    letter-spacing: 9px !important; text-align: center; --ink: red; --ground: red; cursor: wait }
.frame, .message, header, button { display: none !important }
holdfast-chat { display: block; height: 500px }
</style>"""
TOKENS = """<script>
window.asked = 0;
window.shopToken = async () => window.tokens[Math.min(window.asked++, window.tokens.length - 1)];
</script>"""


@pytest.fixture
def pages() -> dict[str, str]:
    return {}


@pytest.fixture
def host(pages: dict[str, str]) -> Iterator[str]:
    with hosting(pages) as url:
        yield url


def run_out(token: str) -> str:
    """The same caller's, and refused."""
    head, claims, signature = token.split(".")
    return f"{head}.{claims}.{signature[::-1]}"


async def test_one_tag_is_enough_in_a_page_that_styles_everything(
    browser: Browser, server: Live, host: str, pages: dict[str, str]
) -> None:
    good = server.authenticator.sign("ann", ())
    bad = run_out(good)
    tokens = f"<script>window.tokens = {[good, bad, bad, good]}</script>"
    element = '<holdfast-chat assistant=echo language=en greeting="Hello!" token=shopToken></holdfast-chat>'
    pages["/"] = PAGE.format(root="", head=HOSTILE + TOKENS + tokens, body=element, server=server.url)
    async with window(browser, host, bears="401") as chat:
        await chat.sees("Hello!")
        await chat.say("hi")
        await chat.sees("echo: hi")
        style = await chat.page.locator(".ai .body").evaluate(
            "one => (({ color, fontSize, textTransform, letterSpacing, cursor }) =>"
            " [color, fontSize, textTransform, letterSpacing, cursor])(getComputedStyle(one))"
        )
        assert style == ["rgb(27, 33, 39)", "16px", "none", "normal", "auto"]
        threads = await server.sdk("ann").threads.search()
        assert [(one["metadata"] or {})["title"] for one in threads] == ["hi"]
        assert await chat.page.evaluate("window.asked") > 2  # asked before each request
        await chat.shoot("20-hostile")

        shown = chat.page.locator("holdfast-chat")
        await shown.evaluate("chat => chat.setAttribute('theme', 'dark')")
        await expect(chat.page.locator(".frame")).to_have_css("background-color", "rgb(20, 24, 28)")
        await shown.evaluate("chat => chat.setAttribute('language', 'zh')")
        await expect(chat.button("发送")).to_be_visible()
        await chat.sees("echo: hi")


async def test_another_caller_is_shown_nothing_of_the_one_before(
    browser: Browser, server: Live, host: str, pages: dict[str, str]
) -> None:
    ann, bob = (server.authenticator.sign(one, ()) for one in ("ann", "bob"))
    element = '<holdfast-chat assistant="echo" language="en"></holdfast-chat>'
    early = f"<script>document.querySelector('holdfast-chat').token = () => '{ann}'</script>"
    pages["/"] = PAGE.format(root="", head="", body=element + early, server=server.url)
    async with window(browser, host) as chat:
        await chat.say("a secret")
        await chat.sees("echo: a secret")
        await chat.box.fill("and half of anoth")
        await chat.page.evaluate(f"document.querySelector('holdfast-chat').token = () => '{bob}'")
        await chat.sees("How can I help?")
        await expect(chat.box).to_have_value("")
        await chat.button("Conversations").click()
        await chat.sees("No conversation yet.")
        await expect(chat.page.get_by_text("secret")).to_have_count(0)
        await chat.page.keyboard.press("Escape")
        await chat.say("mine")
        await chat.sees("echo: mine")
        await chat.page.evaluate(f"document.querySelector('holdfast-chat').token = '{ann}'")
        await chat.sees("echo: a secret")
        await expect(chat.box).to_have_value("and half of anoth")
        await expect(chat.page.get_by_text("mine")).to_have_count(0)


async def test_opaque_tokens_keep_nobody_in_anothers_conversation(
    browser: Browser, server: Live, host: str, pages: dict[str, str]
) -> None:
    """What the browser cannot tell apart the server does."""
    ann, bob = (server.authenticator.sign(one, ()) for one in ("ann", "bob"))
    element = '<holdfast-chat assistant="echo" language="en"></holdfast-chat>'
    blind = "<script>window.atob = () => { throw Error() }</script>"
    pages["/"] = PAGE.format(root="", head=blind, body=element, server=server.url)
    async with window(browser, host) as chat:
        for token, words in ((ann, "from ann"), (bob, "from bob")):
            await chat.page.evaluate(f"document.querySelector('holdfast-chat').token = '{token}'")
            await expect(chat.page.get_by_text("from ann")).to_have_count(0)
            await chat.say(words)
            await chat.sees(f"echo: {words}")
        assert await chat.said("human") == ["from bob"]


async def test_a_launcher_opens_counts_and_closes(
    browser: Browser, demo: Served, model: DemoModel, host: str, pages: dict[str, str]
) -> None:
    element = "<p>Things to buy.</p><holdfast-chat launcher language=en></holdfast-chat>"
    pages["/"] = PAGE.format(root="", head="", body=element, server=demo.url)
    async with window(browser, host, ready=".launch") as chat:
        launch = chat.button("Open the chat")
        await expect(chat.page.locator(".frame")).to_be_hidden()
        box = await launch.bounding_box()
        assert box
        assert box["x"] > 1100
        assert box["y"] > 600
        await chat.shoot("21-launcher")
        await launch.click()
        await expect(chat.box).to_be_focused()
        model.play(Script(hold_after=1))
        await chat.say("hello")
        await expect(chat.page.locator(".message.streaming")).to_be_visible()
        await chat.shoot("22-launched")
        await chat.page.keyboard.press("Escape")
        await expect(chat.page.locator(".frame")).to_be_hidden()
        await expect(launch).to_be_focused()
        model.release()
        marked = chat.button("Open the chat (1 unread)")
        await marked.wait_for()
        await chat.shoot("23-launcher-unread")
        assert await findings(chat) == []
        await marked.click()
        await expect(chat.page.locator(".line.new")).to_have_text("New")
        await expect(chat.button("Open the chat")).to_be_visible()
        await chat.shoot("24-launched-new")
        await chat.button("Close").click()
        await expect(chat.page.locator(".frame")).to_be_hidden()

        await chat.page.set_viewport_size({"width": 360, "height": 640})  # there it takes the whole screen
        await launch.click()
        await expect(launch).to_be_hidden()
        await expect(chat.button("Send")).to_be_in_viewport(ratio=1)
        await chat.shoot("24-launched-phone")


async def test_a_page_from_right_to_left_mirrors_the_chat(
    browser: Browser, server: Live, host: str, pages: dict[str, str]
) -> None:
    element = "<holdfast-chat launcher assistant=echo language=en></holdfast-chat>"
    pages["/"] = PAGE.format(root='dir="rtl"', head="", body=element, server=server.url)
    async with window(browser, host, ready=".launch") as chat:
        box = await chat.button("Open the chat").bounding_box()
        assert box
        assert box["x"] < 100
        await chat.button("Open the chat").click()
        await chat.say("أريد استرداد ثمن الطلب 12345.")
        await chat.sees("echo:")
        said = await chat.page.locator(".human .body").bounding_box()
        frame = await chat.page.locator(".frame").bounding_box()
        assert said
        assert frame
        assert said["x"] - frame["x"] < 40  # one's own words stand at the end, which is the left
        assert await chat.page.locator(".human p").evaluate("p => getComputedStyle(p).direction") == "rtl"
        assert await chat.page.locator(".ai p").evaluate("p => getComputedStyle(p).direction") == "ltr"
        await chat.shoot("25-rtl")
        assert await findings(chat) == []
