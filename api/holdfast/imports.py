"""The project's own code, by the names that langgraph.json gives it."""

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from holdfast.errors import StartError, words


def is_module(name: str) -> bool:
    try:
        return bool(name) and importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def load_target(folder: Path, what: str, path: Any) -> Any:
    """A variable of the project's own code. Raises `StartError`."""
    source, _, attribute = str(path or "").rpartition(":")
    if not source or not attribute:
        raise StartError(f'{what} must be named as "./file.py:variable" or "package.module:variable".')
    module = imported(folder, what, source)
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise StartError(f"{what}: {source} has no variable {attribute!r}.") from None


def imported(folder: Path, what: str, source: str) -> ModuleType:
    """The module of a "./file.py" in the project's folder, or of a dotted name. Raises `StartError`."""
    module = module_name(folder, what, source)
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:  # whatever the project's own code raises on import
        raise StartError(
            f"{what}: importing {source} failed with {type(error).__name__}: {reason(error)}."
        ) from error


def reason(error: BaseException) -> str:
    """The message of an exception. Pydantic's would repeat what was wrong, which may be a key."""
    if not isinstance(error, ValidationError):
        return words(error)
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found)


def module_name(folder: Path, what: str, source: str) -> str:
    if not source.endswith(".py"):
        return source
    file = (folder / source).resolve()
    if not file.is_file():
        raise StartError(f"{what}: the file {source} does not exist.")
    try:
        return ".".join(file.relative_to(folder).with_suffix("").parts)
    except ValueError:
        raise StartError(f"{what}: {source} lies outside the folder of langgraph.json.") from None
