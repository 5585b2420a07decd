"""How a process is loaded: only the parts that its command needs, and without a search for garbage."""

import gc
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


def part(name: str) -> ModuleType:
    """A module of the command line that not every command needs, least of all its imports."""
    with loading():
        return importlib.import_module(f"holdfast.cli.{name}")


@contextmanager
def loading() -> Iterator[None]:
    """What is loaded meanwhile stays for good: searching it for garbage makes a start a quarter longer, full
    collections slow, and the exit last a second."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
