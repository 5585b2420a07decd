import re
from pathlib import Path

import pytest
import typer
from typer.core import TyperCommand as Command
from typer.core import TyperGroup as Group

from holdfast.cli.commands import app
from tests.servers import ROOT

DOCS = Path(ROOT / "docs" / "cli.md").read_text()


def spelled(group: Group, prefix: str = "") -> dict[str, Command]:
    """Every command by all of its words."""
    found: dict[str, Command] = {}
    for name, one in group.commands.items():
        if isinstance(one, Group):
            found |= spelled(one, f"{prefix}{name} ")
        elif isinstance(one, Command):
            found[prefix + name] = one
    return found


def options_of(command: Command) -> set[str]:
    return {option for one in command.params for option in one.opts if option.startswith("--")}


COMMANDS = spelled(typer.main.get_group(app))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    assert f"| `holdfast {name}` |" in DOCS
    options = options_of(COMMANDS[name])
    assert options <= set(re.findall(r"`(--[a-z-]+)`", DOCS))


def test_no_other_command_or_option_is_documented() -> None:
    options = {option for one in COMMANDS.values() for option in options_of(one)}
    assert set(re.findall(r"`(--[a-z-]+)`", DOCS)) <= options | {"--help"}
    assert set(re.findall(r"^\| `holdfast ([a-z -]+)`", DOCS, re.M)) == set(COMMANDS)
    assert set(re.findall(r"`holdfast ([a-z-]+)", DOCS)) == {name.split()[0] for name in COMMANDS}
