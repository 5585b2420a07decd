"""The table of threats names tests that there are, and leaves no row out."""

import re
from pathlib import Path

import pytest

from tests.gates import ROOT

TABLE = (ROOT / "docs" / "threats.md").read_text()
ROWS = re.findall(r"^\| (X\d+) \| (.+) \| (.+) \|(?: (.*))? \|$", TABLE, re.M)


def named(tests: str) -> list[tuple[Path, str]]:
    """The tests of a row as file and function; a name without a file is of the file before it."""
    found, file = [], ""
    for test in re.findall(r"`([^`]+)`", tests):
        path, _, function = test.partition("::")
        file = path or file
        found.append((ROOT / file, re.sub(r"\[.*\]", "", function)))
    return found


def test_every_row_is_there() -> None:
    assert [row[0] for row in ROWS] == [f"X{number}" for number in range(1, 22)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_what_holds_is_shown_or_not_built_yet(row: tuple[str, ...]) -> None:
    _, _, holds, tests = row
    assert named(tests) or "not built yet" in holds
    for file, function in named(tests):
        assert file.is_file(), file
        assert not function or re.search(rf"^(?:async )?def {function}\(", file.read_text(), re.M), function
