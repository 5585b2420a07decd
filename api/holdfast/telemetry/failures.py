"""What a log line may say of an exception: its type and its place. Its message may hold anything."""

import os
import sys
from collections.abc import Iterator
from traceback import walk_tb
from types import TracebackType
from typing import Any

FRAMES = 5
CAUSES = 5


def describe(error: BaseException) -> dict[str, Any]:
    """`error`, its type; `where`, from the innermost frame outwards; `cause`, when others led to it."""
    causes = [" ".join([type(one).__name__, *places(one.__traceback__, 1)]) for one in led_to(error)]
    found = {"error": type(error).__name__, "where": places(error.__traceback__, FRAMES)}
    return {**found, "cause": causes} if causes else found


def places(traceback: TracebackType | None, most: int) -> list[str]:
    frames = [(frame.f_code, line) for frame, line in walk_tb(traceback)]
    return [f"{place(code.co_filename, line)} {code.co_name}" for code, line in reversed(frames[-most:])]


def place(file: str, line: int | None) -> str:
    """A line of code, with its file as it is imported: nothing of where it is installed."""
    roots = [root for root in sys.path if root and file.startswith(root + os.sep)]
    shown = file[len(max(roots, key=len)) + 1 :] if roots else os.path.basename(file)
    return f"{shown}:{line}"


def led_to(error: BaseException) -> Iterator[BaseException]:
    """What an exception came of, the nearest first."""
    seen = {id(error)}
    cause = before(error)
    while cause and id(cause) not in seen and len(seen) <= CAUSES:
        yield cause
        seen.add(id(cause))
        cause = before(cause)


def before(error: BaseException) -> BaseException | None:
    if error.__cause__ or error.__suppress_context__:
        return error.__cause__
    if isinstance(error, BaseExceptionGroup):
        return error.exceptions[0]
    return error.__context__
