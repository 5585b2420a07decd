"""The desk in a browser window: who sits there, and what is done."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Browser, Locator, Page, expect

from tests.ui.windows import Window, window


@dataclass
class Desk:
    window: Window

    @property
    def page(self) -> Page:
        return self.window.page

    @property
    def rows(self) -> Locator:
        return self.page.locator(".rows a")

    @property
    def detail(self) -> Locator:
        return self.page.locator(".pane.detail")

    @property
    def problem(self) -> Locator:
        return self.page.locator(".problem:not(:empty)")

    def row(self, text: str) -> Locator:
        return self.rows.filter(has_text=text)

    def button(self, name: str) -> Locator:
        return self.window.button(name)

    async def open(self, approval_id: str) -> None:
        await self.page.locator(f'.rows a[href="#/approvals/{approval_id}"]').click()
        await expect(self.detail).to_be_visible()

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)

    async def shoot(self, name: str) -> None:
        await self.window.shoot(f"desk-{name}")


@asynccontextmanager
async def desk(
    browser: Browser,
    url: str,
    who: str = "olga",
    *roles: str,
    at: str = "",
    bears: str | None = None,
    **options: Any,
) -> AsyncIterator[Desk]:
    """The desk of one of those to choose from, or of somebody with these roles."""
    place = f"{url}/ui/desk{at}"
    given = {"locale": "en-US", "viewport": {"width": 1280, "height": 800}, **options}
    async with window(browser, place, bears=bears, ready=".signin button", **given) as opened:
        if roles:
            await opened.page.locator("summary").click()
            fields = opened.page.locator(".signin input")
            await fields.nth(0).fill(who)
            await fields.nth(1).fill(", ".join(roles))
            await fields.nth(1).press("Enter")
        else:
            await opened.page.locator(".people button", has_text=who.title()).click()
        await opened.page.locator(".bar").wait_for()
        yield Desk(opened)
