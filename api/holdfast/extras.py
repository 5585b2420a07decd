"""Extras: parts whose packages need not be installed, loaded by name on first use and nowhere else."""

import importlib
import importlib.util
from types import ModuleType

from holdfast.errors import StartError

# The package that shows that an extra is installed.
PACKAGES = {"a2a": "a2a", "mcp": "mcp", "otel": "opentelemetry.sdk"}


def installed(extra: str) -> bool:
    try:
        return importlib.util.find_spec(PACKAGES[extra]) is not None
    except ModuleNotFoundError:  # not even the package that it lies in
        return False


def load(extra: str, module: str) -> ModuleType:
    """A module that needs the extra. Raises `StartError` where it is not installed."""
    if not installed(extra):
        raise StartError(f'The extra "{extra}" is wanted and not installed: pip install "holdfast[{extra}]".')
    return importlib.import_module(module)
