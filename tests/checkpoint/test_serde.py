"""Values through state and back: the same type and value, or a typed error."""

import collections
import dataclasses
import datetime
import enum
import ipaddress
import json
import math
import os
import pathlib
import pickle
import re
import uuid
import zoneinfo
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import ormsgpack
import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from langgraph.types import Interrupt, Send
from pydantic import BaseModel

from holdfast.checkpoint import RedisSaver, Serializer
from holdfast.errors import Unreadable, Unstorable
from holdfast.redis.client import Client
from holdfast.redis.keys import Keys
from tests.checkpoint.samples import at, put, state


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


@dataclasses.dataclass
class Order:
    number: str
    lines: list[Line]
    placed: datetime.datetime


ALLOWED = (Tier, Level, Point, Line, Order)
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
PROBES: dict[str, Any] = {
    "Decimal": Decimal("128.50"),
    "datetime": datetime.datetime(2026, 1, 2, 3, 4, 5, 6),
    "datetime in UTC": datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
    "datetime in a zone": datetime.datetime(2026, 7, 2, tzinfo=BERLIN),
    "datetime in the second of two hours": datetime.datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
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
    "tuple": (1, ("a", [2])),
    "int keys": {1: "a", None: "b", 2.5: "c", (1, 2): "d"},
    "big int": 2**80,
    "float": 1e300,
    "infinity": -math.inf,
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
    "looks like an extension": [5, "os", "system", "true"],
    "messages": [
        HumanMessage("hi", id="1"),
        AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "2"}]),
    ],
    "tool message": [ToolMessage("x", tool_call_id="2", artifact=(Decimal(1),))],
    "interrupt": (Interrupt(value={"a": (1,)}, id="x"),),
    "send": [Send("node", {"a": Decimal(1)})],
    "delta snapshot": _DeltaSnapshot([Decimal(1), (2,)]),
    "nothing": None,
    "empty": {"a": [], "b": {}, "c": ""},
}


def same(one: Any, other: Any) -> bool:
    """Equal in value and in every type within."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return len(one) == len(other) and all(map(same, one.items(), other.items()))
    if isinstance(one, (list, tuple, collections.deque)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, BaseModel) or dataclasses.is_dataclass(one):
        return same(vars(one), vars(other)) if hasattr(one, "__dict__") else one == other
    if isinstance(one, (datetime.datetime, datetime.time)):
        return (one, repr(one.tzinfo), one.fold) == (other, repr(other.tzinfo), other.fold)
    return bool(one == other)


@pytest.mark.parametrize("value", PROBES.values(), ids=PROBES)
async def test_a_value_comes_back_as_it_was(client: Client, keys: Keys, value: Any) -> None:
    saver = RedisSaver(client, keys, serde=Serializer(ALLOWED))
    config = await put(saver, at("t"), {"value": value, "inside": [value, {"deep": value}]})
    await saver.aput_writes(config, [("value", value)], "task")
    found = await RedisSaver(client, keys, serde=Serializer(ALLOWED)).aget_tuple(at("t"))
    assert found is not None
    if not isinstance(value, bytearray):  # inside of others it is bytes: MessagePack has no other word
        assert same(found.checkpoint["channel_values"]["inside"], [value, {"deep": value}])
    assert same(found.checkpoint["channel_values"]["value"], value)
    assert found.pending_writes is not None
    assert same(found.pending_writes[0][2], value)
    await saver.adelete_thread("t")


async def test_nan_comes_back(saver: RedisSaver) -> None:
    await put(saver, at("t"), {"value": [math.nan, "x" * 50]})
    assert math.isnan((await state(saver, at("t")))["value"][0])


def local_class() -> Any:
    @dataclasses.dataclass
    class Local:
        x: int = 1

    return Local()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Order("1", [], datetime.datetime.now(datetime.UTC)),
        object,
        local_class,
        lambda: {frozenset(): 1},
    ],
    ids=["type not listed", "no kind of value", "local class", "odd key"],
)
async def test_a_value_that_would_not_come_back_is_refused(
    saver: RedisSaver, make: Callable[[], object]
) -> None:
    with pytest.raises(Unstorable):
        await put(saver, at("t"), {"value": {"deep": [make()]}})
    assert await saver.aget_tuple(at("t")) is None


async def test_a_class_that_cannot_be_found_by_its_name_is_refused(client: Client, keys: Keys) -> None:
    value = local_class()
    saver = RedisSaver(client, keys, serde=Serializer([type(value)]))
    with pytest.raises(Unstorable, match="top of its module"):
        await put(saver, at("t"), {"value": value})


async def test_an_error_is_kept_as_its_text(saver: RedisSaver) -> None:
    @dataclasses.dataclass
    class Broken(Exception):
        why: str

    parent = await put(saver, at("t"), {"n": 1})
    await saver.aput_writes(parent, [("__error__", Broken("of glass"))], "task")
    found = await saver.aget_tuple(parent)
    assert found is not None
    assert found.pending_writes == [("task", "__error__", repr(Broken("of glass")))]


async def test_the_allow_list_of_a_graph_is_taken(client: Client, keys: Keys) -> None:
    saver = RedisSaver(client, keys).with_allowlist({(Tier.__module__, "Tier")})
    await put(saver, at("t"), {"tier": Tier.GOLD})
    assert await state(saver, at("t")) == {"tier": Tier.GOLD}
    with pytest.raises(Unreadable, match="Tier"):
        await RedisSaver(client, keys).aget_tuple(at("t"))
    await saver.adelete_thread("t")


def packed(code: int, *parts: Any) -> bytes:
    return b"Vmsgpack\0" + ormsgpack.packb(ormsgpack.Ext(code, ormsgpack.packb(parts)))


TAMPERED = {
    "a shell command": packed(0, "os", "system", "touch {proof}"),
    "with several arguments": packed(1, "subprocess", "run", [["touch", "{proof}"]]),
    "with keywords": packed(2, "subprocess", "run", {"args": ["touch", "{proof}"]}),
    "a method": packed(3, "datetime", "datetime", 5, "fromtimestamp"),
    "a model": packed(5, "subprocess", "Popen", {"args": ["touch", "{proof}"]}, "model_validate_json"),
    "an unknown extension": packed(42, "os", "system", "true"),
    "wrong arguments": packed(0, "uuid", "UUID", "no uuid"),
    "an odd extension": b"Vmsgpack\0" + ormsgpack.packb(ormsgpack.Ext(0, b"\x01")),
    "pickle": b"Vpickle\0" + pickle.dumps((os.system, "true")),
    "json": b"Vjson\0" + json.dumps({"lc": 2, "type": "constructor", "id": ["os", "getcwd"]}).encode(),
    "half of it": b"Vmsgpack\0\xdc\x00",
    "no kind": b"Vmsgpack",
    "bad text": b"V\xff\0x",
    "nothing": b"",
    "a row of references cut short": b"Lexx",
    "a reference to nothing": b"Le0123456789abcdef",
}


@pytest.mark.parametrize("blob", TAMPERED.values(), ids=TAMPERED)
@pytest.mark.parametrize("part", ["value", "element", "write", "envelope"])
async def test_tampered_state_is_an_error_and_runs_nothing(
    saver: RedisSaver, client: Client, keys: Keys, blob: bytes, part: str, tmp_path: pathlib.Path
) -> None:
    config = await put(saver, at("t"), {"value": ["x" * 50]})
    await saver.aput_writes(config, [("n", 1)], "task")
    proof = tmp_path / "ran"
    blob = blob.replace(b"{proof}", str(proof).encode()) if b"{proof}" in blob else blob
    names = await client.call("HKEYS", keys.checkpoints("t"))
    kind = {"value": b"b", "element": b"e", "write": b"w", "envelope": b"c"}[part]
    (name,) = [name for name in names if name.startswith(kind)]
    head = {"write": b"W\0n\0", "envelope": b"\x1e\x1e\x1e\x1e\x1e"}.get(part, b"")
    await client.call("HSET", keys.checkpoints("t"), name, head + blob)
    with pytest.raises(Unreadable):
        await saver.aget_tuple(at("t"))
    assert not proof.exists()


async def test_another_serializer_may_be_used(client: Client, keys: Keys) -> None:
    class Rot:
        """The smallest of ciphers."""

        def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
            return "rot", bytes(255 - byte for byte in plaintext)

        def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
            return bytes(255 - byte for byte in ciphertext)

    saver = RedisSaver(client, keys, serde=EncryptedSerializer(Rot(), Serializer()))
    values = {"messages": ["a secret " * 9] * 3, "total": Decimal("1.10")}
    await put(saver, at("t"), values)
    assert await state(saver, at("t")) == values
    assert b"a secret" not in b"".join(await client.call("HVALS", keys.checkpoints("t")))
    await saver.adelete_thread("t")


@pytest.mark.parametrize("name", ["Decimal", "datetime", "set", "messages", "tool message", "send"])
def test_what_langgraph_has_written_can_be_read(name: str) -> None:
    written = JsonPlusSerializer().dumps_typed({"value": PROBES[name]})
    read = Serializer().loads_typed(written)["value"]
    assert read == PROBES[name] or name == "tool message"  # its tuple became a list when it was written
