"""Standard output as others read it: `head`, or a pager that is left, stops reading in the middle."""

import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeGuard

READER_GONE = 128 + signal.SIGPIPE  # what a shell says of commands that end by it


class Piped(io.FileIO):
    """Ends the command without a word once nobody reads.

    SIGPIPE itself would end it also where Redis or a client hangs up.
    """

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise SystemExit(READER_GONE) from None


def is_read_by_others(stream: object) -> TypeGuard[io.TextIOWrapper]:
    """Not a terminal, and not what a program has put there that runs a command in its own process."""
    with suppress(io.UnsupportedOperation):
        return isinstance(stream, io.TextIOWrapper) and not os.isatty(stream.fileno())
    return False


@contextmanager
def piped() -> Iterator[None]:
    """Meanwhile what is written to standard output ends the command if its reader has gone."""
    plain = sys.stdout
    if not is_read_by_others(plain):
        yield
        return
    raw = Piped(plain.fileno(), "w", closefd=False)
    buffer: Any = raw if plain.write_through else io.BufferedWriter(raw)
    sys.stdout = io.TextIOWrapper(
        buffer, plain.encoding, plain.errors, "\n", plain.line_buffering, plain.write_through
    )
    try:
        yield
    finally:
        try:
            sys.stdout.flush()
        finally:
            sys.stdout = plain
