"""Values as MessagePack, exact and closed: what cannot come back is refused, what is not listed is not made.

The format is that of LangGraph's `JsonPlusSerializer`, whose data can be read here; where that one changes a
value without a word (tuples, named zones, bounded deques, lone surrogates, types not listed), this one does
not. Like there, subclasses of str, int, float, list and dict become what they derive from.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import ormsgpack
from langgraph.checkpoint.serde._msgpack import SAFE_MSGPACK_METHODS, SAFE_MSGPACK_TYPES
from langgraph.checkpoint.serde.jsonplus import EXT_DELTA_SNAPSHOT, EXT_METHOD_SINGLE_ARG, JsonPlusSerializer
from langgraph.checkpoint.serde.types import _DeltaSnapshot

from holdfast.checkpoint.constructors import (
    PLAIN,
    Constructor,
    TypeName,
    encoder,
    findable,
    make,
    marked,
    named,
    type_name,
)
from holdfast.errors import HoldfastError, Unreadable, Unstorable

OPTIONS = (
    ormsgpack.OPT_NON_STR_KEYS
    | ormsgpack.OPT_PASSTHROUGH_BIG_INT
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_TUPLE
    | ormsgpack.OPT_PASSTHROUGH_UUID
)


@contextmanager
def reading() -> Iterator[None]:
    """Stored bytes are being taken apart: whatever does not fit raises `Unreadable`."""
    try:
        yield
    except (LookupError, TypeError, ValueError) as error:
        raise Unreadable(f"Stored state does not have the form it was written in ({error!r}).") from error


class _Reason(threading.local):
    """Why a hook gave up: ormsgpack replaces what a hook raises by an error of its own."""

    error: HoldfastError | None = None

    def keep(self, error: HoldfastError) -> HoldfastError:
        self.error = error
        return error

    def take(self, otherwise: HoldfastError) -> HoldfastError:
        error, self.error = self.error or otherwise, None
        return error


_reason = _Reason()


class Serializer(JsonPlusSerializer):
    """Serializes values for `RedisSaver`.

    `allowed` are the types, beyond LangGraph's own list of safe ones, that may be part of a state: classes
    or (module, name). Raises `Unstorable` for a value of another type, `Unreadable` for bytes that do
    not hold a value it could have written. Never uses pickle.
    """

    def __init__(self, allowed: Iterable[TypeName | type] = ()) -> None:
        self.allowed = frozenset(type_name(each) if isinstance(each, type) else each for each in allowed)
        self._cleared: set[tuple[int, str, str]] = set()
        super().__init__(allowed_msgpack_modules=tuple(self.allowed), __unpack_ext_hook__=self._revive)

    def with_msgpack_allowlist(self, extra_allowlist: Iterable[TypeName | type]) -> "Serializer":
        return Serializer((*self.allowed, *extra_allowlist))

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        if obj is None:
            return "null", b""
        if type(obj) in (bytes, bytearray):
            return type(obj).__name__, bytes(obj)
        try:
            return "msgpack", self._pack(obj)
        except (TypeError, Unstorable) as error:
            raise _reason.take(Unstorable(f"A {type(obj).__name__} cannot be stored: {error}.")) from None

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        kind, body = data
        if kind == "msgpack":
            try:
                return self._unpack(body)
            except (ValueError, Unreadable) as error:
                raise _reason.take(Unreadable(f"Stored state cannot be decoded: {error}.")) from None
        if kind == "null":
            return None
        if kind not in ("bytes", "bytearray"):
            raise Unreadable(f"Stored state has an unknown encoding: {kind!r}.")
        return body if kind == "bytes" else bytearray(body)

    def _allows(self, module: str, name: str, method: str | None) -> bool:
        if method is not None:
            return (module, name, method) in SAFE_MSGPACK_METHODS
        key = (module, name)
        return key in SAFE_MSGPACK_TYPES or key in PLAIN or key in self.allowed

    def _pack(self, value: Any) -> bytes:
        try:
            return ormsgpack.packb(value, self._extension, OPTIONS)
        except TypeError as error:
            if "surrogate" not in str(error):
                raise
            return ormsgpack.packb(marked(value), self._extension, OPTIONS)

    def _extension(self, value: Any) -> Any:
        encode = encoder(type(value))  # type: ignore[arg-type]  # mypy: no class is hashable
        if encode is None:
            return self._exception(value)
        made = encode(value)
        kind = (made.code, made.module, made.name)
        if kind not in self._cleared:
            self._clear(made)
            self._cleared.add(kind)
        return ormsgpack.Ext(made.code, self._pack(made.packed()))

    def _exception(self, value: Any) -> Any:
        if isinstance(value, _DeltaSnapshot):
            return ormsgpack.Ext(EXT_DELTA_SNAPSHOT, self._pack(value.value))
        if isinstance(value, BaseException):
            return repr(value)  # as LangGraph does: what went wrong is kept for people to read
        cls = type(value)
        raise _reason.keep(
            Unstorable(f"A {cls.__module__}.{cls.__qualname__} is of no kind that can be stored.")
        )

    def _clear(self, made: Constructor) -> None:
        """Raises `Unstorable` unless what is written now may be read again."""
        name = f"{made.module}.{made.name}"
        if not findable(made.module, made.name):
            raise _reason.keep(Unstorable(f"{name} must be defined at the top of its module to be stored."))
        if not self._allows(
            made.module, made.name, made.method if made.code == EXT_METHOD_SINGLE_ARG else None
        ):
            raise _reason.keep(
                Unstorable(
                    f"{name} is not a type that may be loaded again: name it in the schema of the state, "
                    f"or allow it: Serializer(allowed=[({made.module!r}, {made.name!r})])."
                )
            )

    def _unpack(self, body: bytes) -> Any:
        return ormsgpack.unpackb(body, ext_hook=self._revive, option=ormsgpack.OPT_NON_STR_KEYS)

    def _revive(self, code: int, data: bytes) -> Any:
        if code == EXT_DELTA_SNAPSHOT:
            return _DeltaSnapshot(self._unpack(data))
        found = self._unpack(data)
        if not isinstance(found, list) or not 3 <= len(found) <= 4:
            raise _reason.keep(Unreadable(f"Stored state holds an unknown extension ({code})."))
        module, name, payload, *rest = found
        method = rest[0] if rest else None
        if not self._allows(module, name, method if code == EXT_METHOD_SINGLE_ARG else None):
            raise _reason.keep(
                Unreadable(f"Stored state holds {module}.{name}, which is not a type that may be loaded.")
            )
        try:
            return make(code, named(module, name), payload, method)
        except Exception as error:  # whatever a constructor raises: the value does not fit its type any more
            raise _reason.keep(Unreadable(f"A stored {module}.{name} cannot be made: {error}")) from error
