"""Filters of a search: what an item's value must be, field by field."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

from holdfast.redis.records import same

Test = Callable[[Any], bool]


class FilterError(ValueError):
    """A filter that asks for what nobody can compare."""


def read_filter(wanted: Mapping[str, Any]) -> Test:
    """The test of a value. Raises `FilterError`.

    A field that is missing is null, as in LangGraph's own stores.
    """
    return every([read_field(field, asked) for field, asked in wanted.items()])


def read_field(field: str, asked: Any) -> Test:
    test = read_test(asked)
    return lambda value: test(value.get(field))


def every(tests: list[Test]) -> Test:
    """Without a generator where there are few: this is done for thousands of items."""
    match tests:
        case [one]:
            return one
        case [one, other]:
            return lambda found: one(found) and other(found)
    return lambda found: all(test(found) for test in tests)


def read_test(asked: Any) -> Test:
    """The test of a field: objects are compared in part, lists item by item."""
    if isinstance(asked, Mapping):
        if any(str(name).startswith("$") for name in asked):
            return read_comparisons(asked)
        inside = read_filter(asked)
        return lambda found: isinstance(found, dict) and inside(found)
    if isinstance(asked, list | tuple):
        items = [read_test(one) for one in asked]
        return lambda found: (
            isinstance(found, list)
            and len(found) == len(items)
            and all(test(one) for test, one in zip(items, found, strict=True))
        )
    return lambda found: found == asked and same(found, asked)


def read_comparisons(asked: Mapping[str, Any]) -> Test:
    return every([read_comparison(name, operand) for name, operand in asked.items()])


def read_comparison(name: str, operand: Any) -> Test:
    if name == "$eq":
        return lambda found: equal(found, operand)
    if name == "$ne":
        return lambda found: not equal(found, operand)
    if name not in ORDERS:
        raise FilterError(f"Unsupported operator: {name}")
    compare, bound = ORDERS[name], number(operand)
    if bound is None:
        raise FilterError(f"{name} compares numbers: {operand!r} is none.")
    return lambda found: (value := number(found)) is not None and compare(value, bound)


ORDERS: dict[str, Callable[[float, float], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


def number(value: Any) -> float | None:
    """A number, also one that is written as a text; None for what is none."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def equal(found: Any, wanted: Any) -> bool:
    """Equality as JSON has it, all the way down."""
    if isinstance(wanted, Mapping):
        return (
            isinstance(found, dict)
            and found.keys() == wanted.keys()
            and all(equal(found[key], one) for key, one in wanted.items())
        )
    if isinstance(wanted, list | tuple):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(equal(one, other) for one, other in zip(found, wanted, strict=True))
        )
    return same(found, wanted)
