"""How a value that MessagePack does not know is made again: a type's name and what to call it with."""

import dataclasses
import enum
import fractions
import functools
import importlib
import ipaddress
import pathlib
import re
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from langchain_core.messages import BaseMessage
from langchain_core.messages.base import TextAccessor
from langchain_core.runnables.utils import AddableDict
from langgraph.checkpoint.serde.jsonplus import (
    EXT_CONSTRUCTOR_KW_ARGS,
    EXT_CONSTRUCTOR_POS_ARGS,
    EXT_CONSTRUCTOR_SINGLE_ARG,
    EXT_METHOD_SINGLE_ARG,
    EXT_PYDANTIC_V1,
    EXT_PYDANTIC_V2,
)
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from langgraph.store.base import Item
from langgraph.types import Send
from pydantic import AliasChoices, BaseModel

from holdfast.allowed_types import TypeName
from holdfast.checkpoint.likeness import same
from holdfast.errors import Unstorable, words

NUMPY = (
    "bool",
    "bool_",
    "float16",
    "float32",
    "float64",
    *(f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64)),
)
# May be loaded although LangGraph does not list them: they hold what they are given and do nothing else.
PLAIN = frozenset(
    {
        *(("builtins", name) for name in ("bytearray", "complex", "dict", "int", "str", "tuple")),
        *(("collections", name) for name in ("Counter", "OrderedDict", "defaultdict")),
        *(("numpy", name) for name in NUMPY),
        ("fractions", "Fraction"),
        (TextAccessor.__module__, "TextAccessor"),
        (AddableDict.__module__, "AddableDict"),
    }
)
FACTORIES = {each.__name__: each for each in (bool, bytes, dict, float, int, list, set, str, tuple)}
SURROGATE = re.compile("[\ud800-\udfff]")
SMALLEST, LARGEST = -(2**63), 2**64 - 1  # the whole numbers of MessagePack


class Constructor(NamedTuple):
    """A call: its kind (an `EXT_` code of LangGraph), the type, the arguments, for some a method."""

    code: int
    module: str
    name: str
    payload: Any
    method: str | None = None

    def packed(self) -> list[Any]:
        """What LangGraph packs: code and, where there is none, method left out."""
        return list(self[1:] if self.method else self[1:4])


class Surrogates(NamedTuple):
    """Text with lone surrogates, which UTF-8 cannot carry: it goes as escaped bytes."""

    text: str


class Buffer(NamedTuple):
    """A bytearray, which MessagePack would make bytes."""

    data: bytearray


class Pairs(NamedTuple):
    """A dict with keys that MessagePack has no form for, or would not tell from others."""

    pairs: list[list[Any]]


def type_name(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__name__


def _single(payload: Callable[[Any], Any]) -> Callable[[Any], Constructor]:
    return lambda value: Constructor(EXT_CONSTRUCTOR_SINGLE_ARG, *type_name(type(value)), payload(value))


def _positional(payload: Callable[[Any], Any]) -> Callable[[Any], Constructor]:
    return lambda value: Constructor(EXT_CONSTRUCTOR_POS_ARGS, *type_name(type(value)), payload(value))


def _keywords(payload: Callable[[Any], Any]) -> Callable[[Any], Constructor]:
    return lambda value: Constructor(EXT_CONSTRUCTOR_KW_ARGS, *type_name(type(value)), payload(value))


def _datetime(value: datetime) -> Constructor:
    if value.fold or not (value.tzinfo is None or value.tzinfo is UTC):
        # The ISO form knows an offset, but neither a zone's name nor which of two equal hours it was.
        names = ("year", "month", "day", "hour", "minute", "second", "microsecond", "tzinfo", "fold")
        return _keywords(lambda moment: {name: getattr(moment, name) for name in names})(value)
    return Constructor(EXT_METHOD_SINGLE_ARG, "datetime", "datetime", value.isoformat(), "fromisoformat")


def _time(value: time) -> dict[str, Any]:
    names = ("hour", "minute", "second", "microsecond", "tzinfo", "fold")
    return {name: getattr(value, name) for name in names}


def _zone(value: ZoneInfo) -> str:
    if value.key is None:
        raise Unstorable("A zone without a name cannot be found again.")
    return value.key


def _defaultdict(value: defaultdict[Any, Any]) -> Constructor:
    factory = value.default_factory
    name = None if factory is None else getattr(factory, "__name__", "")
    if name is not None and FACTORIES.get(name) is not factory:
        raise Unstorable(f"A defaultdict of {factory!r} cannot be made again.")
    return _positional(lambda known: (name, dict(known)))(value)


def _deque(value: deque[Any]) -> Constructor:
    if value.maxlen is None:
        return _single(list)(value)
    return _positional(lambda bounded: (list(bounded), bounded.maxlen))(value)


def _send(value: Send) -> tuple[Any, ...]:
    timeout = getattr(value, "timeout", None)
    return (value.node, value.arg) if timeout is None else (value.node, value.arg, timeout)


def _item(value: Item) -> dict[str, Any]:
    return {name: getattr(value, name) for name in Item.__slots__}


_BY_TYPE: dict[type, Callable[[Any], Constructor]] = {
    tuple: _single(list),
    int: _single(str),  # beyond 64 bits
    Surrogates: lambda value: Constructor(
        EXT_CONSTRUCTOR_SINGLE_ARG, "builtins", "str", value.text.encode("utf-8", "surrogatepass")
    ),
    Pairs: lambda value: Constructor(EXT_CONSTRUCTOR_SINGLE_ARG, "builtins", "dict", value.pairs),
    Buffer: lambda value: Constructor(EXT_CONSTRUCTOR_SINGLE_ARG, "builtins", "bytearray", bytes(value.data)),
    complex: _positional(lambda value: (value.real, value.imag)),
    Decimal: _single(str),
    fractions.Fraction: _positional(lambda value: (value.numerator, value.denominator)),
    OrderedDict: _single(dict),
    Counter: _single(dict),
    defaultdict: _defaultdict,
    UUID: _single(lambda value: value.hex),
    set: _single(list),
    frozenset: _single(list),
    deque: _deque,
    datetime: _datetime,
    date: _positional(lambda value: (value.year, value.month, value.day)),
    time: _keywords(_time),
    timedelta: _positional(lambda value: (value.days, value.seconds, value.microseconds)),
    timezone: _positional(lambda value: value.__getinitargs__()),
    ZoneInfo: _single(_zone),
    re.Pattern: lambda value: Constructor(
        EXT_CONSTRUCTOR_POS_ARGS, "re", "compile", (value.pattern, value.flags)
    ),
    Send: _positional(_send),
    Item: _keywords(_item),
    **dict.fromkeys(
        (pathlib.PurePath, pathlib.PurePosixPath, pathlib.PosixPath, pathlib.WindowsPath),
        _positional(lambda value: value.parts),
    ),
    **dict.fromkeys(
        (
            ipaddress.IPv4Address,
            ipaddress.IPv4Interface,
            ipaddress.IPv4Network,
            ipaddress.IPv6Address,
            ipaddress.IPv6Interface,
            ipaddress.IPv6Network,
        ),
        _single(str),
    ),
}


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}


@functools.lru_cache(1024)
def _given_as(cls: type[BaseModel]) -> tuple[dict[str, str], bool]:
    """What the constructor wants each field to be called, and whether that is any other name than its own."""
    names = {}
    for name, field in cls.model_fields.items():
        alias = field.validation_alias or field.alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
        names[name] = next((each for each in choices if isinstance(each, str)), name)
    return names, any(name != given for name, given in names.items())


def _model(value: BaseModel) -> dict[str, Any]:
    """The fields as they are, so that models inside of fields of any type come back as models."""
    names, renamed = _given_as(type(value))
    fields, extra = value.__dict__, value.__pydantic_extra__
    if renamed or not fields.keys() <= names.keys():
        fields = {names[name]: each for name, each in fields.items() if name in names}
    return fields | extra if extra else fields


def _pydantic(value: BaseModel) -> Constructor:
    return Constructor(EXT_PYDANTIC_V2, *type_name(type(value)), _model(value), "model_validate_json")


def _proven(encode: Callable[[Any], Constructor]) -> Callable[[Any], Constructor]:
    """Only what its own constructor makes again: validators, `__post_init__` and private fields may not."""

    def proven(value: Any) -> Constructor:
        made = encode(value)
        cls = type(value)
        try:
            twin = make(made.code, cls, made.payload, made.method)
        except Exception as error:  # whatever a constructor raises
            raise Unstorable(
                f"A {cls.__qualname__} cannot be made of its own fields: {words(error)}."
            ) from None
        if not same(value, twin):
            raise Unstorable(
                f"A {cls.__qualname__} comes back different from its own fields: it changes them, "
                "or holds more than them."
            )
        return made

    return proven


@functools.lru_cache(1024)
def encoder(cls: type) -> Callable[[Any], Constructor] | None:
    """What tells how to make a value of this type again; None for a type of no known kind."""
    if known := _BY_TYPE.get(cls):
        return known
    if issubclass(cls, (BaseException, _DeltaSnapshot)):
        return None  # of no kind, whatever else they are
    if issubclass(cls, BaseModel):
        plain = issubclass(cls, BaseMessage) and cls.__module__.startswith("langchain_core.")
        return _pydantic if plain else _proven(_pydantic)
    if issubclass(cls, enum.Enum):
        return _single(lambda value: value.value)
    if dataclasses.is_dataclass(cls):
        return _proven(_keywords(_fields))
    if issubclass(cls, tuple) and hasattr(cls, "_asdict"):
        return _proven(_keywords(lambda value: value._asdict()))
    if type_name(cls)[0] == "numpy" and cls.__name__ in NUMPY:
        return _proven(_single(lambda value: value.item()))
    for base in (str, int, float, bytes, list, dict):
        if issubclass(cls, base):
            return _proven(_single(base))
    return None


def findable(module: str, name: str) -> bool:
    """Whether a type can be found again by its name: one defined in a function or another class cannot."""
    return hasattr(sys.modules.get(module), name)


def _text(escaped: bytes | str) -> str:
    return escaped if isinstance(escaped, str) else escaped.decode("utf-8", "surrogatepass")


def _filled(factory: str | None, known: dict[Any, Any]) -> defaultdict[Any, Any]:
    return defaultdict(None if factory is None else FACTORIES[factory], known)


MAKERS: dict[TypeName, Callable[..., Any]] = {
    ("builtins", "str"): _text,
    ("collections", "defaultdict"): _filled,
}


@functools.cache
def named(module: str, name: str) -> Any:
    """What makes a value of the type of this name. Only to be asked for names on the list: importing a module
    runs it."""
    return MAKERS.get((module, name)) or getattr(importlib.import_module(module), name)


def make(code: int, cls: Any, payload: Any, method: str | None) -> Any:
    """The value of a constructor call; raises what the constructor raises."""
    if code == EXT_CONSTRUCTOR_SINGLE_ARG:
        return cls(payload)
    if code == EXT_CONSTRUCTOR_POS_ARGS:
        # Send takes its time limit by keyword only
        return Send(*payload[:2], timeout=payload[2]) if cls is Send and payload[2:] else cls(*payload)
    if code == EXT_METHOD_SINGLE_ARG:
        return getattr(cls, str(method))(payload)
    if code in (EXT_CONSTRUCTOR_KW_ARGS, EXT_PYDANTIC_V1, EXT_PYDANTIC_V2):
        return cls(**payload)
    raise ValueError(f"unknown kind of constructor: {code}")


def holds_buffer(value: Any) -> bool:
    """Whether a bytearray or memoryview, which MessagePack would make bytes, is in plain containers."""
    if type(value) is dict:
        return any(map(holds_buffer, value.values()))
    if type(value) is list:
        return any(map(holds_buffer, value))
    return isinstance(value, (bytearray, memoryview))


def marked(value: Any) -> Any:
    """The value with that marked, in plain containers, which MessagePack cannot carry or would change."""
    if type(value) is list:
        return [marked(each) for each in value]
    if type(value) is dict:
        if all(map(_plain_key, value)):
            return {key: marked(each) for key, each in value.items()}
        return Pairs([[marked(key), marked(each)] for key, each in value.items()])
    if type(value) is str:
        return Surrogates(value) if SURROGATE.search(value) else value
    if type(value) is bytearray:
        return Buffer(value)
    if isinstance(value, (bytearray, memoryview)):
        raise Unstorable(f"A {type(value).__name__} is of no kind that can be stored.")
    return value


def _plain_key(key: Any) -> bool:
    if type(key) is int:
        return SMALLEST <= key <= LARGEST
    return (
        key is None or type(key) in (bool, float, bytes) or (type(key) is str and not SURROGATE.search(key))
    )
