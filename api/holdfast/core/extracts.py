"""Single values taken out of what is shown of a thread, by paths such as `values.messages[-1].content`."""

import re
from typing import Any

import orjson

from holdfast.events import dump

PART = re.compile(r"\[(-?\d+)\]|([^.\[\]]+)")


def extract(shown: dict[str, Any], paths: dict[str, str]) -> dict[str, Any]:
    """What lies at each path, as JSON has it; None where there is nothing."""
    whole = orjson.loads(dump(shown))
    return {alias: at(whole, path) for alias, path in paths.items()}


def at(whole: Any, path: str) -> Any:
    found = whole
    for index, name in PART.findall(path):
        found = item(found, int(index)) if index else member(found, name)
    return found


def item(found: Any, index: int) -> Any:
    return found[index] if isinstance(found, list) and -len(found) <= index < len(found) else None


def member(found: Any, name: str) -> Any:
    return found.get(name) if isinstance(found, dict) else None
