"""Which types may be part of a state besides the safe ones: `checkpointer.serde` of langgraph.json."""

from pathlib import Path
from typing import Any, Literal

from holdfast.errors import StartError

TypeName = tuple[str, ...]  # module and name
AllowedTypes = frozenset[TypeName] | Literal[True]  # those, or any

NO_TYPES: AllowedTypes = frozenset()
KEY = "allowed_msgpack_modules"


def read_allowed(path: Path, config: Any) -> AllowedTypes:
    """`checkpointer.serde.allowed_msgpack_modules`. Raises `StartError`."""
    serde = (config.get("checkpointer") or {}).get("serde") or {}
    if not isinstance(serde, dict):
        raise StartError(f'{path}: "serde" must be an object, as in {{"{KEY}": [["shop.models", "Cart"]]}}.')
    listed = serde.get(KEY)
    if listed is True:
        return True
    pairs = listed or []
    if not isinstance(pairs, list) or not all(map(is_pair, pairs)):
        raise StartError(f'{path}: "{KEY}" must list pairs of module and name, or be true, not {listed!r}.')
    return frozenset((module, name) for module, name in pairs)


def is_pair(entry: Any) -> bool:
    return isinstance(entry, list) and len(entry) == 2 and all(isinstance(part, str) for part in entry)
