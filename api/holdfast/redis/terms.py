"""What metadata is looked for by: a term for each value and its path, as `thread_index.lua` makes them.

A thread whose metadata contains what is asked for has all terms of that. The reverse holds where the terms
are `exact`: lists of objects, empty lists and objects and very large numbers need a look at the record.
"""

from collections.abc import Iterable
from hashlib import sha1
from typing import Any, NamedTuple

SAFE = 2**53  # below it Lua tells all whole numbers apart
LARGEST = 2**1000


class Terms(NamedTuple):
    found: frozenset[str]
    exact: bool


NONE = Terms(frozenset(), True)


def terms_of(metadata: dict[str, Any]) -> Terms:
    """The terms of an object that is to be contained."""
    return join(terms_at(step(key), value) for key, value in metadata.items())


def join(parts: Iterable[Terms]) -> Terms:
    every = list(parts)
    return Terms(NONE.found.union(*(part.found for part in every)), all(part.exact for part in every))


def terms_at(path: str, value: Any) -> Terms:
    match value:
        case dict():
            inner = join(terms_at(path + step(key), one) for key, one in value.items())
            return Terms(inner.found, inner.exact and bool(value))
        case list():
            inside = [terms_at(path + "[", one) for one in value]
            # Two values of one element may be in two elements of what is found by them.
            single = bool(value) and all(len(one.found) == 1 for one in inside)
            return Terms(join(inside).found, single and all(one.exact for one in inside))
        case _:
            text, exact = written(value)
            return Terms(frozenset((digest(f"{path}={text}"),)), exact)


def step(key: str) -> str:
    return f".{len(encoded(key))}:{key}"


def written(value: Any) -> tuple[str, bool]:
    """A value in its one form, and whether no other value has the same."""
    match value:
        case None:
            return "n", True
        case bool():
            return "t" if value else "f", True
        case str():
            return "s" + value, True
        case int() | float() if abs(value) < SAFE:
            return (f"d{int(value)}" if value == int(value) else f"d{value:.17g}"), True
        case float():
            return f"d{value:.17g}", False
        case int() if abs(value) < LARGEST:
            return f"d{float(value):.17g}", False
    return "", False  # no metadata has it


def digest(text: str) -> str:
    return sha1(encoded(text), usedforsecurity=False).hexdigest()[:16]


def encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
