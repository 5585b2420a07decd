"""Threads as files."""

import os
import sys
from pathlib import Path
from typing import Any

import orjson

from holdfast.cli.chat_screen import Screen
from holdfast.core import inspection, transfers
from holdfast.core.platform import Platform
from holdfast.errors import StartError, ThreadExists
from holdfast.wire.common import canonical

STREAM = Path("-")
OWNER_ONLY = 0o600


async def export_thread(thread_id: str, output: Path | None, platform: Platform, screen: Screen) -> None:
    thread = await inspection.get(platform, thread_id)
    document = await transfers.export(platform, thread.thread_id)
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if output == STREAM:
        sys.stdout.buffer.write(text)
        return
    file = output or Path(f"{thread.thread_id}.json")
    write(file, text)
    screen.line(f"{file}: {len(text):,} bytes")


def write(file: Path, text: bytes) -> None:
    """For nobody else to read: it holds a whole conversation. Raises `StartError`."""
    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "wb") as opened:
            opened.write(text)
    except FileExistsError:
        raise StartError(f"{file} exists already: name another file with --output.") from None
    except OSError as error:
        raise StartError(
            f"{file} cannot be written ({error.strerror}): name another file with --output."
        ) from error


async def import_thread(
    file: Path, thread_id: str | None, replace: bool, platform: Platform, screen: Screen
) -> None:
    try:
        target = canonical(thread_id) if thread_id else None
    except ValueError:
        raise StartError(f"--id {thread_id} is no UUID.") from None
    try:
        thread = await transfers.restore(platform, read(file), target, replace=replace)
    except ThreadExists as error:
        raise ThreadExists(
            f"{error.detail}: choose another id with --id, or erase what has it with --replace."
        ) from None
    screen.line(f"thread {thread.thread_id} of {thread.owner}, tenant {thread.tenant}: {thread.status}")


def read(file: Path) -> Any:
    """Raises `StartError` for what is not JSON."""
    try:
        return orjson.loads(sys.stdin.buffer.read() if file == STREAM else file.read_bytes())
    except OSError as error:
        raise StartError(f"{file} cannot be read ({error.strerror}).") from error
    except orjson.JSONDecodeError as error:
        raise StartError(f"{file} is no exported thread: {error}.") from error
