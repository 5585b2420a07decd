"""Values as MessagePack, exact and closed: what cannot come back is refused, what is not listed is not made.

The format is that of LangGraph's `JsonPlusSerializer`, whose data can be read here; where that one changes a
value without a word (tuples, named zones, bounded deques, lone surrogates, types not listed), this one does
not.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Literal

import orjson
import ormsgpack
from langgraph.checkpoint.serde._msgpack import SAFE_MSGPACK_METHODS, SAFE_MSGPACK_TYPES
from langgraph.checkpoint.serde.jsonplus import EXT_DELTA_SNAPSHOT, EXT_METHOD_SINGLE_ARG, JsonPlusSerializer
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from langgraph.types import Interrupt

from holdfast.allowed_types import KEY, AllowedTypes, TypeName
from holdfast.checkpoint.constructors import (
    PLAIN,
    Constructor,
    encoder,
    findable,
    holds_buffer,
    make,
    marked,
    named,
    type_name,
)
from holdfast.errors import HoldfastError, Unreadable, Unstorable, words
from holdfast.events import dump

OPTIONS = (
    ormsgpack.OPT_PASSTHROUGH_BIG_INT
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_TUPLE
    | ormsgpack.OPT_PASSTHROUGH_UUID
)


class _Reason(threading.local):
    """Why a hook gave up: ormsgpack replaces what a hook raises by an error of its own."""

    error: HoldfastError | None = None

    def keep(self, error: HoldfastError) -> HoldfastError:
        self.error = error
        return error

    def forget(self) -> None:
        self.error = None

    def take(self, otherwise: HoldfastError) -> HoldfastError:
        error, self.error = self.error or otherwise, None
        return error


_reason = _Reason()


class Serializer(JsonPlusSerializer):
    """Serializes values for `RedisSaver`.

    `allowed` are the types, beyond LangGraph's own list of safe ones, that may be part of a state: classes
    or (module, name), or True for any type of a kind that can be stored. Raises `Unstorable` for a value of
    another type, `Unreadable` for bytes that do not hold a value it could have written. Never uses pickle.
    """

    def __init__(self, allowed: Iterable[TypeName | type] | Literal[True] = ()) -> None:
        types = () if allowed is True else allowed
        self.listed = frozenset(type_name(each) if isinstance(each, type) else each for each in types)
        self.allowed: AllowedTypes = allowed is True or self.listed
        self._cleared: set[tuple[int, str, str]] = set()
        super().__init__(allowed_msgpack_modules=tuple(self.listed), __unpack_ext_hook__=self._revive)

    def with_msgpack_allowlist(self, extra_allowlist: Iterable[TypeName | type]) -> "Serializer":
        return self if self.allowed is True else Serializer((*self.listed, *extra_allowlist))

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        if obj is None:
            return "null", b""
        if type(obj) in (bytes, bytearray):
            return type(obj).__name__, bytes(obj)
        try:
            return "msgpack", self._pack(obj)
        except Unstorable as error:
            _reason.take(error)
            raise
        except (TypeError, RecursionError) as error:
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
        return self.allowed is True or key in SAFE_MSGPACK_TYPES or key in PLAIN or key in self.listed

    def _pack(self, value: Any) -> bytes:
        try:
            packed = ormsgpack.packb(value, self._extension, OPTIONS)
        except TypeError:  # a key that is no text, text that is no UTF-8, or what cannot be stored at all
            return self._pack_marked(value)
        # What bytes begin with, and a bytearray, which becomes bytes without a word.
        if (b"\xc4" in packed or b"\xc5" in packed or b"\xc6" in packed) and holds_buffer(value):
            return self._pack_marked(value)
        return packed

    def _pack_marked(self, value: Any) -> bytes:
        """Looks at every part first, which takes longer. So do their own parts: each would be tried twice."""
        options = OPTIONS | ormsgpack.OPT_NON_STR_KEYS
        return ormsgpack.packb(marked(value), self._marked_extension, options)

    def _extension(self, value: Any) -> ormsgpack.Ext:
        return self._packed(value, self._pack)

    def _marked_extension(self, value: Any) -> ormsgpack.Ext:
        return self._packed(value, self._pack_marked)

    def _packed(self, value: Any, pack: Callable[[Any], bytes]) -> ormsgpack.Ext:
        try:
            if isinstance(value, _DeltaSnapshot):
                return ormsgpack.Ext(EXT_DELTA_SNAPSHOT, pack(value.value))
            if type(value) is Interrupt:
                return self._packed_interrupt(value, pack)
            return self._packed_call(value, pack)
        except HoldfastError as error:
            _reason.keep(error)
            raise

    def _packed_call(self, value: Any, pack: Callable[[Any], bytes]) -> ormsgpack.Ext:
        made = self._constructor(value)
        return ormsgpack.Ext(made.code, pack(made.packed()))

    def _packed_interrupt(self, value: Interrupt, pack: Callable[[Any], bytes]) -> ormsgpack.Ext:
        """A question is for people, who read it as JSON: it may hold what a state may not."""
        try:
            return self._packed_call(value, pack)
        except (TypeError, Unstorable):
            _reason.forget()
            return self._packed_call(replace(value, value=orjson.loads(dump(value.value))), pack)

    def _constructor(self, value: Any) -> Constructor:
        cls = type(value)
        encode = encoder(cls)  # type: ignore[arg-type]  # mypy: no class is hashable
        if encode is None:
            raise Unstorable(f"A {cls.__module__}.{cls.__qualname__} is of no kind that can be stored.")
        made = encode(value)
        kind = (made.code, made.module, made.name)
        if kind not in self._cleared:
            self._clear(made)
            self._cleared.add(kind)
        return made

    def _clear(self, made: Constructor) -> None:
        """Raises `Unstorable` unless what is written now may be read again."""
        name = f"{made.module}.{made.name}"
        if not findable(made.module, made.name):
            raise Unstorable(f"{name} must be defined at the top of its module to be stored.")
        method = made.method if made.code == EXT_METHOD_SINGLE_ARG else None
        if not self._allows(made.module, made.name, method):
            raise Unstorable(
                f"{name} is not a type that may be loaded again: name it in the schema of the state, or list "
                f'["{made.module}", "{made.name}"] under checkpointer.serde.{KEY} of langgraph.json.'
            )

    def _named(self, module: str, name: str) -> Any:
        """Also where any type is allowed, only what is one is called: nothing like `os.system`."""
        found, key = named(module, name), (module, name)
        if key in SAFE_MSGPACK_TYPES or key in PLAIN or key in self.listed:
            return found
        if isinstance(found, type) and encoder(found):
            return found
        raise TypeError("it is no type of a state's values")

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
            return make(code, self._named(module, name), payload, method)
        except Exception as error:  # whatever a constructor raises: the value does not fit its type any more
            raise _reason.keep(
                Unreadable(f"A stored {module}.{name} cannot be made: {words(error)}")
            ) from error
