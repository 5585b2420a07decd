"""Values of every kind that a state may hold, and what tells whether one came back as it was."""

import collections
import dataclasses
import datetime
import enum
import fractions
import functools
import ipaddress
import math
import pathlib
import re
import threading
import uuid
import zoneinfo
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from langgraph.types import Interrupt, Send
from pydantic import BaseModel, Field, PrivateAttr, SecretStr, field_validator

T = TypeVar("T")


class Tier(enum.Enum):
    GOLD = "gold"


class Level(enum.StrEnum):
    HIGH = "high"


class Point(NamedTuple):
    x: int
    y: int


class Line(BaseModel):
    price: Decimal
    extra: Any = None


class Bill(BaseModel):
    """A model that calls its fields otherwise, holds more than them, and computes something once."""

    model_config = {"extra": "allow"}
    total: Decimal = Field(alias="sum")
    payer: str = Field(validation_alias="paid by")

    @functools.cached_property
    def rounded(self) -> int:
        return round(self.total)


class Tags(list[str]):
    pass


class Title(str):
    __slots__ = ()


@dataclasses.dataclass
class Parcel:
    weight: float
    price: Decimal = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.price = Decimal(str(self.weight)) * 2


@dataclasses.dataclass
class Order:
    number: str
    lines: list[Line]
    placed: datetime.datetime


ALLOWED = (Tier, Level, Point, Line, Bill, Order, Parcel, Tags, Title)
FIXED = datetime.timezone(datetime.timedelta(hours=-3, minutes=-30))
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
PROBES: dict[str, Any] = {
    "Decimal": Decimal("128.50"),
    "datetime": datetime.datetime(2026, 1, 2, 3, 4, 5, 6),
    "datetime in UTC": datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
    "datetime in a zone": datetime.datetime(2026, 7, 2, tzinfo=BERLIN),
    "datetime in the second of two hours": datetime.datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
    "datetime at an offset": datetime.datetime(2026, 7, 2, 3, tzinfo=FIXED),
    "date": datetime.date(2026, 1, 2),
    "time": datetime.time(1, 2, 3, tzinfo=datetime.timezone(datetime.timedelta(hours=8), "CST")),
    "timedelta": datetime.timedelta(days=-1, microseconds=3),
    "UUID": uuid.UUID(int=7),
    "set": {1, "a"},
    "frozenset": frozenset({1, 2}),
    "deque": collections.deque([1, 2]),
    "bounded deque": collections.deque([1, 2], maxlen=2),
    "bytes": b"\x00\xff",
    "bytearray": bytearray(b"x"),
    "bytearray inside": {"a": [bytearray(b"x"), b"x"], "l": "\u0107"},
    "tuple": (1, ("a", [2])),
    "int keys": {1: "a", None: "b", 2.5: "c", (1, 2): "d"},
    "keys that are equal to others": [{True: 1, 2: "a"}, {1: 1, "1": 2}, {1.0: 1}],
    "UUID keys": {uuid.UUID(int=7): {uuid.UUID(int=8): 1}, str(uuid.UUID(int=7)): 2},
    "date keys": {datetime.date(2026, 1, 2): 1, datetime.datetime(2026, 1, 2, tzinfo=BERLIN): 2},
    "Enum keys": {Tier.GOLD: 1, Level.HIGH: 2, "gold": 3},
    "Decimal and frozenset keys": {Decimal("1.10"): 1, frozenset({1}): 2, 2**80: 3, b"k": 4, Title("k"): 5},
    "tuple keys": {(1, ("a", Decimal(1))): 1, (): 2},
    "keys with surrogates": {"\ud83d": {"\udc00": 1}},
    "big int": [2**80, -(2**70), 2**64 - 1, -(2**63), 2**64, -(2**63) - 1],
    "float": [1e300, 5e-324, 0.1],
    "zeros": [0.0, -0.0, 0, False],
    "not a number": [math.nan, {"a": math.nan}],
    "infinity": -math.inf,
    "complex": complex(-0.0, 2),
    "Fraction": fractions.Fraction(1, 3),
    "numpy scalars": [np.float64(0.1), np.float32(0.1), np.int64(-3), np.bool_(True)],
    "OrderedDict": collections.OrderedDict([("b", 1), ("a", Decimal(2))]),
    "OrderedDict with odd keys": collections.OrderedDict([(uuid.UUID(int=7), 1), ("a", 2)]),
    "defaultdict": collections.defaultdict(list, {"a": [Decimal(1)], 2: []}),
    "defaultdict without a default": collections.defaultdict(None, {"a": 1}),
    "Counter": collections.Counter("aab"),
    "subclass of list": Tags(["a"]),
    "subclass of str": [Title("a"), AIMessage("text").text],
    "surrogates": ["half an emoji \ud83d", {"a": "\udc00"}],
    "Path": pathlib.Path("/a/b"),
    "pattern": re.compile("a+", re.IGNORECASE),
    "address": ipaddress.IPv4Address("10.0.0.1"),
    "Enum": Tier.GOLD,
    "StrEnum": [Level.HIGH],
    "named tuple": Point(1, 2),
    "nested dataclass and pydantic": Order(
        "1", [Line(price=Decimal("1.10"), extra=Line(price=Decimal(2)))], datetime.datetime.now(datetime.UTC)
    ),
    "looks like a serialized object": {"lc": 1, "type": "constructor", "id": ["os", "system"], "kwargs": {}},
    "looks like another serialized object": [
        {"__type__": "Decimal", "value": "1"},
        {"__lc_escaped__": {"lc": 1}},
    ],
    "looks like an extension": [5, "os", "system", "true"],
    "looks like stored bytes": ["L" + "e" * 17, b"Vmsgpack\0\xc0", ["builtins", "dict", [["a", 1]]]],
    "messages": [
        HumanMessage("hi", id="1"),
        AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "2"}]),
    ],
    "messages with metadata": [
        HumanMessage(
            ["a", {"type": "text", "text": "b"}], additional_kwargs={"at": {uuid.UUID(int=7): BERLIN}}
        ),
        AIMessage(
            "x",
            response_metadata={"line": Line(price=Decimal(1)), "point": Point(1, 2), "tier": Tier.GOLD},
            usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
        ),
    ],
    "tool message": [ToolMessage("x", tool_call_id="2", artifact=(Decimal(1), Line(price=Decimal(1))))],
    "document": Document("x", id="1", metadata={"when": datetime.date(2026, 1, 2)}),
    "model with aliases and more": Bill.model_validate(
        {"sum": "1.10", "paid by": "ann", "more": Point(1, 2)}
    ),
    "dataclass with a field of its own": Parcel(0.5),
    "interrupt": (Interrupt(value={"a": (1,)}, id="x"),),
    "send": [Send("node", {"a": Decimal(1)})],
    "delta snapshot": _DeltaSnapshot([Decimal(1), (2,)]),
    "nothing": None,
    "empty": {"a": [], "b": {}, "c": ""},
}


def local_class() -> Any:
    @dataclasses.dataclass
    class Local:
        x: int = 1

    return Local()


@dataclasses.dataclass
class Growing:
    n: int

    def __post_init__(self) -> None:
        self.n += 1


class Secretive(BaseModel):
    n: int
    _seen: list[str] = PrivateAttr(default_factory=list)


class Upper(BaseModel):
    name: str

    @field_validator("name")
    @classmethod
    def reversed(cls, name: str) -> str:
        return name[::-1]


class Box(BaseModel, Generic[T]):
    content: T


class Odd(datetime.tzinfo):
    def utcoffset(self, _: datetime.datetime | None) -> datetime.timedelta:
        return datetime.timedelta(hours=1)

    dst = utcoffset

    def tzname(self, _: datetime.datetime | None) -> str:
        return "odd"


class Unlisted(str):
    __slots__ = ()


class Labeled(Tags):
    def __init__(self, tags: list[str]) -> None:
        super().__init__(tags)
        self.label = ""


def changed(value: Any, name: str, to: object) -> Any:
    setattr(value, name, to)
    return value


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def deep(depth: int) -> Any:
    value: Any = "\ud800"
    for _ in range(depth):
        value = [value]
    return value


REFUSABLE = (Growing, Secretive, Upper, Labeled, Bill, Line, Parcel)
REFUSED: dict[str, Callable[[], Any]] = {
    "type not listed": lambda: Order("1", [], datetime.datetime.now(datetime.UTC)),
    "subclass not listed": lambda: Unlisted("x"),
    "no kind of value": object,
    "local class": local_class,
    "key of no kind": lambda: {object(): 1},
    "function": lambda: len,
    "error": lambda: ValueError("x"),
    "lock": threading.Lock,
    "iterator": lambda: iter([1]),
    "memoryview": lambda: memoryview(b"x"),
    "array": lambda: np.array([1.0]),
    "zone of a class of its own": lambda: datetime.datetime(2026, 1, 1, tzinfo=Odd()),
    "defaultdict of a function": lambda: collections.defaultdict(lambda: 1),
    "secret": lambda: SecretStr("x"),
    "model of a generic class": lambda: Box[int](content=1),
    "dataclass that changes what it is given": lambda: Growing(1),
    "dataclass that was changed": lambda: changed(Parcel(1.0), "price", Decimal(7)),
    "model with something private": lambda: changed(Secretive(n=1), "_seen", ["x"]),
    "model that changes what it is given": lambda: Upper(name="ab"),
    "model that was given another type": lambda: changed(Line(price=Decimal(1)), "price", "1"),
    "model that its own fields do not make": lambda: Bill.model_construct(),
    "list with an attribute": lambda: changed(Labeled(["a"]), "label", "x"),
    "list that holds itself": endless,
    "too deep": lambda: deep(2000),
}


def same(one: Any, other: Any) -> bool:
    """Equal in value and in every type within."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return repr(one) == repr(other)
    if isinstance(one, dict):
        return (
            len(one) == len(other)
            and all(map(same, one.items(), other.items()))
            and getattr(one, "default_factory", None) is getattr(other, "default_factory", None)
        )
    if isinstance(one, (list, tuple, collections.deque)):
        lengths = [(len(each), getattr(each, "maxlen", None)) for each in (one, other)]
        return lengths[0] == lengths[1] and all(map(same, one, other))
    if isinstance(one, BaseModel):
        return same((vars(one), one.__pydantic_extra__), (vars(other), other.__pydantic_extra__))
    if dataclasses.is_dataclass(one):
        return same(vars(one), vars(other)) if hasattr(one, "__dict__") else one == other
    if isinstance(one, (datetime.datetime, datetime.time)):
        return (one, repr(one.tzinfo), one.fold) == (other, repr(other.tzinfo), other.fold)
    if isinstance(one, complex):
        return repr(one) == repr(other)
    return bool(one == other)
