"""A terminal for tests: lines that are typed, and what is shown."""

import asyncio
import io
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from holdfast.cli import main
from holdfast.cli.chat import converse
from holdfast.cli.chat_screen import Screen
from holdfast.redis import embedded as embedding
from tests.servers import clean_environment

Line = str | Callable[[], str]
Run = Callable[..., str]


class Terminal:
    """Types the lines one by one (a function is called when its turn has come), then ends the input."""

    def __init__(self, *lines: Line, width: int = 100) -> None:
        self._lines: Iterator[Line] = iter(lines)
        self._file = io.StringIO()
        self.screen = Screen(Console(file=self._file, width=width, highlight=False), self._read)

    def _read(self, _prompt: str, _fresh: bool) -> str:
        try:
            line = next(self._lines)
        except StopIteration:
            raise EOFError from None
        return line if isinstance(line, str) else line()

    @property
    def shown(self) -> str:
        return self._file.getvalue()


@pytest.fixture(autouse=True)
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


async def talk(
    url: str,
    assistant: str | None,
    *lines: Line,
    thread: str | None = None,
    new: bool = False,
    token: str | None = None,
) -> str:
    """A whole conversation, and what was shown of it."""
    terminal = Terminal(*lines)
    await asyncio.to_thread(lambda: converse(terminal.screen, url, assistant, thread, new=new, token=token))
    return terminal.shown


@pytest.fixture
def restored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A process of its own in miniature: what a start changes for good is put back."""
    handlers, modules = logging.getLogger().handlers[:], set(sys.modules)
    for name in os.environ.keys() - clean_environment().keys():
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(embedding, "LOCK_TIMEOUT_S", 0.05)
    monkeypatch.setattr(sys, "path", sys.path[:])
    yield
    logging.getLogger().handlers[:] = handlers
    for name in [name for name in sys.modules.keys() - modules if name.startswith("broken_")]:
        del sys.modules[name]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that cannot start, and gives its sentence."""

    def run(*arguments: str, **environment: str) -> str:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("sys.argv", ["holdfast", *arguments])
        with pytest.raises(SystemExit) as exit:
            main()
        assert exit.value.code == 2
        output = capsys.readouterr()
        assert output.out == ""
        [line] = [line for line in output.err.splitlines() if "warning" not in line]
        assert line.startswith("holdfast: ")
        return line.removeprefix("holdfast: ")

    return run
