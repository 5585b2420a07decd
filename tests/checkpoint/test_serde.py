"""Values through state and back: the same type and value, or a typed error."""

import dataclasses
import json
import os
import pathlib
import pickle
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ormsgpack
import pytest
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from holdfast.checkpoint import RedisSaver, Serializer
from holdfast.errors import Unreadable, Unstorable
from holdfast.redis.client import Client
from holdfast.redis.keys import Keys
from tests.checkpoint.probes import ALLOWED, PROBES, REFUSABLE, REFUSED, Tier, local_class, same
from tests.checkpoint.samples import at, put, state


@pytest.mark.parametrize("value", PROBES.values(), ids=PROBES)
async def test_a_value_comes_back_as_it_was(client: Client, keys: Keys, value: Any) -> None:
    saver = RedisSaver(client, keys, serde=Serializer(ALLOWED))
    config = await put(saver, at("t"), {"value": value, "inside": [value, {"deep": value}]})
    await saver.aput_writes(config, [("value", value)], "task")
    found = await RedisSaver(client, keys, serde=Serializer(ALLOWED)).aget_tuple(at("t"))
    assert found is not None
    assert same(found.checkpoint["channel_values"]["inside"], [value, {"deep": value}])
    assert same(found.checkpoint["channel_values"]["value"], value)
    assert found.pending_writes is not None
    assert same(found.pending_writes[0][2], value)
    await saver.adelete_thread("t")


async def test_all_of_them_come_through_a_graph(saver: RedisSaver) -> None:
    class State(TypedDict):
        values: dict[str, Any]

    builder: StateGraph[State, None, State, State] = StateGraph(State)
    builder.add_node("fill", lambda _: {"values": PROBES})
    builder.add_edge(START, "fill")
    saver.serde = Serializer(ALLOWED)
    await builder.compile(checkpointer=saver).ainvoke({"values": {}}, at("t"))
    found = await builder.compile(checkpointer=saver).aget_state(at("t"))
    assert [name for name, value in PROBES.items() if not same(found.values["values"][name], value)] == []


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("nested", [False, True])
async def test_a_value_that_would_not_come_back_is_refused(
    client: Client, keys: Keys, make: Callable[[], object], nested: bool
) -> None:
    saver = RedisSaver(client, keys, serde=Serializer(REFUSABLE))
    value = {"deep": [make()]} if nested else make()
    with pytest.raises(Unstorable, match="Channel value: "):
        await put(saver, at("t"), {"fine": 1, "value": value})
    with pytest.raises(Unstorable, match="Channel value: "):
        await saver.aput_writes(at("t", checkpoint_id="1"), [("fine", 1), ("value", value)], "task")
    assert await client.call("EXISTS", keys.checkpoints("t")) == 0
    await put(saver, at("t"), {"value": PROBES["Decimal"]})  # nothing of the refusal is left behind
    await saver.adelete_thread("t")


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


def tuples(depth: int) -> bytes:
    """A tuple that holds one that holds one..."""
    inner = b"\xc0"
    for _ in range(depth):
        body = b"\x93" + ormsgpack.packb("builtins") + ormsgpack.packb("tuple") + b"\x91" + inner
        inner = b"\xc9" + len(body).to_bytes(4, "big") + b"\x00" + body
    return inner


ITSELF = b"e" + b"0" * 16
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
    "a reference to itself": b"L" + ITSELF * 3,
    "a million dictionaries": b"Vmsgpack\0" + b"\x81\xa1a" * 1_000_000,
    "thousands of extensions": b"Vmsgpack\0" + tuples(3000),
    "an array of four billion": b"Vmsgpack\0\xdd\xff\xff\xff\xff",
    "text of four billion": b"Vmsgpack\0\xdb\xff\xff\xff\xff",
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
    kind = {"value": b"b", "element": b"e", "write": b"p", "envelope": b"c"}[part]
    (name,) = [name for name in names if name.startswith(kind)]
    head = {"write": b"Ptask\0\x001\x000\0n\0%d\0" % len(blob), "envelope": b"\x1e\x1e\x1e\x1e\x1e"}.get(
        part, b""
    )
    await client.call("HSET", keys.checkpoints("t"), name, head + blob, ITSELF, b"L" + ITSELF * 2)
    with pytest.raises(Unreadable, match=f"Thread t, checkpoint {config['configurable']['checkpoint_id']}: "):
        await saver.aget_tuple(at("t"))
    with pytest.raises(Unreadable, match="Thread t, checkpoint "):
        _ = [each async for each in saver.alist(None)]
    assert not proof.exists()


async def test_no_flipped_or_missing_byte_is_more_than_an_error(
    saver: RedisSaver, client: Client, keys: Keys
) -> None:
    """Another value may come of it: who fears that signs what is stored, as a cipher in EAX mode does."""
    config = await put(saver, at("t"), {"value": ["x" * 50, {"n": Decimal(1)}, PROBES["document"]]})
    await saver.aput_writes(config, [("n", PROBES["UUID"])], "task")
    stored = await client.call("HGETALL", keys.checkpoints("t"))
    pairs = stored.items() if isinstance(stored, dict) else zip(stored[::2], stored[1::2], strict=True)
    errors = 0
    for name, value in pairs:
        places = range(len(value))
        flipped = [value[:place] + bytes([value[place] ^ 0xFF]) + value[place + 1 :] for place in places]
        for other in (*flipped, *(value[:place] for place in places)):
            await client.call("HSET", keys.checkpoints("t"), name, other)
            try:
                await saver.aget_tuple(at("t"))
            except Unreadable as error:
                assert "Thread t, checkpoint " in str(error)  # noqa: PT017 - not all of them are errors
                errors += 1
        await client.call("HSET", keys.checkpoints("t"), name, value)
    assert errors > 500


async def test_keys_of_another_kind_are_an_error(saver: RedisSaver, client: Client, keys: Keys) -> None:
    await client.call("SET", keys.checkpoint_index("t"), "x")
    with pytest.raises(Unreadable, match="Thread t: "):
        await saver.aget_tuple(at("t"))
    await client.call("UNLINK", keys.checkpoint_index("t"))
    await put(saver, at("t"), {"n": 1})
    for name in (b"c\0\xff\0x", b"c\0"):
        await client.call("ZADD", keys.checkpoint_index("t"), 0, name)
        with pytest.raises(Unreadable, match="Thread t: "):
            _ = [each async for each in saver.alist(None)]
        await client.call("ZREM", keys.checkpoint_index("t"), name)


@pytest.mark.parametrize("name", ["Decimal", "datetime", "set", "messages", "tool message", "send"])
def test_what_langgraph_has_written_can_be_read(name: str) -> None:
    written = JsonPlusSerializer().dumps_typed({"value": PROBES[name]})
    read = Serializer().loads_typed(written)["value"]
    assert read == PROBES[name] or name == "tool message"  # its tuple became a list when it was written
