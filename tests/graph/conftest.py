"""The graph with its demo model on a socket and a shop on SQLite, fresh for each test."""

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from graph.demo import DemoModel, Script
from graph.models import Connect, connect_model
from graph.settings import Settings
from graph.workplace import Workplace, open_knowledge
from tests.graph.dialogues import Dialogue
from tests.tools.providers import Instant
from tools.shop import Shop


@pytest.fixture(scope="session")
async def stage() -> AsyncIterator[DemoModel]:
    async with DemoModel(Script()) as model:
        yield model


@pytest.fixture
def model(stage: DemoModel) -> DemoModel:
    stage.play(Script())
    return stage


@pytest.fixture(scope="session")
async def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("seeded") / "shop.db"
    async with Shop.open(f"sqlite:///{path}") as shop:
        await shop.migrate()
        await shop.seed()
    return path


@pytest.fixture(scope="session")
def limits(stage: DemoModel) -> Settings:
    return Settings(openai_base_url=stage.base_url, model_idle_s=1.5, model_total_s=8, retry_wait_s=0.2)


@pytest.fixture(scope="session")
async def connect(limits: Settings) -> AsyncIterator[Connect]:
    async with AsyncExitStack() as resources:
        yield await connect_model(limits, resources)


@pytest.fixture
def settings(limits: Settings, seeded: Path, tmp_path: Path) -> Settings:
    shutil.copy(seeded, tmp_path / "shop.db")
    return replace(limits, data=tmp_path)


@pytest.fixture
async def workplace(settings: Settings, model: DemoModel, connect: Connect) -> AsyncIterator[Workplace]:
    async with Shop.open(settings.database_url) as shop:
        yield Workplace(settings, shop, Instant(), connect, knowledge=open_knowledge(settings))


@pytest.fixture
def dialogue(workplace: Workplace) -> Dialogue:
    return Dialogue(workplace)


@pytest.fixture
def short_of_turns(workplace: Workplace) -> Dialogue:
    """A conversation in which a turn may call the model three times."""
    return Dialogue(replace(workplace, settings=replace(workplace.settings, model_turns=3)))
