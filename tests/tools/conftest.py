import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from graph.demo.bank import DemoBank
from tests.tools.databases import Clock, create_database, passing_database, run_postgres, set_up
from tests.tools.policies import LENIENT
from tools.payments.simulated import SimulatedProvider
from tools.shop import Shop


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with run_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def empty_url(dialect: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of the test's own with nothing in it."""
    if dialect == "sqlite":
        yield f"sqlite:///{tmp_path / 'shop.db'}"
        return
    with passing_database(request.getfixturevalue("postgres")) as url:
        yield url


@pytest.fixture(scope="session")
async def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shop") / "template.db"
    await set_up(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
async def postgres_template(postgres: str) -> str:
    url = create_database(postgres)
    await set_up(url)
    return str(make_url(url).database)


@pytest.fixture
def url(dialect: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A seeded database of the test's own."""
    if dialect == "sqlite":
        path = tmp_path / "shop.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    template = request.getfixturevalue("postgres_template")
    with passing_database(request.getfixturevalue("postgres"), template) as url:
        yield url


@pytest.fixture
async def shop(url: str, clock: Clock) -> AsyncIterator[Shop]:
    """The demo shop on SQLite and on Postgres, as old as the clock says, where anybody decides anything."""
    async with Shop.open(url, clock=clock, policy=LENIENT) as shop:
        yield shop


@pytest.fixture
async def strict_shop(url: str, clock: Clock) -> AsyncIterator[Shop]:
    """The same with the policy that comes along."""
    async with Shop.open(url, clock=clock) as shop:
        yield shop


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[DemoBank]:
    bank = DemoBank(tmp_path / "bank.db", scripting=True).start()
    yield bank
    bank.close()


@pytest.fixture
async def provider(bank: DemoBank) -> AsyncIterator[SimulatedProvider]:
    async with SimulatedProvider(bank.url, timeout_s=1) as provider:
        yield provider
