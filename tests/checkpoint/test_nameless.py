"""A name taken out of stored state: where it says who, in values of any type, and nothing else by a byte."""

import uuid
from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.types import Interrupt

from holdfast.checkpoint import RedisSaver
from holdfast.checkpoint.nameless import forget_name, without_name
from holdfast.checkpoint.serde import Serializer
from holdfast.errors import Fenced
from holdfast.redis.client import Client
from holdfast.redis.keys import Keys
from tests.checkpoint.samples import at, put, state

NAME = "ann “a” o'hara"


@dataclass
class Note:
    by: str
    text: str


def history(name: str) -> dict[str, Any]:
    """A state in which the name says who, and only reads like it."""
    return {
        "by": name,
        "decision": {"by": [name, "bob"], "at": "now", "seen": {"owner": name, "name": NAME}},
        "tuple": ({"by": (name, "bob")}, NAME),
        "messages": [HumanMessage(NAME, id="1"), AIMessage("x", additional_kwargs={"caller": name}, id="2")],
        "set": [{"by": frozenset({name})}, deque([{"owner": name}]), Decimal("1.50"), 2**70, b"\xff", None],
        "question": Interrupt({"asked": {"by": name}, NAME: {"by": {"deeper": NAME}}}, id="q"),
        "note": Note(name, NAME),
        "keys": {uuid.UUID(int=1): {"by": name}, "owner": name, "text": NAME},
    }


async def test_a_name_goes_where_it_says_who_and_stays_where_it_does_not(saver: RedisSaver) -> None:
    saver.serde = Serializer([Note])
    thread_id = str(uuid.uuid4())
    config = await put(saver, at(thread_id), history(NAME))
    writes = [("decision", {"by": NAME, "text": NAME}), ("by", NAME), ("text", NAME)]
    await saver.aput_writes(config, writes, "task")
    assert await forget_name(saver, thread_id, NAME) >= 8
    assert await state(saver, at(thread_id)) == history("erased")
    found = await saver.aget_tuple(at(thread_id))
    assert found is not None
    assert found.pending_writes == [
        ("task", "decision", {"by": "erased", "text": NAME}),
        ("task", "by", "erased"),
        ("task", "text", NAME),
    ]
    assert await forget_name(saver, thread_id, NAME) == 0


async def test_no_name_is_taken_out_under_a_run(saver: RedisSaver, client: Client, keys: Keys) -> None:
    thread_id = str(uuid.uuid4())
    await put(saver, at(thread_id), {"decision": {"by": NAME}})
    await client.call("HSET", keys.thread(thread_id), "token", "1:abc")
    with pytest.raises(Fenced):
        await forget_name(saver, thread_id, NAME)
    await client.call("HSET", keys.thread(thread_id), "token", "")
    assert await state(saver, at(thread_id)) == {"decision": {"by": NAME}}


@pytest.mark.parametrize(
    "value",
    [
        b"Vmsgpack\0\x81\xd9\x02by\xa3ann",  # a length that is written longer than need be
        b"Vmsgpack\0\x81\xa2by\xa3an",  # cut off
        b"Vbytes\0\x81\xa2by\xa3ann",
        b"Vnull\0",
        b"L" + b"e" * 34,
        b"",
    ],
)
def test_what_cannot_be_written_back_as_it_was_is_left(value: bytes) -> None:
    assert without_name(b"b\0\0say\x001", value, "ann") == value
    assert without_name(b"b\0\0say\x001", b"Vmsgpack\0\x81\xa2by\xa3ann", "ann").endswith(b"erased")
