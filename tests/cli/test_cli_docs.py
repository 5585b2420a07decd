import re
from pathlib import Path

import pytest
import typer

from holdfast.cli.commands import app
from tests.servers import ROOT

DOCS = Path(ROOT / "docs" / "cli.md").read_text()
COMMANDS = typer.main.get_group(app).commands


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    assert f"| `holdfast {name}` |" in DOCS
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert options <= set(re.findall(r"`(--[a-z]+)`", DOCS))


def test_no_other_command_or_option_is_documented() -> None:
    options = {option for one in COMMANDS.values() for parameter in one.params for option in parameter.opts}
    assert set(re.findall(r"`(--[a-z]+)`", DOCS)) <= options | {"--help"}
    assert set(re.findall(r"`holdfast ([a-z]+)", DOCS)) == set(COMMANDS)
