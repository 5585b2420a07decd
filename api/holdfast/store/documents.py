"""Values of items: JSON objects that come back as they were."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

import orjson

# What would otherwise become something else without a word.
OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
# What is stored must be writable again inside of other things: orjson writes 254 levels.
INSIDE = 16


class Unfit(ValueError):
    """A value that is no JSON, or would not come back as it was."""


def dump(value: Mapping[str, Any]) -> bytes:
    """Raises `Unfit`. A tuple is a list."""
    nested: Any = plain(value)
    for _ in range(INSIDE):
        nested = [nested]
    try:
        return orjson.dumps(nested, option=OPTIONS)[INSIDE:-INSIDE]
    except TypeError as error:
        raise Unfit(f"The value cannot be stored as JSON: {error}.") from None


def plain(value: Any) -> Any:
    """The value in the types that JSON has. Raises `Unfit` for another, for NaN and for infinity."""
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float) and not isfinite(value):
        raise Unfit(f"The value cannot be stored as JSON: it holds {value}.")
    if value is not None and type(value) not in (str, int, float, bool):
        raise Unfit(f"The value cannot be stored as JSON: it holds a {type(value).__name__}.")
    return value
