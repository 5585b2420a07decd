"""`sys.exit()` in a project's own code: a failure like any other, not the end of the process."""

from collections.abc import Iterator
from contextlib import contextmanager

from holdfast.errors import words


class GraphExit(RuntimeError):
    """A graph, or what makes it, has called `sys.exit()`."""


@contextmanager
def contained() -> Iterator[None]:
    """Raises `GraphExit` for what would end the process, and the next one that has the same work."""
    try:
        yield
    except SystemExit as exit:
        code = "" if exit.code is None else words(exit.code, repr)
        raise GraphExit(f"the graph called sys.exit({code})") from exit
