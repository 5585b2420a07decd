"""`typing.TypedDict` in the form that Pydantic takes: before Python 3.12 only that of `typing_extensions`."""

from types import UnionType
from typing import Annotated, Any, NotRequired, Required, Union, get_args, get_origin, is_typeddict

from typing_extensions import TypedDict, get_type_hints

Known = dict[Any, Any]


def extended(kind: Any, known: Known | None = None) -> Any:
    """The same type with each TypedDict in it made anew; inside of itself, one is anything."""
    known = {} if known is None else known
    if is_typeddict(kind):
        return known[kind] if kind in known else remade(kind, known)
    origin, old = get_origin(kind), get_args(kind)
    new = tuple(extended(one, known) for one in (old[:1] if origin is Annotated else old))
    if new == old[: len(new)]:
        return kind
    if origin is Annotated:
        return Annotated[(*new, *old[1:])]
    if origin in (Union, UnionType):
        return Union[new]  # noqa: UP007 - of as many as there are
    return kind.copy_with(new) if hasattr(kind, "copy_with") else origin[new]


def remade(kind: Any, known: Known) -> Any:
    known[kind] = Any
    hints = get_type_hints(kind, include_extras=True).items()
    fields = {name: field(kind, name, extended(bare(hint), known)) for name, hint in hints}
    known[kind] = made = TypedDict(kind.__name__, fields)  # type: ignore[operator]
    made.__doc__ = kind.__doc__
    return made


def bare(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) in (Required, NotRequired) else hint


def field(kind: Any, name: str, hint: Any) -> Any:
    return Required[hint] if name in kind.__required_keys__ else NotRequired[hint]
