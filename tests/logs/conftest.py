"""Log lines as the formatter writes them, and a server whose graphs fail loudly."""

import io
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from structlog.contextvars import clear_contextvars

from holdfast.telemetry.lines import Errors, Form, formatter
from tests.servers import Live, live

NOISY = Path(__file__).parent / "served" / "langgraph.json"


@dataclass
class Lines:
    """What was logged since the last look."""

    stream: io.StringIO = field(default_factory=io.StringIO)

    def text(self) -> str:
        told = self.stream.getvalue()
        self.stream.seek(0)
        self.stream.truncate()
        return told

    def read(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.text().splitlines()]

    def one(self) -> dict[str, Any]:
        [line] = self.read()
        return line


def handler(lines: Lines, form: Form, errors: Errors) -> logging.Handler:
    made = logging.StreamHandler(lines.stream)
    made.setFormatter(formatter(form, errors))
    return made


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger at INFO, with the handlers that a test gives it and no others."""
    found = logging.getLogger()
    level, handlers = found.level, found.handlers[:]
    found.setLevel(logging.INFO)
    found.handlers[:] = []
    clear_contextvars()
    yield found
    found.setLevel(level)
    found.handlers[:] = handlers
    clear_contextvars()


@pytest.fixture
def lines(root: logging.Logger) -> Lines:
    """Every line, in JSON, as it is by default."""
    found = Lines()
    root.addHandler(handler(found, "json", "types"))
    return found


@pytest.fixture(scope="module")
async def noisy(redis_url: str) -> AsyncIterator[Live]:
    async with live(redis_url, config=NOISY) as running:
        yield running
