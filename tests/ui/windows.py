"""The chat in a browser window: what a person does there, and what the browser complains about."""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Locator, Page, Request

PATIENCE_MS = 10_000
LOCAL = re.compile(r"(https?://(127\.0\.0\.1|localhost)[:/]|data:|blob:|about:)")
SHOTS = os.environ.get("UI_SHOTS")  # a folder: each state that a test comes by is kept there as a picture

# Sent to the console, so that what the policy stopped is counted among the errors.
REPORT = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`))"""

# What the chat keeps of a conversation that a visitor without a token has open.
OPEN = """id => {
  const assistant = document.querySelector("holdfast-chat").getAttribute("assistant") ?? "";
  const key = `holdfast-chat:${location.origin}:${assistant}:`;
  localStorage.setItem(key, JSON.stringify({ open: id, threads: { [id]: { at: Date.now() } } }));
}"""


@dataclass
class Window:
    page: Page
    errors: list[str] = field(default_factory=list)

    async def say(self, text: str) -> None:
        await self.box.fill(text)
        await self.box.press("Enter")

    async def sees(self, text: str) -> None:
        await self.page.get_by_text(text).first.wait_for()

    async def shoot(self, name: str, *, whole: bool = False) -> None:
        if SHOTS:
            await self.page.wait_for_timeout(300)  # for what moves
            await self.page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=whole)

    async def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        found: int = await self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        return found

    @property
    def box(self) -> Locator:
        return self.page.locator(".composer textarea")

    @property
    def card(self) -> Locator:
        return self.page.locator(".card")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    async def said(self, kind: str = "ai") -> list[str]:
        """The texts of the messages, in order."""
        return await self.page.locator(f".message.{kind} p").all_inner_texts()

    async def thread_id(self) -> str:
        found: str = await self.page.evaluate("JSON.parse(Object.values(localStorage)[0]).open")
        return found

    async def open_thread(self, thread_id: str) -> None:
        """As if this visitor had begun it."""
        await self.page.evaluate(OPEN, thread_id)
        await self.page.reload()
        await self.box.wait_for()

    def note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def note_request(self, request: Request) -> None:
        if not LOCAL.match(request.url):
            self.errors.append(f"a request left the machine: {request.url}")


@asynccontextmanager
async def window(
    browser: Browser,
    url: str,
    *,
    bears: str | None = None,
    ready: str = ".composer textarea",
    **options: Any,
) -> AsyncIterator[Window]:
    """A window of a new visitor, once `ready` is there.

    Fails when its console has an error that `bears` is not part of, and when a page asks another machine.
    """
    async with await browser.new_context(**{"locale": "zh-CN", **options}) as context:
        await context.add_init_script(REPORT)
        opened = Window(await context.new_page())
        opened.page.set_default_timeout(PATIENCE_MS)
        opened.page.on("console", opened.note)
        opened.page.on("request", opened.note_request)
        opened.page.on("pageerror", lambda error: opened.errors.append(str(error)))
        await opened.page.goto(url)
        await opened.page.locator(ready).first.wait_for()
        yield opened
    unborne = [error for error in opened.errors if not (bears and bears in error)]
    assert unborne == [], unborne
