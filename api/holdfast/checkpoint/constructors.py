"""How a value that MessagePack does not know is made again: a type's name and what to call it with."""

import dataclasses
import enum
import functools
import importlib
import ipaddress
import pathlib
import re
import sys
from collections import deque
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from langchain_core.messages import BaseMessage
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
from pydantic import BaseModel

TypeName = tuple[str, ...]
PLAIN = frozenset({("builtins", "tuple"), ("builtins", "int"), ("builtins", "str")})


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
    Decimal: _single(str),
    UUID: _single(lambda value: value.hex),
    set: _single(list),
    frozenset: _single(list),
    deque: _deque,
    datetime: _datetime,
    date: _positional(lambda value: (value.year, value.month, value.day)),
    time: _keywords(_time),
    timedelta: _positional(lambda value: (value.days, value.seconds, value.microseconds)),
    timezone: _positional(lambda value: value.__getinitargs__()),
    ZoneInfo: _single(lambda value: value.key),
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


def _model(value: BaseModel) -> dict[str, Any]:
    """The fields as they are, so that models inside of fields of any type come back as models."""
    aliases = {name: field.alias or name for name, field in type(value).model_fields.items()}
    fields = {aliases.get(name, name): each for name, each in value.__dict__.items()}
    return fields | (value.__pydantic_extra__ or {})


def _pydantic(payload: Callable[[Any], Any]) -> Callable[[Any], Constructor]:
    return lambda value: Constructor(
        EXT_PYDANTIC_V2, *type_name(type(value)), payload(value), "model_validate_json"
    )


@functools.lru_cache(1024)
def encoder(cls: type) -> Callable[[Any], Constructor] | None:
    """What tells how to make a value of this type again; None for a type of no known kind."""
    if known := _BY_TYPE.get(cls):
        return known
    if issubclass(cls, (BaseException, _DeltaSnapshot)):
        return None  # of no kind, whatever else they are: the serializer has a form of its own for them
    if issubclass(cls, BaseMessage):
        return _pydantic(BaseMessage.model_dump)
    if issubclass(cls, BaseModel):
        return _pydantic(_model)
    if issubclass(cls, enum.Enum):
        return _single(lambda value: value.value)
    if dataclasses.is_dataclass(cls):
        return _keywords(_fields)
    if issubclass(cls, tuple) and hasattr(cls, "_asdict"):
        return _keywords(lambda value: value._asdict())
    return None


def findable(module: str, name: str) -> bool:
    """Whether a type can be found again by its name: one defined in a function or another class cannot."""
    return hasattr(sys.modules.get(module), name)


def _text(escaped: bytes) -> str:
    return escaped.decode("utf-8", "surrogatepass")


@functools.cache
def named(module: str, name: str) -> Any:
    """The type of this name. Only to be asked for names on the list: importing a module runs it."""
    return _text if (module, name) == ("builtins", "str") else getattr(importlib.import_module(module), name)


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


def marked(value: Any) -> Any:
    """The value with text marked that UTF-8 cannot carry, in plain containers: others pack themselves."""
    if type(value) is list:
        return [marked(each) for each in value]
    if type(value) is dict:
        return {key: marked(each) for key, each in value.items()}
    if type(value) is str and any("\ud800" <= letter <= "\udfff" for letter in value):
        return Surrogates(value)
    return value
