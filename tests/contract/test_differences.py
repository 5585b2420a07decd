"""What is told of differences is what the cases know."""

from pathlib import Path

from tests.contract.differences import DIFFERENCES, ROWS
from tests.servers import ROOT

HERE = Path(__file__).parent


def test_each_difference_is_a_row_of_the_table() -> None:
    table = (ROOT / "docs" / "compatibility.md").read_text()
    assert not [row for row in ROWS if f"\n| {row} | " not in table]


def test_each_difference_is_a_case() -> None:
    for case in DIFFERENCES:
        file, _, name = case.partition("::")
        assert f"def {name.partition('[')[0]}(" in (HERE / file).read_text(), case
