"""`examples/react-chat`: the official React client, built as its README says, against our server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from graph.demo import DemoModel, Script
from graph.demo.script import Say
from tests.certificates import GIVEN
from tests.gates import ROOT
from tests.programs import need_program
from tests.ui.conftest import Served
from tests.ui.test_widget import ledger
from tests.ui.windows import PATIENCE_MS, Window, window

EXAMPLE = ROOT / "examples" / "react-chat"
INSTALLED = "examples/react-chat/node_modules/.installed"
BUILD_S = 180  # installs what the lock file names, the first time
COMPOSER = "form input"

pytestmark = pytest.mark.timeout(BUILD_S + 60)


class Files(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


async def build(into: Path, api: str) -> None:
    """Installs the example once, checks its types and builds it for a server."""
    need_program("npm", package="npm")
    await run("make", "--no-print-directory", INSTALLED, cwd=ROOT)
    await run("npm", "exec", "--offline", "--", "tsc", cwd=EXAMPLE)
    vite = ("npm", "exec", "--offline", "--", "vite", "build", "--outDir", str(into), "--logLevel", "error")
    await run(*vite, cwd=EXAMPLE, VITE_API_URL=api)


async def run(*command: str, cwd: Path, **environment: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env={**GIVEN, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), BUILD_S)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, said.decode(errors="replace")


@pytest.fixture(scope="module")
async def app(served: Served, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    into = tmp_path_factory.mktemp("react")
    await build(into, served.url)
    with serving(into) as url:
        yield url


async def say(chat: Window, text: str) -> None:
    box = chat.page.locator(COMPOSER)
    await box.fill(text)
    await box.press("Enter")


async def test_a_refund_is_approved_in_react(
    browser: Browser, demo: Served, model: DemoModel, app: str
) -> None:
    async with window(browser, app, ready=COMPOSER, locale="en-US") as chat:
        await say(chat, "Please refund order 12352")
        await chat.sees("Shall I arrange the refund?")
        await expect(chat.page.locator(".call code")).to_have_text(["query_order"])
        await expect(chat.page.locator(".call summary")).to_contain_text("finished")
        await say(chat, "Yes, please refund it")
        card = chat.page.locator(".approval")
        await expect(card.locator("h2")).to_have_text("Refund for order 12352")
        await expect(card.locator("dl")).to_contain_text("688.00 CNY")
        await chat.shoot("30-react-approval")
        await chat.page.reload()
        await expect(card).to_have_count(1)
        await expect(chat.page.locator("p.human")).to_have_count(2)
        assert ledger(demo.data, "12352") == []
        await chat.button("Approve").click()
        await expect(card).to_have_count(0, timeout=PATIENCE_MS)
        # What was paid is said after it was paid.
        await expect(chat.page.locator("p.ai")).to_have_count(3, timeout=PATIENCE_MS)
        await chat.shoot("31-react-done")
    assert ledger(demo.data, "12352") == [(68800, "settled")]


async def test_an_answer_is_streamed_and_stopped_in_react(
    browser: Browser, demo: Served, model: DemoModel, app: str
) -> None:
    model.play(Script(steps=(Say(text="one two three four five six"),), hold_after=3))
    async with window(browser, app, ready=COMPOSER, locale="en-US") as chat:
        await say(chat, "hello")
        await expect(chat.page.locator("p.ai")).to_contain_text("one two")
        await expect(chat.button("Stop")).to_be_visible()
        model.release()
        await expect(chat.page.locator("p.ai")).to_have_text("one two three four five six")
        await expect(chat.button("Send")).to_be_visible()
