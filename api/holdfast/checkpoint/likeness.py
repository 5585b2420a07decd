"""Whether two values are the same in every part, types included."""

import dataclasses
from collections import deque
from datetime import datetime, time
from functools import cached_property
from typing import Any


def same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if type(one) is not type(other) or not _equal(one, other):
        return False
    held, more = _attributes(one), _attributes(other)
    return not (held or more) or same(held, more)


def _equal(one: Any, other: Any) -> bool:
    """Whether they are equal but for what their attributes hold."""
    if isinstance(one, dict):
        return len(one) == len(other) and all(map(same, one.items(), other.items()))
    if isinstance(one, (list, tuple, deque)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return float.__repr__(one) == float.__repr__(other)  # nan is not equal to itself, and -0.0 is to 0.0
    if isinstance(one, (datetime, time)):
        return (one, repr(one.tzinfo), one.fold) == (other, repr(other.tzinfo), other.fold)
    if dataclasses.is_dataclass(one) or hasattr(one, "__pydantic_private__"):
        return True
    return bool(one == other)


def _attributes(value: Any) -> dict[str, Any]:
    """What an object holds, be it declared or not; what it can compute again does not count."""
    held = dict(getattr(value, "__dict__", ()))
    if dataclasses.is_dataclass(value):
        held |= {each.name: getattr(value, each.name, None) for each in dataclasses.fields(value)}
    for name in ("__pydantic_extra__", "__pydantic_private__"):
        if more := getattr(value, name, None):
            held[name] = more
    cls = type(value)
    return {
        name: each for name, each in held.items() if not isinstance(getattr(cls, name, None), cached_property)
    }
