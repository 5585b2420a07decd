"""How a process is loaded: only the parts that its command needs, and without a search for garbage."""

import gc
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

# After how many objects the young are searched for garbage, after how many such searches those that survived,
# and so on. By Python's own figures (700, 10, 10) a tenth of all processor time went into it: what
# hundreds of runs at once hold is looked at over and over, and next to none of it is garbage.
SEARCH_AFTER = (20_000, 10, 10)


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
        gc.set_threshold(*SEARCH_AFTER)
        gc.enable()
