"""The short forms of `make chaos`: a twentieth of its counts."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chaos.__main__ import SCENARIOS
from tests.chaos.zygote import Zygote, zygote

pytestmark = [
    pytest.mark.timeout(120),
    # The official client says so whenever a stream that broke goes on.
    pytest.mark.filterwarnings("ignore:Request failed, attempting reconnect:UserWarning"),
    # So it does for one that was cut after its headers and before its first event.
    pytest.mark.filterwarnings("ignore:Reconnecting without a Last-Event-ID:UserWarning"),
]
SHORT = 0.05
# Their bars are milliseconds and megabytes, which other tests beside them would take.
TIMED = ("deaf", "limits", "overload")


@pytest.fixture(scope="module")
async def parent(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Zygote]:
    async with zygote(tmp_path_factory.mktemp("logs")) as running:
        yield running


def case(name: str) -> object:
    return pytest.param(name, marks=pytest.mark.alone if name in TIMED else ())


@pytest.mark.parametrize("name", [case(name) for name in SCENARIOS])
async def test_nothing_goes_wrong(name: str, parent: Zygote, tmp_path: Path) -> None:
    report = await SCENARIOS[name](parent, tmp_path, SHORT)
    assert report.problems == []
