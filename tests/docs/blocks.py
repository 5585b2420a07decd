"""The code blocks of the pages."""

import ast
import builtins
import re
import symtable
from collections.abc import Iterator
from dataclasses import dataclass

from tests.gates import project_files

BLOCK = re.compile(
    r"^(?:`(?P<file>[\w.]+)`[^\n]*:\n\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$", re.S | re.M
)
WAITING = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
PAGES = {
    path: text for path, text in project_files().items() if re.fullmatch(r"README\.md|docs/[^/]+\.md", path)
}


@dataclass(frozen=True)
class Block:
    """A block: where it begins, and the name of the file that the line before it gives, if it does."""

    page: str
    line: int
    language: str
    text: str
    file: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(language: str, page: str = "") -> list[Block]:
    return [found for name in PAGES if page in ("", name) for found in of(name) if found.language == language]


def of(page: str) -> Iterator[Block]:
    for found in BLOCK.finditer(PAGES[page]):
        line = PAGES[page].count("\n", 0, found.start("text"))
        yield Block(page, line, found["language"], found["text"], found["file"] or "")


def needed(code: str) -> set[str]:
    """The names that code uses and neither makes nor finds among Python's own."""
    # symtable knows no `await` outside of a function: what is asked here is the same within one.
    body = "".join(f"    {line}\n" for line in code.splitlines())
    module = symtable.symtable(f"async def block():\n{body}    pass\n", "block", "exec")
    return {name for table in tables(module) for name in unbound(table)} - set(dir(builtins))


def tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from tables(child)


def unbound(table: symtable.SymbolTable) -> Iterator[str]:
    for symbol in table.get_symbols():
        if symbol.is_global() and symbol.is_referenced():
            yield symbol.get_name()
