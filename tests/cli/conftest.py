"""A terminal for tests: lines that are typed, and what is shown."""

import asyncio
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from holdfast.cli.chat import converse
from holdfast.cli.chat_screen import Screen

Line = str | Callable[[], str]


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
