"""The terminal of a chat: what it shows and what is typed.

Words of a model, of tools and of people are shown as they are: never markup, and without control characters.
"""

import sys
import termios
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

with suppress(ImportError):  # some Pythons are built without it; with it, `input` edits lines
    import readline  # noqa: F401

CARD_CELLS = 160  # the longest card where there is no terminal to say how wide it is

# Characters that turn the direction of what follows: they can make a figure read as another.
TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

Read = Callable[[str, bool], str]


def clean(text: object) -> str:
    """The text without what a terminal would act on: control and direction characters, lone surrogates."""
    return "".join(c for c in str(text) if c in "\n\t" or not acts(c))


def acts(character: str) -> bool:
    return character in TURNING or unicodedata.category(character) in ("Cc", "Cs")


def one_line(text: object) -> str:
    return " ".join(clean(text).split())


class Screen:
    """Shows lines, pieces of an answer, cards and figures; `ask` reads a line."""

    def __init__(self, console: Console, read: Read) -> None:
        self._console = console
        self._read = read
        self._open = False

    def piece(self, text: str) -> None:
        """The next part of a text that is still being spoken."""
        if shown := clean(text):
            self._console.out(shown, end="", highlight=False)
            self._open = not shown.endswith("\n")

    def close(self) -> None:
        """Ends the line that pieces left open."""
        if self._open:
            self._console.out()
        self._open = False

    def line(self, text: str, style: str = "") -> None:
        self.close()
        self._console.print(Text(clean(text), style), soft_wrap=True)

    def problem(self, text: str) -> None:
        self.line(f"! {one_line(text)}", "red")

    def card(self, text: str) -> None:
        """One line, cut where the terminal ends."""
        self.close()
        card = Text(one_line(text), "dim")
        card.truncate(self._console.width if self._console.is_terminal else CARD_CELLS, overflow="ellipsis")
        self._console.print(card, soft_wrap=True)

    def said(self, text: str) -> None:
        """What the person at the terminal said earlier."""
        self.line(f"> {text}", "bold")

    def title(self, text: str) -> None:
        self.close()
        self._console.print()
        self.line(one_line(text), "bold yellow")

    def facts(self, facts: Sequence[tuple[str, str]]) -> None:
        grid = Table.grid(padding=(0, 2))
        for label, value in facts:
            grid.add_row(Text(f"  {one_line(label)}", "dim"), Text(one_line(value), "bold"))
        self._console.print(grid)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        table = Table(title=Text(one_line(title)) if title else None, box=box.SIMPLE, title_justify="left")
        for column in columns:
            table.add_column(Text(one_line(column)))
        for row in rows:
            table.add_row(*(Text(one_line(cell)) for cell in row))
        self._console.print(table)

    def quote(self, source: str, text: str) -> None:
        """Words of a person or a model: in a frame, so that they are not taken for a fact."""
        self.close()
        title = Text(f"quoted: {one_line(source)}", "italic")
        self._console.print(Panel(Text(clean(text), "italic"), title=title, title_align="left"))

    def ask(self, prompt: str, *, fresh: bool = False) -> str:
        """A line, typed after the prompt; `fresh` drops what was typed before it was shown.

        Raises EOFError when there is no more to read, and for Ctrl-C.
        """
        self.close()
        try:
            return clean(self._read(prompt, fresh)).strip()
        except KeyboardInterrupt:
            self.close()
            raise EOFError from None

    def hint(self, text: str) -> None:
        self.line(text, "dim")


def terminal() -> tuple[Screen, bool]:
    """The process's own screen, and whether a person sits at it: on a pipe nothing is prompted for."""
    for stream in (sys.stdin, sys.stdout):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="replace")
    person = sys.stdin.isatty() and sys.stdout.isatty()
    console = Console(highlight=False, markup=False, emoji=False)
    return Screen(console, typed if person else piped), person


def typed(prompt: str, fresh: bool) -> str:
    if fresh:
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
    return input(prompt)


def piped(_prompt: str, _fresh: bool) -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


def pairs(arguments: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in arguments.items())
