"""A browser, and `holdfast dev` with a demo model that tests direct."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from graph.demo import DemoModel, Script
from tests.programs import need_program
from tests.servers import free_port, holdfast, wait_ready
from tests.zygote import Forked

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    program = need_program("chromium", package="chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=OPTIONS)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
async def stage() -> AsyncIterator[DemoModel]:
    async with DemoModel(Script()) as model:
        yield model


@pytest.fixture
def model(stage: DemoModel) -> DemoModel:
    stage.play(Script())
    return stage


@dataclass
class Served:
    """`holdfast dev` on one port and one folder of data, also after it was killed and started again."""

    stage: DemoModel
    data: Path
    port: int = field(default_factory=free_port)
    process: Forked | None = None
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def page(self) -> str:
        return f"{self.url}/ui"

    async def start(self) -> None:
        if self.process and self.process.returncode is None:
            return
        environment = {
            "HOLDFAST_DATA": str(self.data),
            "HOLDFAST_LEASE_S": "1",
            "OPENAI_BASE_URL": self.stage.base_url,
            "OPENAI_API_KEY": "demo",
        }
        command = holdfast("dev", "--port", str(self.port), **environment)
        self.process = await self.stack.enter_async_context(command)
        await wait_ready(self.url)

    async def kill(self) -> None:
        assert self.process
        self.process.kill()
        await self.process.wait()


@pytest.fixture(scope="session")
async def served(stage: DemoModel, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    one = Served(stage, tmp_path_factory.mktemp("demo"))
    async with one.stack:
        yield one


@pytest.fixture
async def demo(served: Served) -> Served:
    await served.start()
    return served
