"""`make images`: takes the pictures of docs/images with `holdfast dev`, its demo model and Chromium.

python -m tests.ui.pictures [word]      only those whose name holds the word
"""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import httpx
from playwright.async_api import Browser, Page, async_playwright

from tests.gates import ROOT
from tests.servers import free_port, holdfast, wait_ready
from tests.ui.conftest import OPTIONS

IMAGES = ROOT / "docs" / "images"
MOST_BYTES = 150 * 1024
PATIENCE_MS = 20_000
COMPOSER = ".composer textarea"
SIZES: dict[str, dict[str, Any]] = {
    "wide": {"viewport": {"width": 1280, "height": 800}, "device_scale_factor": 1.5},
    "tall": {"viewport": {"width": 1360, "height": 1110}, "device_scale_factor": 1.5},
    "phone": {"viewport": {"width": 360, "height": 720}, "device_scale_factor": 2, "has_touch": True},
}
# What waits on the desk: who asks, and for which order.
ASKED = (("bob", "B-50401"), ("lin", "20101"), ("alice", "A-40301"), ("wang", "30211"))

Language = Literal["en", "zh"]
SAYS: dict[Language, tuple[str, str]] = {
    "en": ("I would like a refund for order {}.", "Yes, please refund it"),
    "zh": ("我要退订单 #{}", "好的，帮我退款"),
}


@dataclass
class Scene:
    """A page of the running demo, in one language and theme."""

    page: Page
    url: str
    language: Language
    theme: str

    async def show(self, path: str, **query: str) -> None:
        path, _, fragment = path.partition("#")
        options = httpx.QueryParams({"language": self.language, "theme": self.theme, **query})
        await self.page.goto(f"{self.url}{path}?{options}#{fragment}")

    async def ask(self, order: str) -> None:
        """Talks until the request for approval is there."""
        for text in SAYS[self.language]:
            await self.page.locator(COMPOSER).fill(text.format(order))
            await self.page.locator(COMPOSER).press("Enter")
            await self.page.locator(".message.ai:not(.streaming)").last.wait_for()
            await self.page.locator(".thinking").wait_for(state="hidden")
        await self.page.locator(".card").wait_for()

    async def sign_in(self, subject: str, *roles: str) -> None:
        """On the desk, for this tab."""
        async with httpx.AsyncClient(base_url=self.url) as http:
            asked = {"subject": subject, "roles": roles}
            token = (await http.post("/dev/token", json=asked)).json()["token"]
        await self.page.add_init_script(f"sessionStorage.setItem('holdfast-desk', '{token}')")


async def home(scene: Scene) -> None:
    await scene.show("/#alice")
    await scene.page.locator(".state.ready").wait_for()
    await scene.page.locator(".orders button", has_text="A-40303").click()
    await scene.page.locator(".status.success").wait_for()


async def timeline(scene: Scene) -> None:
    await scene.show("/#alice")
    await scene.ask("A-40303")
    await scene.page.locator(".status.waiting").wait_for()
    await scene.page.evaluate("document.querySelector('.happened').scrollIntoView({ block: 'center' })")


async def chat(scene: Scene) -> None:
    await scene.show("/ui")
    await scene.ask("12346")


async def phone(scene: Scene) -> None:
    await scene.show("/ui")
    await scene.ask("12347")


async def reference(scene: Scene) -> None:
    await scene.show("/ui/reference#stream_run_threads__thread_id__runs_stream_post")
    await scene.page.locator(".route[open] .fields").first.wait_for()


async def queue(scene: Scene) -> None:
    await scene.sign_in("olga", "operator")
    await scene.show("/ui/desk#/approvals")
    await scene.page.locator(".rows a").first.click()
    await scene.page.locator(".pane.detail .card").wait_for()


async def dashboard(scene: Scene) -> None:
    await scene.sign_in("olga", "operator")
    await scene.show("/ui/desk#/figures")
    await scene.page.locator(".dashboard svg").first.wait_for()


@dataclass(frozen=True)
class Picture:
    name: str
    take: Callable[[Scene], Awaitable[None]]
    size: str = "wide"
    language: Language = "en"
    theme: str = "light"


PICTURES = (
    Picture("home", home, size="tall"),
    Picture("home-dark", home, size="tall", theme="dark"),
    Picture("timeline", timeline),
    Picture("timeline-dark", timeline, theme="dark"),
    Picture("chat", chat),
    Picture("chat-dark", chat, theme="dark"),
    Picture("phone-dark", phone, size="phone", language="zh", theme="dark"),
    Picture("reference", reference),
    Picture("desk", queue),
    Picture("desk-dark", queue, theme="dark"),
    Picture("dashboard", dashboard),
    Picture("dashboard-dark", dashboard, theme="dark"),
)


async def prepare_desk(url: str) -> None:
    """Has customers ask for what an operator decides."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        for subject, order in ASKED:
            token = (await http.post("/dev/token", json={"subject": subject})).json()["token"]
            headers = {"Authorization": f"Bearer {token}"}
            for text in SAYS["en"]:
                said = {"session_id": f"{subject}-{order}", "message": text.format(order)}
                (await http.post("/chat", json=said, headers=headers)).raise_for_status()


async def take(browser: Browser, url: str, picture: Picture) -> None:
    locale = "zh-CN" if picture.language == "zh" else "en-US"
    async with await browser.new_context(**SIZES[picture.size], locale=locale) as context:
        page = await context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        await picture.take(Scene(page, url, picture.language, picture.theme))
        await page.wait_for_timeout(400)  # for what moves
        path = IMAGES / f"{picture.name}.png"
        await page.screenshot(path=path)
    shrink(path)


def shrink(path: Path) -> None:
    """256 colors are enough for a page."""
    subprocess.run(["pngquant", "--force", "--strip", "--speed", "1", "--output", path, path], check=True)
    size = path.stat().st_size
    sys.stdout.write(f"{path.relative_to(ROOT)}: {size / 1024:.0f} KB\n")
    if size > MOST_BYTES:
        raise SystemExit(f"{path.name} is larger than {MOST_BYTES // 1024} KB.")


@asynccontextmanager
async def demo() -> AsyncIterator[str]:
    port = free_port()
    with TemporaryDirectory(prefix="hf-") as data:
        async with holdfast("dev", "--port", str(port), HOLDFAST_DATA=data):
            url = f"http://127.0.0.1:{port}"
            await wait_ready(url)
            yield url


async def main(word: str = "") -> None:
    for program in ("chromium", "pngquant"):
        if shutil.which(program) is None:
            raise SystemExit(f"{program} is not installed: apt-get install {program}")
    IMAGES.mkdir(exist_ok=True)
    async with demo() as url, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        await prepare_desk(url)
        for picture in PICTURES:
            if word in picture.name:
                await take(browser, url, picture)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:2]))
