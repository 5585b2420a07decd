"""Commands whose output is read by a program that stops in the middle, as `head` does."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import TextIO

import pytest
import typer
from rich.console import Console

from holdfast.cli import main
from holdfast.cli.commands import SERVERS, app
from holdfast.cli.output import READER_GONE, piped
from tests.api.trails import told_story
from tests.cli.test_start import CONFIG


@contextmanager
def nobody_reads(*, unbuffered: bool = False) -> Iterator[TextIO]:
    """Only within a test: pytest puts its own output there before each."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as output, redirect_stdout(output):
        output.reconfigure(write_through=unbuffered)
        yield output


WAYS: dict[str, Callable[[], object]] = {
    "what waits in the buffer": lambda: sys.stdout.write("a line\n"),
    "more than the buffer holds": lambda: sys.stdout.write("a line\n" * 10_000),
    "bytes": lambda: sys.stdout.buffer.write(b"a line\n"),
    "a console": lambda: Console().print("a line"),
    "an echo": lambda: typer.echo("a line"),
}


@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_whoever_writes_for_nobody_ends_as_by_sigpipe(way: str, unbuffered: bool) -> None:
    with nobody_reads(unbuffered=unbuffered) as plain:
        with pytest.raises(SystemExit) as ended, piped():
            WAYS[way]()
        assert ended.value.code == READER_GONE == 141
        assert sys.stdout is plain


def test_what_is_said_of_servers_names_commands() -> None:
    assert {one.callback.__name__ for one in app.registered_commands if one.callback} >= set(SERVERS)


async def test_a_command_for_nobody_ends_without_a_word(
    redis_url: str, restored: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with told_story(redis_url) as story:
        monkeypatch.setenv("REDIS_URL", redis_url)
        monkeypatch.setenv("HOLDFAST_PREFIX", story.server.platform.keys.prefix)
        monkeypatch.setattr(sys, "argv", ["holdfast", "audit", "export", "--config", CONFIG])
        with nobody_reads(), redirect_stderr(StringIO()) as said, pytest.raises(SystemExit) as ended:
            await asyncio.to_thread(main)
        assert (ended.value.code, said.getvalue()) == (READER_GONE, "")
