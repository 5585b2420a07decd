"""What is stored takes less room, and what was stored before is read as ever."""

import json
import random
import uuid
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.serde.base import CipherProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.types import Interrupt

from holdfast.checkpoint import RedisSaver, Serializer, encoding
from holdfast.checkpoint.compression import MARK, compressed
from holdfast.checkpoint.encoding import Encoding, plain
from holdfast.checkpoint.nameless import forget_name, split
from holdfast.errors import Unreadable
from holdfast.redis.checkpoints import PAGE, Fields
from holdfast.redis.client import Client
from holdfast.redis.keys import Keys
from tests.checkpoint.samples import at, put, state

TEXT = "Where is my order? It should have been here on Monday. " * 5
# Compressed when this form was new: whatever is changed since, these bytes are that message.
STORED = bytes.fromhex(
    "5a438434e35cf2f2ed2d46517385f08cd4a25485cc6285dc4a85fc22605eb057f02c5128cec82fcd4951c8482c4b5548"
    "0206ab0258557e9e826f7e5e4a62a5deb0d646541182b5385b688e2d4f0000"
)


def message(number: int) -> HumanMessage:
    return HumanMessage(f"{number} {TEXT}", id=str(number))


async def stored(client: Client, keys: Keys, thread_id: str) -> Fields:
    fields: Fields = await client.call("HGETALL", keys.checkpoints(thread_id))
    return fields


async def test_messages_and_checkpoints_are_stored_compressed(
    saver: RedisSaver, client: Client, keys: Keys
) -> None:
    values = {"messages": [message(1), message(2)], "note": TEXT}
    config = await put(saver, at("t"), values, why=TEXT)
    await saver.aput_writes(config, [("messages", [message(3)])], "task")
    fields = await stored(client, keys, "t")
    elements = [value for name, value in fields.items() if name[:1] == b"e"]
    assert len(elements) == 3
    assert all(value.startswith(MARK) and len(value) < len(TEXT) // 2 for value in elements)
    [envelope] = [value for name, value in fields.items() if name[:1] == b"c"]
    assert envelope.split(b"\x1e", 5)[5].startswith(MARK)
    assert await state(saver, at("t")) == values


def test_what_was_compressed_once_can_always_be_read() -> None:
    assert Encoding(Serializer()).load(STORED) == message(7)


@pytest.mark.parametrize(
    "blob", [b"V" + b"x" * 300, random.Random(7).randbytes(500), b""], ids=["short", "no gain", "none"]
)
def test_what_would_gain_little_is_left_as_it_is(blob: bytes) -> None:
    assert compressed(blob) == blob


class Cipher(CipherProtocol):
    """A poor one, whose bytes could be compressed."""

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        return "xor", bytes(byte ^ 0x55 for byte in plaintext)

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        return bytes(byte ^ 0x55 for byte in ciphertext)


async def test_what_is_encrypted_is_not_compressed(client: Client, keys: Keys) -> None:
    saver = RedisSaver(client, keys, serde=EncryptedSerializer(Cipher(), Serializer()))
    await put(saver, at("t"), {"messages": [message(1)]})
    fields = await stored(client, keys, "t")
    assert not any(value.startswith(MARK) or b"\x1e" + MARK in value for value in fields.values())
    assert await state(saver, at("t")) == {"messages": [message(1)]}
    await saver.adelete_thread("t")


async def test_compressed_bytes_that_were_changed_are_an_error(
    saver: RedisSaver, client: Client, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(saver, at("t"), {"messages": [message(1)]})
    [(name, whole)] = [each for each in (await stored(client, keys, "t")).items() if each[0][:1] == b"e"]
    for broken in (MARK, whole[:-1], MARK + b"\xff" * 9):
        await client.call("HSET", keys.checkpoints("t"), name, broken)
        with pytest.raises(Unreadable, match="Thread t, checkpoint "):
            await saver.aget_tuple(at("t"))
    await client.call("HSET", keys.checkpoints("t"), name, compressed(b"Vmsgpack\0" + b"\xc0" * 10_000))
    monkeypatch.setattr(encoding, "LARGEST_VALUE", 9_000)  # a few bytes become no more than may be stored
    with pytest.raises(Unreadable, match="too large"):
        await saver.aget_tuple(at("t"))


async def test_a_name_is_taken_out_of_compressed_values_wherever_they_are(
    saver: RedisSaver, client: Client, keys: Keys
) -> None:
    thread_id, count = str(uuid.uuid4()), 2 * PAGE
    messages = [AIMessage(TEXT, id=str(n), additional_kwargs={"by": "ann"}) for n in range(count)]
    await put(saver, at(thread_id), {"messages": messages}, owner="ann", why=TEXT)
    assert await forget_name(saver, thread_id, "ann") == count + 1
    fields = await stored(client, keys, thread_id)
    bodies = [split(name[:1], value)[1] for name, value in fields.items()]
    assert not any(b"\xa3ann" in plain(body) for body in bodies)
    assert sum(body.startswith(MARK) for body in bodies) == count + 1
    [first, *_] = (await state(saver, at(thread_id)))["messages"]
    assert first.additional_kwargs == {"by": "erased"}


async def restore(client: Client, keys: Keys) -> None:
    """A thread as it was stored when nothing was compressed."""
    path = Path(__file__).with_name("plain_thread.json")
    for name, value in json.loads(path.read_text()).items():
        field = b64decode(name)
        await client.call("HSET", keys.checkpoints("t"), field, b64decode(value))
        if field[:1] in (b"c", b"w"):
            await client.call("ZADD", keys.checkpoint_index("t"), 0, field)
    await client.call("SADD", keys.registry(0), "t")


ASKED = HumanMessage("Where is order 1? " * 12, id="1")
SAID = AIMessage("On its way.", id="2", additional_kwargs={"caller": "ann"})
QUESTION = Interrupt({"by": "ann", "why": "x" * 200}, id="q")


async def test_what_was_stored_before_is_read_and_goes_on(client: Client, keys: Keys) -> None:
    one_lane = Keys(keys.prefix, 1)
    saver = RedisSaver(client, one_lane)
    await restore(client, one_lane)
    newest, first = [each async for each in saver.alist(at("t"))]
    assert newest.checkpoint["channel_values"] == {
        "messages": [ASKED, SAID],
        "n": 2,
        "by": "ann",
        "none": None,
    }
    assert first.pending_writes == [("task-0", "messages", [SAID]), ("task-0", "n", 2)]
    waiting: Any = [("__resume__", ["yes"]), ("__interrupt__", [QUESTION])]
    ends = [("messages", [SAID]), ("n", 3)]
    assert newest.pending_writes == [
        *(("task-ask", *each) for each in waiting),
        *(("task-1", *each) for each in ends),
    ]

    await saver.aput_writes(
        newest.config, [("messages", []), ("n", 0), ("more", 1)], "task-1", "~__pregel_pull, model"
    )
    await saver.aput_writes(newest.config, [("__resume__", ["yes", "no"])], "task-ask", "~__pregel_pull, ask")
    again = await saver.aget_tuple(at("t"))
    assert again
    assert again.pending_writes == [
        ("task-ask", "__resume__", ["yes", "no"]),
        ("task-ask", "__interrupt__", [QUESTION]),
        *(("task-1", *each) for each in [*ends, ("more", 1)]),
    ], "the first one stays, and a special one takes the place of the other"
    await put(saver, newest.config, {"messages": [ASKED, SAID, message(3)]}, version="3")
    assert await state(saver, at("t")) == {"messages": [ASKED, SAID, message(3)]}

    await saver.adelete_for_runs(["run-1"])
    assert [each.pending_writes async for each in saver.alist(at("t"))][1:] == [first.pending_writes]
    await saver.adelete_thread("t")
